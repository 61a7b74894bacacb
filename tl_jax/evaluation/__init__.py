"""What numbers say of predictions and features, after training and on the host.

In: NumPy arrays: logits, labels, features. Never a network, never a device array.
Out: Python floats by name; the chosen step of a run; reasons for which a candidate was refused.

`metrics.py` (classes), `regression.py` (values), `open_set.py` (classes that the source lacks) and `multitask.py`
(both Delta_m) score predictions. `probes.py`, `neighbours.py`, `clustering.py`, `representation.py`, `few_shot.py`
score features, `protocols.py` gathers them for one representation. `selection.py` chooses a step from stored
predictions that hold no target label.

Open first: `criteria.py`, whose docstring says how each criterion fails. Which of these a kind of transfer reports,
and under which name, is decided above, in tl_jax/kinds.
"""
