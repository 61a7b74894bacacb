"""A bank of examples that came and are passed again: arrays [size, ...] by name, `label` -1 where a place is free."""

from collections.abc import Mapping

import jax.numpy as jnp

from tl_jax.core.types import Array, Tree


def put(bank: Tree, one: Mapping[str, Array], place: Array, taken: Array) -> Tree:
    """The bank with an example at a place where it is taken, else as it is."""
    new = lambda name: jnp.where(taken, one[name].astype(bank[name].dtype), bank[name][place])
    return {name: old.at[place].set(new(name)) for name, old in bank.items()}


def filled(bank: Tree) -> tuple[Array, Array]:
    """Rows [size] of a bank, those that are held first, then again as often as it takes; and how many are held."""
    held = bank["label"] >= 0
    count = held.sum()
    return jnp.argsort(~held)[jnp.arange(len(held)) % jnp.maximum(count, 1)], count


def mean_of_held(bank: Tree, each: Array) -> Array:
    """The mean of each [size], one a row of `filled`, over those that are held; 0 of none."""
    count = filled(bank)[1]
    first = (jnp.arange(len(each)) < count).astype(each.dtype)
    return (first * each).sum() / jnp.maximum(count, 1)
