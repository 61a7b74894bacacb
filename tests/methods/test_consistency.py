"""FixMatch and the mean teacher against NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from cases import BATCH, CE, OTHER, OUT, C, M, T, gradient, softmax, terms

from tl_jax.core.types import At, Model, Network, Output
from tl_jax.methods.fixmatch import fixmatch
from tl_jax.methods.mean_teacher import mean_teacher

# FixMatch ---------------------------------------------------------------------------------------


def test_fixmatch_counts_confident_rows_among_all_rows():
    threshold = 0.6
    q = softmax(T.logits)
    sure = q.max(1) >= threshold
    assert 0 < sure.sum() < M
    loss = -np.log(softmax(OTHER.logits)[np.arange(M), q.argmax(1)])
    out = {**OUT, "target_strong": OTHER}
    losses, metrics = terms(fixmatch().terms, out, values={"threshold": threshold})
    np.testing.assert_allclose(losses["consistency"], (loss * sure).sum() / M, rtol=1e-10)
    np.testing.assert_allclose(metrics["mask_rate"], sure.mean())
    np.testing.assert_allclose(losses["source"], CE, rtol=1e-12)
    _, into = gradient(fixmatch().terms, "consistency", out, values={"threshold": threshold})
    assert not into["target"].logits.any()
    assert (np.abs(into["target_strong"].logits).sum(1) > 0).tolist() == sure.tolist()


def test_fixmatch_sees_a_weak_and_a_strong_view_of_the_target():
    assert {name: (v.domain, v.augment) for name, v in fixmatch().views.items()} == {
        "source": ("source", "weak"),
        "target": ("target", "weak"),
        "target_strong": ("target", "strong"),
    }
    assert fixmatch(threshold=0.8).values == {"threshold": 0.8}


# Mean teacher -----------------------------------------------------------------------------------

P, Q = softmax(T.logits), softmax(OTHER.logits)
WITH_TEACHER = {**OUT, "teacher": OTHER}


@pytest.mark.parametrize("threshold", [0.6, 0.0])
def test_the_student_follows_a_confident_teacher_and_uses_the_classes_evenly(threshold):
    values = {**mean_teacher().values, "threshold": threshold}
    sure = Q.max(1) > threshold
    losses, metrics = terms(mean_teacher().terms, WITH_TEACHER, values=values)
    np.testing.assert_allclose(losses["consistency"], (sure[:, None] * (P - Q) ** 2).sum() / (M * C), rtol=1e-10)
    even, used = 1 / C, P.mean(0)
    uneven = -(even * np.log(used) + (1 - even) * np.log(1 - used)).mean()
    np.testing.assert_allclose(losses["balance"], sure.mean() * C * uneven, rtol=1e-10)
    np.testing.assert_allclose(metrics["mask_rate"], sure.mean())


def test_the_balance_is_weighted_inside_the_trade_off():
    at = At(0, 0.0, 3.0, {"balance": 0.005}, None)
    assert mean_teacher().weights(at) == {"balance": 0.015}
    assert mean_teacher().lam == 3


def test_balance_is_finite_where_one_class_takes_all():
    one = Output(T.features, np.where(np.arange(C) == 1, 1e4, -1e4) * np.ones((M, 1)))
    out = {**OUT, "target": one, "teacher": one}
    losses, _ = terms(mean_teacher().terms, out, values=mean_teacher().values)
    assert all(np.isfinite(loss) for loss in losses.values())


def model(params, mean, memory):
    return Model({"w": jnp.array(params)}, {"all": {"mean": jnp.array(mean)}}, memory, {})


def test_the_teacher_is_the_moving_average_of_parameters_and_of_statistics():
    method = mean_teacher(decay=0.9)
    memory = method.init(None, None, model(1.0, 10.0, {})).memory
    assert (memory["params"]["w"], memory["stats"]["all"]["mean"]) == (1, 10)
    w, mean = 1.0, 10.0
    # The decay warms up: 1/2, 2/3, 3/4 ... until it is the one given.
    for step, decay in ((0, 1 / 2), (1, 2 / 3), (2, 3 / 4), (7, 8 / 9), (8, 0.9), (100, 0.9)):
        at = At(jnp.int32(step), jnp.float32(0), 1.0, {"decay": jnp.float64(0.9)}, None)
        memory = method.after(model(step + 2.0, -1.0, memory), {}, BATCH, at)
        w, mean = decay * w + (1 - decay) * (step + 2), decay * mean - (1 - decay)
        np.testing.assert_allclose(memory["params"]["w"], w, rtol=1e-6)
        np.testing.assert_allclose(memory["stats"]["all"]["mean"], mean, rtol=1e-6)


def test_the_teacher_predicts_with_its_own_statistics():
    network = Network(lambda *_: ({}, {}), lambda params, stats, x: (params["w"] * x + stats, None))
    predict = lambda stats, domain: mean_teacher().predict(
        network, Model({"w": 5.0}, 7.0, {"params": {"w": 2.0}, "stats": stats}, {}), 10.0, domain
    )
    assert predict({"all": 1.0}, "target") == 21
    assert predict({"source0": 3.0, "target": 4.0}, "target") == 24
    assert predict({"source0": 3.0, "target": 4.0}, "source0") == 23


def test_the_teacher_sees_another_weak_view():
    views = mean_teacher().views
    assert {name: view.augment for name, view in views.items()} == dict.fromkeys(views, "weak")
    assert [name for name, view in views.items() if view.weights is not None] == ["teacher"]
