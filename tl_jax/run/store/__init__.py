"""The run directory: what a run is of, what it has finished, and what is whole.

In: a config, digests of contents (data, weights, code), records [T, ...] of evaluations, states to save.
Out: a directory that can be killed at any moment and gone on with; or a message that names what has changed.

`rundir.py` is the way in: `RunDirectory` reads and writes everything in it. `contents.py` digests what a run is made
of and `claim.py` refuses to mix two; `lock.py` gives the directory to one process. `manifest.py` has a line an
evaluation with digests, so damage is found; `resume.py` says from which step a job goes on; `checkpoints.py` keeps
whole states (Orbax), `stops.py` that in which a stop found it between two evaluations; `environment.py` notes what made
the numbers; `names.py` makes folder names of job names.

The rules: a file is written whole and renamed; what is damaged is said and made again from the last whole checkpoint;
the same line always ends with the same results.json.

Open first: `rundir.py`. What was tried against it: docs/reliability.md.
"""
