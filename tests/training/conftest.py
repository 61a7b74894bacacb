"""A network small enough for every number to be computed by hand."""

import jax
import jax.numpy as jnp
import pytest

from tl_jax.core.types import Network, Output

MOMENTUM = 0.9


def _init(key, x):
    d = x.shape[1]
    norm = {"scale": jnp.ones(d), "bias": jnp.zeros(d)}
    head = {"kernel": jax.random.normal(key, (d, 2)), "bias": jnp.zeros(2)}
    return {"backbone": {"norm1": norm}, "head": head}, {
        "backbone": {"norm1": {"mean": jnp.zeros(d), "var": jnp.ones(d)}}
    }


def _apply(params, stats, x, train=False, key=None, frozen=frozenset()):
    norm, use = params["backbone"]["norm1"], stats["backbone"]["norm1"]
    if train and "backbone/norm1" not in frozen:
        use = {"mean": x.mean(0), "var": x.var(0)}
        moved = jax.tree.map(lambda old, new: MOMENTUM * old + (1 - MOMENTUM) * new, stats["backbone"]["norm1"], use)
        stats = {"backbone": {"norm1": moved}}
    normal = (x - use["mean"][None]) / jnp.sqrt(use["var"])[None]
    features = normal * norm["scale"][None] + norm["bias"][None]
    return Output(features, features @ params["head"]["kernel"] + params["head"]["bias"][None]), stats


@pytest.fixture(scope="session")
def network():
    """One batch normalisation (no epsilon, momentum .9) and a linear head over x [n, d]."""
    return Network(_init, _apply)
