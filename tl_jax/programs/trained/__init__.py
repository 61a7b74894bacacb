"""A model that a run has trained: opened again, asked in Python or for a table, written as files for others.

In: a run directory, and which of its models (`run/wanted.py`); the data of the run, for scale, classes and units.
Out: a model in Python, what it says of new examples, its weights and program as files.

`opened.py` finds a model of a run (made again by `run/finished.py`) and checks its data. `loaded.py` is what every one
has, `model.py` one that predicts classes or values, `tasks.py` one of several tasks, `streamed.py` one that learns from
a stream; `whose.py` says which task's new labels are. `answer.py` is what a model says to one question, `predict.py`
has it said of a file, `rows.py` writes it. `program.py` is a model as a function of x alone, `export.py` writes that
and the weights, tried before they are trusted.

The rule of the room: what a model says here is what the run said of the same examples.

Open first: `opened.py`.
"""
