"""Schedules: pure functions of progress p = step / total in [0, 1], nothing remembered.

Comparable libraries count iterations instead, and their "same" schedule then depends on the length
of the run. Here only p matters; every other argument has a default, may be traced, and is swept freely.
"""

import math
from collections.abc import Callable

import jax.numpy as jnp

from tl_jax.core.types import Array


def constant(p: float | Array) -> Array:
    """No schedule: f(p) = 1."""
    return jnp.ones_like(p, dtype=float)


def dann(p: float | Array, gamma: float | Array = 10.0, high: float | Array = 1.0) -> Array:
    """Saturating rise of the adversarial weight from 0 to almost `high`.

    f(p) = high (2 / (1 + exp(-gamma p)) - 1)

    Args: p in [0, 1]; gamma steepness (1 ends at only .46 high); high the limit.
    Ganin et al. 2016, arXiv 1505.07818.
    """
    return high * jnp.tanh(gamma * jnp.asarray(p, float) / 2)


def linear(p: float | Array) -> Array:
    """Straight rise from 0 to 1: f(p) = p."""
    return jnp.asarray(p, float)


def sigmoid_rampup(p: float | Array, length: float | Array = 4 / 15) -> Array:
    """Gaussian-shaped rise from exp(-5) to 1, constant after `length`.

    f(p) = exp(-5 (1 - t)^2),   t = min(p / length, 1)

    Args: p in [0, 1]; length in (0, 1], the default being 80 of 300 epochs.
    Laine & Aila 2017, arXiv 1610.02242; Tarvainen & Valpola 2017, arXiv 1703.01780.
    """
    t = jnp.minimum(jnp.asarray(p, float) / length, 1.0)
    return jnp.exp(-5 * jnp.square(1 - t))


def half_cosine(p: float | Array) -> Array:
    """Cosine-shaped rise from 0 to 1 over the first half, then 1.

    f(p) = (1 - cos(min(pi, 2 pi p))) / 2

    Berthelot et al. 2022 (AdaMatch), arXiv 2106.04732.
    """
    return (1 - jnp.cos(jnp.minimum(2 * jnp.pi * jnp.asarray(p, float), jnp.pi))) / 2


def cosine(p: float | Array) -> Array:
    """Cosine decay from 1 to 0: f(p) = (1 + cos(pi p)) / 2. Loshchilov & Hutter 2017, arXiv 1608.03983."""
    return (1 + jnp.cos(jnp.pi * jnp.asarray(p, float))) / 2


def adamatch(p: float | Array) -> Array:
    """Cosine decay from 1 to 1/4: f(p) = cos(p arccos(1/4)). Berthelot et al. 2022, arXiv 2106.04732."""
    return jnp.cos(jnp.asarray(p, float) * math.acos(0.25))


def inverse(p: float | Array, alpha: float | Array = 10.0, power: float | Array = 0.75) -> Array:
    """Inverse decay from 1 to .166.

    f(p) = (1 + alpha p)^-power

    Ganin et al. 2016, arXiv 1505.07818.
    """
    return (1 + alpha * jnp.asarray(p, float)) ** -jnp.asarray(power, float)


def warmup_cosine(p: float | Array, warmup: float | Array = 0.05) -> Array:
    """Linear rise from 0 to 1 until `warmup`, then cosine decay to 0.

    f(p) = p / warmup if p < warmup, else (1 + cos(pi (p - warmup) / (1 - warmup))) / 2

    Args: p in [0, 1]; warmup in [0, 1), the share of the run. Goyal et al. 2017, arXiv 1706.02677.
    """
    p = jnp.asarray(p, float)
    rise = p / jnp.where(jnp.asarray(warmup) > 0, warmup, 1.0)
    return jnp.where(p < warmup, rise, cosine((p - warmup) / (1 - jnp.asarray(warmup, float))))


def annealed(p: float | Array, lam: float | Array, share: float | Array) -> Array:
    """The weight of a penalty that waits: min(1, lam) while p < share, then lam.

    Arjovsky et al. 2019, arXiv 1907.02893 (there 1 in the place of min(1, lam), the same where lam is large).
    """
    return jnp.where(jnp.asarray(p, float) < share, jnp.minimum(1.0, lam), lam)


LAM_SCHEDULES: dict[str, Callable[..., Array]] = {
    "constant": constant,
    "dann": dann,
    "linear": linear,
    "sigmoid_rampup": sigmoid_rampup,
    "half_cosine": half_cosine,
}
"""What multiplies a trade-off: p -> factor."""

LR_SCHEDULES: dict[str, Callable[..., Array]] = {
    "constant": constant,
    "cosine": cosine,
    "inverse": inverse,
    "adamatch": adamatch,
    "warmup_cosine": warmup_cosine,
}
"""What multiplies a learning rate: p -> factor."""
