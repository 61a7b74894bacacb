"""Domains: named classes and fixed splits of examples, whatever they came from.

In: a spec such as "digits:printed" or "folder:/data/shop?size=224", or a user's own arrays.
Out: a `Domain` (`domain.py`) that was checked once at the door, and sources and target that fit each other
(`match/`).

The one way in is `load(spec)` (`load.py`), which asks the rooms below it:

    readers/     one file a format: folders of images, tables, arrays, sound, text
    benchmarks/  the named sets: where their files come from, their domains and protocols
    embedded/    digits that need no download
    corruptions/ those of ImageNet-C, on the images of any of them (?corrupt=fog@3)
    files/       bytes, archives, caches: what readers have in common

and what is done with domains, in rooms beside it: match/ brings sources and target together, check/ looks at them
before a run, pipeline/ draws the rows of a step, views/ varies examples on the device.

Open first: `domain.py`. `door.py` and `door_labels.py` say what is refused and what is converted; an unknown class is
-1, an unknown value NaN, and `known(y)` the one question about it.
"""
