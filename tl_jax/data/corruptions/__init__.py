"""Corruptions of images: those of ImageNet-C from their published formulas, at five severities, seeded by the example.

In: uint8 images [n, h, w, c] (c = 1 or 3) of one split, and a text such as "fog@3".
Out: uint8 images of the same shape, the same to the byte at every call.

`table.py: corrupted` is the way in, and what `?corrupt=fog@3` of a spec comes to. `noise.py`, `blur.py`, `weather.py`,
`spatter.py` and `digital.py` hold a function a name, f(x [h, w, c] in [0, 1], severity 0 to 4, draws) -> [h, w, c],
over numpy, scipy (which comes with scikit-learn) and Pillow. One of the nineteen is not here, see docs/shortfalls.md.

Sizes. The constants are those of ImageNet-C, of images of 224 pixels. Lengths (radii and widths of blurs, flakes of
snow, reach of a shuffle, elastic shifts) are a share of the image: times side / 224. Strengths of noise, contrast,
brightness and the rest are as published whatever the size, as are pixelate and jpeg, which are of the grid of pixels:
the fewer pixels an image has, the harder are those. Spatter is made at 224 pixels and brought to the image's size.
(CIFAR-10-C chose weaker noise for its 32 pixels.)

Open first: `noise.py`, then `table.py`. Hendrycks & Dietterich 2019, arXiv 1903.12261.
"""
