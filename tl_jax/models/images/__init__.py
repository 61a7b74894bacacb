"""Networks for images.

In: images [n, h, w, c], bytes or floats, on the scale that `pixels.py` says.
Out: a `Recipe` whose module gives features [n, d].

A file is one architecture, sizes and published variants as its arguments; convolutional ones are made of
`parts/conv.py` and `parts/layers.py`, `vit.py`, `swin.py` and `dinov2.py` of `parts/transformer.py`. Open first:
`cnn.py`, the small one that is the default, then `vit.py`.
"""
