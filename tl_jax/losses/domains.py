"""What is said of several labelled domains: their risks, one by one."""

from collections.abc import Sequence

import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.types import Array
from tl_jax.losses.classes import supervised


def told_apart(found: int, user: str) -> None:
    """Raises UserError for fewer than two domains: what compares them would be zero, and the method another."""
    if found < 2:
        raise UserError(f"{user} compares the domains it is trained on: give it two or more.")


def risks(logits: Sequence[Array], labels: Sequence[Array]) -> Array:
    """R_k, the mean loss (`supervised`) of each domain's part of a batch: K times [n_k, c] and [n_k] -> [K]."""
    return jnp.stack([supervised(z, y) for z, y in zip(logits, labels, strict=True)])
