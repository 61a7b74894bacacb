"""Bytes before they are examples: containers, lines, images, waves, and a cache of what took time to decode.

In: paths and bytes, which may be cut, flipped or of another kind than their name says.
Out: arrays, text and members of archives, or one message that names the file and the fix.

`containers.py` reads a folder, a zip and a tar alike; `archives.py` checks what a member declares before it is read.
`lines.py`, `columns.py` and `marks.py` are of tables, `array_files.py` of named arrays, `decoder.py` of images (it is
a script of its own, which the processes of `decoders.py` run; `pictures.py` are those that are decoded when they are
read), `waves.py` of sound. `cache.py` keeps decoded arrays as memory-mapped
files under a key of their content.

There is no way in: readers call the files that they need.
Open first: `containers.py`.
"""
