"""Choosing a step or a trial without a single label of the target.

In: what a model says at one step, a `Record` (`record.py`): the target's examples without labels, the source's
validation split with them. There is no field for a target label, so nothing here can peek.
Out: a score of a criterion, higher is better, and the chosen step, or why none was.

`criteria.py` has every criterion with its equation and how it fails, `selection.py` refuses what is degenerate and
takes the highest. Features are stored only where a criterion reads them.

Open first: `criteria.py`.
"""
