"""Which parameters of a pretrained network move, when, and how fast.

In: a network's blocks in the order in which an input meets them (`layout.py`), and the number of steps.
Out: freezing rules ("backbone/conv1/*", "frozen@300"), and where a strategy adds parameters, a changed network.

`strategies.py` is the way in: `STRATEGIES` by name. Most are a line that turns blocks into rules; `lora.py`, `ia3.py`,
`prompts.py`, `prefix.py` and `adapters.py` change the network from outside, so no architecture knows of them.

Open first: `strategies.py`. What the rules mean is tl_jax/training/freezing.py.
Not to be confused with tl_jax/balancing, whose strategies say how several tasks share a step; on the command line both
are `--strategy`, of inductive and of multi-task transfer.
"""
