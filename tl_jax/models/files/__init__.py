"""Weights and sizes from files.

In: a path, a folder as published, or a name on the hub; the shapes that a network has.
Out: arrays by name and, into a network, what was loaded, left out or begun anew, with a report.

`weights.py` reads and writes files of named arrays, `published.py` finds what a folder holds and reads its config.json,
`pretrained.py` brings the arrays into a network and back. How published files call them is the affair of
`models/names/`. Open first: `pretrained.py`.
"""
