"""Pictures of tables: what a swept number does, and which rows differ.

In: a pivoted table whose columns are swept numbers (`ablation.py`), or a test of ranks (`diagram.py`).
Out: a Matplotlib figure, kept as PNG and PDF.

One swept number gives a line a row with its band, two a map a row, more parallel coordinates (`parallel.py`); axes are
logarithmic where the values are a geometric row (`scales.py`). `look.py` holds colours, markers and the files.

Open first: `ablation.py`.
"""
