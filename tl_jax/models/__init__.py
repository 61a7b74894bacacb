"""Networks: the one room that imports Flax.

In: a network's name with its arguments, a number of classes, a type to compute in.
Out: a `Network`, init and apply as pure functions of parameters and statistics; nothing above knows what it is made of.

`networks.py` is the table of all of them, from what lies in `images/`, `sequences/`, `sound/` and `pairs/`, made of
`parts/`; `heads.py` goes from features to logits, `sharing.py` is what tasks share. `files/` reads weights and sizes,
`names/` says how published arrays are called. `zero_shot.py` and `context.py` make heads of the names of classes,
`of_nnx.py` takes a trunk that is written in Flax NNX. Open first: `networks.py`, then a small one: `images/cnn.py`.
"""
