"""Methods that tell domains apart: moments of several sources, the mean risk, and one domain held out."""

from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import AT, RNG, D, cross_entropy, output, slope

from tl_jax.core.errors import UserError
from tl_jax.core.keys import named
from tl_jax.core.types import Batch, Labeled, LabeledTarget, Network, Output, Unlabeled
from tl_jax.methods.contract import Own
from tl_jax.methods.erm import erm
from tl_jax.methods.m3sda import m3sda
from tl_jax.methods.mldg import mldg
from tl_jax.training.forward import Forward
from tl_jax.training.objective import Surroundings, objective

SIZES = (5, 4, 6)
ENDS = np.cumsum(SIZES)
S, T = output(sum(SIZES)), output(7, 1.0)
Y = np.arange(sum(SIZES)) % 4


def batch_of(*kinds, target=None):
    rows = np.split(np.arange(sum(SIZES)), ENDS[:-1])
    return Batch(tuple(kind(np.zeros((len(r), 1)), Y[r], r) for kind, r in zip(kinds, rows, strict=True)), target)


def losses(method, batch, out):
    return jax.device_get(method.terms(Own({}, {}), out, batch, AT).losses)


# M3SDA ------------------------------------------------------------------------------------------


def moments(sources, target, orders):
    total = 0.0
    for k in orders:
        m, m_t = [(f**k).mean(0) for f in sources], (target**k).mean(0)
        total += np.mean([np.linalg.norm(a - m_t) for a in m])
        if len(m) > 1:
            total += np.mean([np.linalg.norm(a - b) for a, b in combinations(m, 2)])
    return total


@pytest.mark.parametrize("orders", [1, 2, 3])
def test_moments_of_every_source_are_compared_with_the_target_and_with_each_other(orders):
    unlabelled = Unlabeled(np.zeros((7, 1)), np.arange(7))
    batch = batch_of(Labeled, Labeled, Labeled, target=unlabelled)
    found = losses(m3sda(moments=orders), batch, {"source": S, "target": T})
    parts = np.split(S.features, ENDS[:-1])
    np.testing.assert_allclose(found["moments"], moments(parts, T.features, range(1, orders + 1)), rtol=1e-6)
    np.testing.assert_allclose(found["source"], cross_entropy(S.logits, Y), rtol=1e-9)


def test_labelled_targets_are_of_the_target_and_one_source_has_no_pair():
    unlabelled = Unlabeled(np.zeros((7, 1)), np.arange(7))
    a, b, own = np.split(S.features, ENDS[:-1])
    batch = batch_of(Labeled, Labeled, LabeledTarget, target=unlabelled)
    found = losses(m3sda(), batch, {"source": S, "target": T})
    np.testing.assert_allclose(found["moments"], moments([a, b], np.concatenate([T.features, own]), (1, 2)), rtol=1e-6)
    alone = batch._replace(sources=batch.sources[:1])
    found = losses(m3sda(), alone, {"source": Output(a, S.logits[:5]), "target": T})
    np.testing.assert_allclose(found["moments"], moments([a], T.features, (1, 2)), rtol=1e-6)


# Generalisation ---------------------------------------------------------------------------------


def test_the_mean_risk_is_that_of_all_examples():
    found = losses(erm(), batch_of(Labeled, Labeled, Labeled), {"source": S})
    np.testing.assert_allclose(found["source"], cross_entropy(S.logits, Y), rtol=1e-9)


X = RNG.normal(size=(sum(SIZES), D)).astype(np.float32)
KERNEL, BIAS = RNG.normal(size=(D, 4)), RNG.normal(size=4)
LINEAR = Network(
    lambda key, x: ({}, {}),
    lambda params, stats, x, **how: (Output(x, x @ params["head"]["kernel"] + params["head"]["bias"][None]), stats),
)


def ahead(kernel, held, inner, lam):
    """F(K) + lam G(K - inner F'(K)) of a linear network, its bias frozen."""

    def risk(kernel, rows):
        return cross_entropy(X[rows] @ kernel + BIAS, Y[rows])

    def derivative(kernel, rows):
        z = X[rows] @ kernel + BIAS
        p = np.exp(z - z.max(1, keepdims=True))
        p = p / p.sum(1, keepdims=True) - np.eye(4)[Y[rows]]
        return X[rows].T @ p / len(rows)

    parts = np.split(np.arange(len(X)), ENDS[:-1])
    rest = [rows for i, rows in enumerate(parts) if i != held]
    stepped = kernel - inner * np.mean([derivative(kernel, rows) for rows in rest], 0)
    return np.mean([risk(kernel, rows) for rows in rest]) + lam * risk(stepped, parts[held])


def test_mldg_differentiates_through_a_step_on_the_other_domains():
    inner, lam, key = 0.8, 0.7, jax.random.key(5)
    held = int(jax.random.randint(named(key, "held out"), (), 0, 3))
    sources = tuple(
        Labeled(jnp.asarray(X[rows]), jnp.asarray(Y[rows]), jnp.asarray(rows))
        for rows in np.split(np.arange(len(X)), ENDS[:-1])
    )
    at = AT._replace(lam=lam, values={"inner": inner}, key=key)
    around = Surroundings({"head/bias": jnp.asarray(BIAS)}, {"all": {}}, {}, Batch(sources, None), at)
    total = objective(mldg(), Forward(LINEAR, "joint"), mldg().terms)
    (value, found), gradient = jax.value_and_grad(total, has_aux=True)({"head/kernel": jnp.asarray(KERNEL)}, around)
    np.testing.assert_allclose(value, ahead(KERNEL, held, inner, lam), rtol=1e-6)
    for place in np.ndindex(*KERNEL.shape):
        want = slope(lambda kernel: ahead(kernel, held, inner, lam), KERNEL, place)
        np.testing.assert_allclose(gradient["head/kernel"][place], want, rtol=1e-4, atol=1e-7)
    assert set(found.logged) == {"rest", "held_out", "total"}


def test_every_domain_is_held_out_now_and_then_and_one_alone_cannot_be():
    draws = jax.vmap(lambda i: jax.random.randint(named(jax.random.fold_in(AT.key, i), "held out"), (), 0, 3))
    assert set(draws(np.arange(20)).tolist()) == {0, 1, 2}
    batch = batch_of(Labeled, Labeled, Labeled)
    with pytest.raises(UserError, match="two or more"):
        losses(mldg(), batch._replace(sources=batch.sources[:1]), {"source": S})
