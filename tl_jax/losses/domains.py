"""What is said of several labelled domains: their risks, one by one."""

import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.types import Array, At, Batch
from tl_jax.losses.classes import supervised


def told_apart(found: int, user: str) -> None:
    """Raises UserError for fewer than two domains: what compares them would be zero, and the method another."""
    if found < 2:
        raise UserError(f"{user} compares the domains it is trained on: give it two or more.")


def risks(logits: Array, batch: Batch, at: At) -> Array:
    """R_k, the mean loss (`supervised`) of each labelled domain's part: joined logits [n_1 + ... + n_K, c] -> [K]."""
    return jnp.stack([supervised(z, of.y, at) for z, of in zip(batch.split(logits), batch.sources, strict=True)])
