"""Every setting of a run, once: its name, type, default, help and bounds.

In: texts of flags, or values from Python.
Out: a `Config`, which is all that can change a number, checked as far as it
can be without data; and the table that flags, Python, sweeps and docs/settings.md read.

`config.py` has the fields and their checks, `forms.py` the forms that texts and values have, `settings.py` the table.

Open first: `config.py`.
"""
