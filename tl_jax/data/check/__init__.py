"""Looking at domains before a run, in words.

In: specs, or domains that were loaded.
Out: lines for a person: what is in a domain (`domain.py`), how a source and a target fit (`pair.py`), where files lie
and whether they are the right ones (`where.py`), and what was prepared for later (`prefetch.py`, `tfds_builders.py`).

Nothing here changes an example; a run does not need this room. `python -m launch.data check|where|prefetch|list` is
the way in.

Open first: `domain.py`, a list of everything that has been seen to be wrong with people's data.
"""
