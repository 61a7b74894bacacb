"""Many runs from one line: from a grid to configurations, to processes or jobs, and to a table.

In: the texts of a sweep's flags, and the config that the kind's own flags make.
Out: run directories in the sweep's directory, and tables of any run directories.

`asked/` reads the flags, or a file, as points; `plan.py` makes of them one configuration a program; `directory.py`
knows where every run stands. `worker.py` is one process; `local.py` is the pool of them here, `clusters/`
has them on machines that others hand out. `tables/` goes from any run directories to a table.

Open first: `plan.py`, then `worker.py`.
"""
