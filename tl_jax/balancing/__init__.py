"""Several tasks, one step: how much of each gradient moves what the tasks share.

In: the losses [k] of a step, and where a strategy asks for them the Gramian [k, k] of the task gradients or the
gradients themselves.
Out: weights [k], or a direction for the shared parameters, comparable between strategies: weights of losses sum to
one, and a combined gradient is as long as the mean gradient, so one learning rate means one thing.

The way in is the table `STRATEGIES` (`table.py`): a name, as on the command line, is a constructor of `Balance`.
`contract.py` says what a `Balance` is and turns what it returns into the direction. The strategies lie by what they
read: `by_losses.py`, `by_trained_weights.py` (scalars trained beside the network), `by_gramian.py`, `by_gradients.py`.
`solvers.py` solves their small convex problems on the device, in a fixed number of steps. `tasks.py` says which
labels, outputs and loss are a task's.

Open first: `contract.py`, then `by_gramian.py`, where a strategy is an equation and ten lines.
Not to be confused with `Config.balanced`, which draws rare classes as often as others.
"""
