"""Choosing a step or a trial without a single label of the target.

In: what a model says at one step, a `Record` (`record.py`): the target's examples without labels, the source's
validation split with them. There is no field for a target label, so nothing here can peek. Out: a score of a criterion
(`criteria.py`, higher is better, with how each one fails), and the chosen step, or why none was (`selection.py`).
Open first: `criteria.py`.
"""
