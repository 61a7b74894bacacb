"""The fit between domains, before anything is trained.

In: domains that were checked at the door.
Out: sources and target with one shape of examples and one order of classes (`matched`), or one message with what
differs and what would fit; notes of test examples that training has seen (`copies.py`).

Open first: `match.py`; then `classes.py` (label spaces, labels by the names of classes) and `shapes.py` (columns by
name, sizes of images, lengths). `like.py` brings new examples into the form of those that a model was trained on.
"""
