"""The named benchmarks: where their files come from, and how they are read.

In: a name and a protocol, as in "office31/amazon" or "visda/real@full".
Out: a `Domain`, or a message that says which files are wanted, from where, and with which digests.

A set is a `Benchmark` record (`record.py`): its page, its files, its domains and protocols, and a function that reads
them. `table.py` is the way in: it holds every record by name. The others hold records of one sort: `pictures.py`
(folders of images), `digit_sets.py`, `mnist_m.py`, `multi_mnist.py`, `small_images.py`, `others.py` (features,
reviews, speech, schools); `matlab.py` reads files whose layout is known.

Open first: `record.py`. A new set is one record: docs/adding_a_data_set.md.
Nothing is downloaded: files lie where the user put them (--data_dir, TL_JAX_DATA).
"""
