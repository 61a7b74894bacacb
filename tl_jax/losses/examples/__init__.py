"""Examples, one by one: moved, mixed with others, shared out among classes, normalised by themselves, kept.

In: arrays, and functions that say what a network makes of them.
Out: other inputs [n, ...], a network that sees them, shares [m, c] of classes.

They stand apart from the losses beside them because their value is no scalar: a method passes what comes out through
the network (`Own.moved`, `Method.adapt`) or weighs a loss by it.

Open first: `mixing.py` (mixup), then `virtual.py` (virtual adversarial training), `mixture.py` (a Gaussian for each
class), `instance_norm.py` and `bank.py`.
"""
