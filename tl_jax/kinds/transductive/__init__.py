"""Transductive transfer: labelled sources, an unlabelled target of the same classes (or values).

In: a config with sources, a target and methods of `ADAPTATION`.
Out: accuracy (R2 of values) on the target's test split for every method, between two bounds: `source_only`, and
`target_only`, which is trained on the target's labels.

`kind.py` is the way in. `reading.py` says how its table is read: the bounds, and when a method is under `source_only`
by more than its spread. `baselines.py` adds rows that need no network.

What is stored at an evaluation: logits of the target and of the sources' validation split (predicting/observe.py). A
step is chosen without target labels; the oracle beside it uses those of the validation split, and says so.

Open first: `kind.py`.
"""
