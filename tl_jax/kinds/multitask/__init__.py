"""Multi-task transfer: several labelled tasks, on one input or on several, through one trunk.

In: a config whose sources are the tasks, and strategies of tl_jax/balancing.
Out: every task's metric a strategy, both definitions of Delta_m against single-task training, and the tasks that lose.

`kind.py` is the way in. `tasks.py` turns domains into tasks (equal examples become one input with labels side by side)
and strategies into jobs, `single` being one job an input whose trials are the tasks alone. `observe.py` stores outputs
and scores them, `table.py` and `plots.py` show.

Open first: `tasks.py`.
A task here is one labelled question to the trunk (balancing/tasks.py: `TaskHead`), not the `Task` of run/plan.
"""
