"""Domains that need no file and no download, the same to the byte at every call.

In: a name: "handwritten", "printed", "photo", or a task on the same images.
Out: a `Domain` of 16x16x3 images.

`digits.py` has three domains of the ten digits: handwriting (real scans, from scikit-learn), type (drawn with the
fonts of matplotlib), and the handwriting over crops of photographs. `digit_tasks.py` asks other things of the same
images: parity, stroke mass, how far one is turned. `digit_domains.py` turns and colours them by options of their spec,
for as many domains as one likes. Defaults of every script, the examples and most tests run on them.

The way in is the scheme `digits:` of `load`. Open first: the table at the top of `digits.py`.
"""
