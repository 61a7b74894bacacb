"""What several files here draw from and run over."""

import numpy as np

from tl_jax.losses.discrepancy import BANDWIDTHS, ESTIMATORS, coral, coral_mean, mmd

DISTANCES = {
    **{f"mmd {name}": (lambda s, t, name=name: mmd(s, t, BANDWIDTHS, name)) for name in ESTIMATORS},
    "coral": coral,
    "coral_mean": coral_mean,
}


def draw(seed, *shape, scale=2.0):
    return np.random.default_rng(seed).normal(size=shape) * scale


def cloud(seed, n=8, d=3, shift=0.0, scale=1.0):
    return np.random.default_rng(seed).normal(size=(n, d)) * scale + shift
