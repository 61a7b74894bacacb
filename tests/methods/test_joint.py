"""The weighted objective with labels on both sides."""

import jax.numpy as jnp
import numpy as np

from tl_jax.core.types import At, Batch, Labeled, Output, Unlabeled
from tl_jax.methods.contract import Own
from tl_jax.methods.joint import joint

RNG = np.random.default_rng(0)


def test_source_and_target_are_terms_of_their_own():
    logits = RNG.normal(size=(9, 3)).astype(np.float32)
    y = np.array([0, 1, 2, 0, 1, 2, 2, 1, 0], np.int32)
    parts = [Labeled(jnp.zeros((len(r), 1)), jnp.asarray(y[r]), jnp.asarray(r)) for r in np.split(np.arange(9), [5])]
    batch = Batch(tuple(parts), Unlabeled(jnp.zeros((4, 1)), jnp.arange(4)))
    at = At(jnp.int32(0), jnp.float32(0), jnp.float32(1), {}, jnp.zeros(()))
    out = {"source": Output(jnp.zeros((9, 2)), jnp.asarray(logits))}
    losses = joint().terms(Own({}, {}), out, batch, at).losses
    each = np.log(np.exp(logits).sum(1)) - logits[np.arange(9), y]
    np.testing.assert_allclose(losses["source"], each[:5].mean(), rtol=1e-5)
    np.testing.assert_allclose(losses["target"], each[5:].mean(), rtol=1e-5)
    assert joint().labels == "both"
    assert joint().lam == 1.0
