"""Which pretrained model for which target, from arrays: scores, and how far to trust their ranking.

In: features [n, d], predicted probabilities [n, z] of the model's own classes, labels [n].
Out: a score by name, higher is better; intervals, agreement between scores, and what a wrong choice costs.

`scores.py` is the way in: every score by name, with what it needs, `static` (a fixed prior that needs no data) among
them. `features.py` holds those of features. `ranking.py` says how sure an order of candidates is.

Open first: `scores.py`, for the warning at its top. `python -m launch.rank` prints all of them.
"""
