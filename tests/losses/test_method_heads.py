"""A second head in plain arrays against the network's own."""

import jax
import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.losses.heads import another, apply, family
from tl_jax.models.heads import HEADS

X = np.random.default_rng(0).normal(size=(6, 300)).astype(np.float32)


@pytest.fixture(scope="module", params=sorted(HEADS))
def head(request):
    """Name, module and first parameters of a head of the network."""
    module = HEADS[request.param](4)
    return request.param, module, module.init(jax.random.key(0), X, False)["params"]


def test_it_gives_the_logits_of_the_network_s_head(head):
    name, module, params = head
    moved = jax.tree.map(lambda p: p + jax.random.uniform(jax.random.key(1), p.shape), params)
    assert family(params, "mcd") == name
    np.testing.assert_allclose(apply(moved, X), module.apply({"params": moved}, X, False), rtol=1e-4, atol=1e-4)


def test_it_is_drawn_as_the_network_s_head_is_and_is_another(head):
    _, _, params = head
    second = another(jax.random.key(2), params, "mcd")
    assert jax.tree.structure(second) == jax.tree.structure(params)
    for first, own in zip(jax.tree.leaves(params), jax.tree.leaves(second), strict=True):
        assert first.shape == own.shape
        np.testing.assert_allclose((own.mean(), own.std()), (first.mean(), first.std()), rtol=0.1, atol=0.02)
    kernels = [next(x for x in jax.tree.leaves(tree) if x.ndim == 2) for tree in (params, second)]
    assert np.abs(kernels[0] - kernels[1]).max() > 0.01


def test_dropout_needs_a_key_and_keeps_the_mean():
    params = HEADS["mlp"](4).init(jax.random.key(0), X, False)["params"]
    keys = jax.random.split(jax.random.key(3), 400)
    drawn = jax.jit(jax.vmap(lambda key: apply(params, X, key)))(keys)
    error = drawn.std(0) / 20
    assert (np.abs(drawn.mean(0) - apply(params, X)) < 5 * error + 1e-6).all()
    assert (error > 0).all()


def test_a_head_of_no_family_is_refused_with_the_families():
    with pytest.raises(UserError, match=r"mcd needs a second head .*linear, mlp, cosine, weight_norm"):
        another(jax.random.key(0), {"layers": {"kernel": X}}, "mcd")
