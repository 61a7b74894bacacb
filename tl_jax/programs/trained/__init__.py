"""A model that a run has trained: opened again, asked in Python or for a table, written as files for others.

In: a run directory, and which of its models (`run/wanted.py`); the data of the run, for scale, classes and units.
Out: a model in Python, what it says of new examples, its weights and program as files.

`opened.py` finds a model of a run (made again by `run/finished.py`) and checks its data, `model.py` is that model in
Python, `predict.py` its predictions. `export.py` writes a trained model as weights, class names, preprocessing and a
StableHLO program, tried before it is trusted.

The rule of the room: what a model says here is what the run said of the same examples.

Open first: `opened.py`.
"""
