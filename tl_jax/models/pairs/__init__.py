"""Networks of images and texts that are trained in pairs: CLIP and SigLIP.

In: images as `models/images/` has them, or token ids of a text.
Out: a `Recipe` for the tower of the one or of the other; their features, of one length, are compared.

`clip.py` has the towers, `pairs.py` makes networks of them, `published_pairs.py` reads what a folder says of both.
What is done with two towers at once (classes by their names, learned words before them) lies above this room, in
`models/zero_shot.py` and `models/context.py`. Open first: `pairs.py`.
"""
