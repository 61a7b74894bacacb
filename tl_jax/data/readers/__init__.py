"""One file a format: from what lies on a disk to a domain.

In: a parsed spec (tl_jax/data/spec.py): scheme, path and options.
Out: a checked `Domain`, with notes on what was left out, changed or guessed.

`folder.py` and `image_lists.py` read images (`images.py` decodes them, `levels.py` finds which folder names are
classes), `tables.py` and `svmlight.py` rows of numbers or text, `arrays.py` npz and MATLAB files, `sound.py`
recordings, `text.py` words, `tfds.py` sets of TensorFlow Datasets, without TensorFlow. All end in `assemble.py`, the
one place where labels of any kind become class numbers and where rows are split.

The way in is `load` (tl_jax/data/load.py), which looks a scheme up. Open first: `assemble.py`, then `svmlight.py` as
the shortest reader. A user's own reader is a function in a file of theirs, named in the spec.
"""
