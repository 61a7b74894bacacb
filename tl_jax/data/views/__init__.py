"""What a network sees of an example: conversion to floats, and random variations, on the device.

In: a stored example (uint8 image, int16 sound, token ids, floats) and a random key.
Out: the example as a view of it: same shape, its own draw.

`augment.py` is the way in: the views of a kind of data by name ("weak", "strong", "distorted", ...), which a method
names in `View(domain, augment)`. `images.py` and `sequences.py` hold the functions (key, example) -> example; padding
at the end of sound, text and series stays padding.

Open first: `augment.py`. A new view is a function there and an entry in its table.
"""
