"""Unsupervised transfer: neither side labelled; a representation is learnt, then judged by protocols with labels.

In: a config with methods of `SELF_SUPERVISION`, a view, and ways to align the domains.
Out: a table of protocols (nearest neighbours, probes, retrieval, clustering, rank) a method, and the trunk of each as
a file that --init_from takes.

`kind.py` is the way in. `views.py` says which views and alignments a job has; `observe.py` stores features and judges
them afterwards; `table.py` puts representations side by side; `retrieval.py` draws queries with what was found for
them.

Training reads no label: its batches have none (`Method.labels == "none"`). Labels come in after it, in the protocols.

Open first: `observe.py`. Why the defaults are as they are: docs/unsupervised.md.
"""
