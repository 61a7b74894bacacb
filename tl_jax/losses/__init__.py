"""What is minimised: scalars of arrays, each a function with its equation, its shapes and its paper.

In: arrays. Logits [n, c], labels [n], features [n, d]; never a batch, a network or a state.
Out: scalars that can be differentiated, vmapped and jitted.

`classes.py` has what is said of predictions (cross-entropy, entropy, confusion, reversal of a gradient) and
`supervised`, which takes squared errors where labels are values. `discrepancy.py` and `joint_discrepancy.py` measure
how far two samples of features lie apart, `spectra/` how far their spans and their least-squares solutions,
`contrastive.py` how well two views of an example find each other. `examples/` moves, mixes and shares out single
examples. `mlp.py` and `heads.py` hold the small networks that belong to a method.

Open first: `classes.py`. A method (tl_jax/methods) is a few of these functions with weights. Each is tested against
straight-line NumPy in tests/losses, which is the shortest way to see what it computes.
"""
