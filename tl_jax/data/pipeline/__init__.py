"""Which examples a step sees, and how they come to the device.

In: a set (an array, or rows of one that is too large), seeds, step numbers.
Out: rows. Those of step s under seed k are a pure function of (k, s), so a run that resumes needs no state but the
step.

`sampler.py` computes rows on the device by a Feistel permutation, in the size of the batch; `host_sampler.py` is its
twin in NumPy, tested equal, for processes that read ahead. `window.py` is a few rows that are indexed as the whole
set, and `windows.py` reads the next ones. `rows.py` says which examples are labelled where labels are few, or repeated
where classes are drawn equally often.

Open first: `sampler.py`, then `window.py`: streaming is its one line `__getitem__`.
"""
