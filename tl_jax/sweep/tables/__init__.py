"""From run directories to one table.

In: directories of runs, of sweeps, or folders of them; what the rows and columns shall be.
Out: rows of every trial
(CSV, Parquet), and a pivoted table as text, Markdown, LaTeX or CSV, with what is missing said as missing.

`collect.py` reads the runs, `pivot.py` averages over seeds and chooses a swept value by the label-free criterion,
`compare.py` tests differences in pairs, `render.py` writes.

Open first: `collect.py`.
"""
