"""What networks are made of.

In: arrays of one example or a batch, as modules of Flax pass them.
Out: layers, and `Recipe`, what every file of networks hands to `networks.build`.

`layers.py` has batch normalisation that can be frozen by path, dropout and pooling; `conv.py` convolution in two forms
that agree to rounding; `transformer.py` attention and blocks of it; `masks.py` those of padded sequences; `places.py`
learned positions for another grid. `pure.py` makes a module two pure functions, `remat.py` trades time for memory.
Open first: `recipe.py`.
"""
