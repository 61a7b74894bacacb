"""Networks for images, and the blocks of the vision transformer, which those for texts and sound share.

In: images [n, h, w, c], bytes or floats, on the scale that `pixels.py` says.
Out: a `Recipe` whose module gives features [n, d].

A file is one architecture, sizes and published variants as its arguments; convolutional ones are made of
`parts/conv.py` and `parts/layers.py`, `swin.py` and `dinov2.py` of what `vit.py` has. Open first: `cnn.py`, the small
one that is the default, then `vit.py`.
"""
