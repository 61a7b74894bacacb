"""Examples, one by one: moved to where a prediction changes most, mixed with others, shared out among classes.

In: arrays, and functions that say what a network makes of them. Out: other inputs, or shares [m, c].

Open first: `mixing.py` (mixup), then `virtual.py` (virtual adversarial training) and `mixture.py` (a Gaussian for each
class).
"""
