"""One step, and many of them on the device: the trainer that all methods and kinds share.

In: a `Recipe` (`recipe.py`: network, method, optimiser, schedules, batch size), the arrays of a job (`state.Data`),
and where its trials begin (`state.Start`).
Out: `Programs` (`trials.py`): begin, run, refresh, predict, over stacked states [T, ...] of T trials.

A step: `step.py` samples a batch, `forward.py` passes its views through the network, `objective.py` adds up the
method's terms, the gradient is taken of the trained parameters alone (`freezing.py`), `optimizer.py` moves them, the
method updates its memory. `several_losses.py` takes the objective's place where a multi-task strategy combines
gradients. `create.py` makes the first state.

Nothing here knows the kind of transfer, a file or a run directory. The equation of the project, min over theta of
sum_k w_k L_k(theta), is one line of `objective.py`.

Open first: `objective.py` (two pages), then `step.py`.
"""
