"""From run directories to one table.

In: directories of runs, of sweeps, or folders of them; what the rows and columns shall be.
Out: rows of every trial (CSV, Parquet), each with the digest, commit and directory of its run; a pivoted table as text,
Markdown, LaTeX or CSV, with what is missing said as missing; the command line that remakes each cell.

`collect.py` reads the runs, `pivot.py` averages over seeds and chooses a swept value by the label-free criterion,
`compare.py` tests differences in pairs, `ranks.py` ranks rows in every column; `words.py`, `render.py`, `pages.py` and
`files.py` write, `command.py` gives the command lines.

Open first: `collect.py`.
"""
