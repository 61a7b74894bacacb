"""What is found of a run, as values, before a word of it is written or a line is drawn.

In: a run directory, its data where they can be read again.
Out: a `Numbers` a job (`found.py`).

`read.py` brings the run together: its jobs and what labels there are, of the data or, where these cannot be read, of
what the run kept. `evaluations.py` goes through a job's records one by one; `numbers.py` has the numbers of predictions
and features, `shares.py` those of the terms, `mistakes.py` the most certain mistakes, `confidence.py` which targets
would get a pseudo-label, `adversary.py` what the method's own discriminator says.

Open first: `found.py`.
"""
