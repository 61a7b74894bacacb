"""Label shift against NumPy: shares of classes by confusions and by likelihood, and the predictions they correct."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import AT, BATCH, OUT, C, D, M, N, S, T, Y, softmax, weights

from tl_jax.core.types import Batch, Labeled, LabeledTarget, Model, Network, Output
from tl_jax.losses.importance import by_confusion, held_out, shares_by_likelihood
from tl_jax.methods.bbse import bbse
from tl_jax.methods.contract import Own
from tl_jax.methods.mlls import mlls

HEAD = weights(7, D, C)["dense0"]
SAYS = Network(lambda *_: ({}, {}), lambda params, stats, x, **how: (Output(x, x @ HEAD["kernel"]), stats))
MEASURED = {**OUT, "measured": Output(S.features, S.logits[::-1])}
KEPT = np.asarray(held_out(BATCH.domains, [BATCH.sources[0].index], 0.4))
LOSSES = -np.log(softmax(S.logits)[np.arange(N), Y])


def test_the_same_share_of_any_set_is_held_out_and_of_labelled_targets_nothing():
    rows = jnp.arange(2000)
    one, two, none = np.split(np.asarray(held_out(("source0", "source1", "target"), (rows, rows[::-1], rows), 0.3)), 3)
    assert 0.25 < one.mean() < 0.35
    np.testing.assert_array_equal(one, two[::-1])
    assert not none.any()
    assert {one[k::10].any() for k in range(10)} == {True}
    assert 0 < KEPT.sum() < N


def test_confusions_give_the_shares_that_made_the_predictions():
    rng = np.random.default_rng(0)
    confused = 0.6 * np.eye(C) + rng.dirichlet(np.ones(C), C).T * 0.4  # P(prediction i | class j)
    source, target = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.0, 0.3, 0.6])
    found = by_confusion(jnp.asarray(7 * confused * source), jnp.asarray(confused @ target), 1e-12)
    np.testing.assert_allclose(found, target / source, atol=1e-6)
    impossible = np.asarray(by_confusion(jnp.asarray(confused * source), jnp.array([1.0, 0, 0, 0])))
    assert (impossible >= 0).all()
    assert impossible @ source == pytest.approx(1)
    np.testing.assert_allclose(by_confusion(jnp.ones((C, C)), jnp.full(C, 1 / C)), np.ones(C), atol=1e-9)


def test_likelihood_gives_the_shares_by_em():
    rng, prior = np.random.default_rng(1), np.array([0.4, 0.3, 0.2, 0.1])
    p, q = softmax(rng.normal(0, 2, (50, C))), prior
    for _ in range(30):
        r = p * q / prior
        q = (r / r.sum(1, keepdims=True)).mean(0)
    found = shares_by_likelihood(jnp.log(p), jnp.log(prior), 30)
    np.testing.assert_allclose(np.exp(found), q, rtol=1e-9)


def test_bbse_learns_from_one_part_and_counts_on_the_other():
    method = bbse(held=0.4, decay=0.5)
    found = method.terms(Own({}, {}), MEASURED, BATCH, AT).losses
    np.testing.assert_allclose(found["learnt"], LOSSES[~KEPT].mean(), rtol=1e-10)
    memory = {"joint": jnp.eye(C), "weights": jnp.ones(C)}
    joint = np.eye(C) / 2
    for i in np.flatnonzero(KEPT):
        joint[S.logits[::-1][i].argmax(), Y[i]] += 1
    model = Model({}, {}, memory, {})
    memory = method.after(model, MEASURED, BATCH, AT)
    np.testing.assert_allclose(memory["joint"], joint)
    memory = method.refresh(SAYS, model._replace(memory=memory), jnp.asarray(T.features), AT)
    z = T.features @ HEAD["kernel"]
    want = by_confusion(jnp.asarray(joint), jnp.asarray(np.bincount(z.argmax(1), minlength=C) / M))
    np.testing.assert_allclose(memory["weights"], want, rtol=1e-9)
    out = method.predict(SAYS, model._replace(memory=memory), jnp.asarray(T.features), "target")
    np.testing.assert_allclose(out.logits, z + np.log(np.maximum(want, 1e-6)), rtol=1e-9)
    assert (method.predict(SAYS, model, jnp.asarray(T.features), "source0").logits == z).all()


def test_mlls_calibrates_on_what_is_held_out():
    method, scale = mlls(held=0.4), {"log_temperature": jnp.log(2.0), "bias": jnp.arange(C) / 3}
    bent = S.logits[::-1] / 2 + np.arange(C) / 3
    found = method.terms(Own({"calibration": scale}, {}), MEASURED, BATCH, AT).losses
    np.testing.assert_allclose(found["learnt"], LOSSES[~KEPT].mean(), rtol=1e-10)
    of_kept = -np.log(softmax(bent)[np.arange(N), Y])[KEPT]
    np.testing.assert_allclose(found["calibration"], of_kept.mean(), rtol=1e-10)
    model = Model({}, {}, {"counts": jnp.ones(C), "shift": jnp.zeros(C)}, {"calibration": scale})
    part = BATCH.sources[0]
    both = Batch((Labeled(*part), LabeledTarget(*part)), BATCH.target)
    memory = method.after(model, MEASURED, both, AT)
    np.testing.assert_allclose(memory["counts"], 1 + np.bincount(Y, minlength=C))
    model = model._replace(memory=memory)
    memory = method.refresh(SAYS, model, jnp.asarray(T.features), AT)
    log_prior = jnp.log(memory["counts"] / (C + N))
    z = T.features @ HEAD["kernel"] / 2 + np.arange(C) / 3
    want = shares_by_likelihood(jax.nn.log_softmax(jnp.asarray(z)), log_prior) - log_prior
    np.testing.assert_allclose(memory["shift"], want, rtol=1e-7, atol=1e-9)
    out = method.predict(SAYS, model._replace(memory=memory), jnp.asarray(T.features), "target")
    np.testing.assert_allclose(out.logits, z + np.asarray(want), rtol=1e-7)
