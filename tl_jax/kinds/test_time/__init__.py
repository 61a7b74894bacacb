"""Test time: a source model, and a stream that is predicted batch by batch and learnt from once it is predicted.

In: a config with sources (or a model in a file), a target, corruptions (`--corrupt`), the form of the stream
(`--stream`) and methods of `TEST_TIME`.
Out: the error on the target's test split under every corruption, its mean, and the time a sample, beside
`no_adaptation`, the source model as it is.

`kind.py` is the way in: the source model is a hidden job that all methods share. `jobs.py` is a job of one step, in
which nothing is trained: its evaluation is the stream (`observe.py`, on `training/stream.py`), from the source model
to the last batch. `streams.py` says in what order examples come and when a method is put back. `table.py` tells.

The rule of the room: an example is scored by what was said when it came. Nothing is chosen, so every number is the
last; labels order a stream (correlated classes) and score it, and no method sees them. A run that is stopped goes on
with the method whose stream was cut, from that stream's first batch.

Open first: `streams.py`, then `observe.py`.
"""
