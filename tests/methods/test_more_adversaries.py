"""SDAT, SWD, DAAN and MDAN against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import AT, BATCH, CE, OTHER, OUT, C, D, S, T, Y, cross_entropy, gradient, perceptron, softmax, terms, weights

from tl_jax.core.keys import named
from tl_jax.core.types import Batch, Labeled, LabeledTarget, Model, Output, Unlabeled
from tl_jax.losses.sharpness import uphill
from tl_jax.methods.contract import Own
from tl_jax.methods.daan import daan
from tl_jax.methods.mdan import mdan
from tl_jax.methods.sdat import sdat
from tl_jax.methods.swd import swd


def binary(score_s, score_t):
    return 0.5 * (np.mean(np.log1p(np.exp(-score_s))) + np.mean(np.log1p(np.exp(score_t))))


def test_uphill_is_of_a_length_and_a_constant():
    slope = {"a": jnp.array([3.0, 0.0]), "b": jnp.array([[4.0]])}
    move = uphill(0.5)(slope)
    np.testing.assert_allclose(move["a"], [0.3, 0.0])
    np.testing.assert_allclose(move["b"], [[0.4]])
    assert not jax.grad(lambda x: uphill(0.5)({"a": x})["a"].sum())(slope["a"]).any()
    assert not uphill(0.5)({"a": jnp.zeros(2)})["a"].any()


def test_sdat_takes_the_task_s_loss_uphill_and_the_adversary_s_where_it_stands():
    """The network is its logits here: theta is what the outputs are moved by."""
    own = {"discriminator": weights(2, D, 7, 1)}
    moved = []

    def lookahead(loss, rate):
        at = lambda shift: {**OUT, "source": Output(S.features, S.logits + shift)}
        slope = jax.grad(lambda shift: loss(at(shift)))(jnp.zeros_like(S.logits))
        moved.append(rate({"shift": slope})["shift"])
        return at(moved[0])

    found = sdat(rho=0.3).terms(
        Own(own, {}, None, lookahead), OUT, BATCH, AT._replace(values={"rho": 0.3}, lam=jnp.float64(1))
    )
    p = softmax(S.logits) - np.eye(C)[Y]
    step = 0.3 * p / np.linalg.norm(p)
    np.testing.assert_allclose(moved[0], step, rtol=1e-9)
    np.testing.assert_allclose(found.losses["smooth"], cross_entropy(S.logits + step, Y), rtol=1e-9)
    score = lambda x: perceptron(own["discriminator"], x)[:, 0]
    np.testing.assert_allclose(found.losses["domain"], binary(score(S.features), score(T.features)), rtol=1e-9)
    assert found.losses["smooth"] > CE


def test_swd_is_the_distance_of_sorted_projections():
    head = {"kernel": np.random.default_rng(3).normal(size=(D, C)), "bias": np.zeros(C)}
    method = swd(slices=3)
    apart = method.phases[1].terms
    losses, _ = terms(apart, own={"head": head})
    r = np.asarray(jax.random.normal(named(jax.random.key(0), "slices"), (C, 3), float))
    p, q = softmax(T.logits), softmax(T.features @ head["kernel"])
    want = 0.0
    for k in range(3):
        line = r[:, k] / np.linalg.norm(r[:, k])
        want += np.mean([(a - b) ** 2 for a, b in zip(sorted(p @ line), sorted(q @ line), strict=True)]) / 3
    np.testing.assert_allclose(losses["closeness"], -want, rtol=1e-9)
    np.testing.assert_allclose(losses["source"], CE + cross_entropy(S.features @ head["kernel"], Y), rtol=1e-9)
    assert [phase.groups for phase in method.phases] == [("heads", "trunk"), ("heads",), ("trunk",)]
    assert method.phases[2].repeats == 4


STACKED = [weights(10 + k, D, 6, 1) for k in range(C)]
BY_CLASS = jax.tree.map(lambda *x: np.stack(x), *STACKED)


def test_daan_weighs_the_whole_and_the_classes_by_what_their_discriminators_still_see():
    own = {"whole": weights(2, D, 6, 1), "classes": BY_CLASS}
    memory = {"whole": np.float64(0.1), "classes": np.array([0.4, 0.2, 0.5, 0.3])}
    losses, metrics = terms(daan().terms, own=own, memory=memory, values={"decay": 0.9})
    far = lambda e: max(2 * (1 - 2 * e), 0.01)
    w = 1 - far(0.1) / (far(0.1) + np.mean([far(e) for e in memory["classes"]]))
    score = lambda k, o: perceptron(STACKED[k], softmax(o.logits)[:, [k]] * o.features)[:, 0]
    whole = [perceptron(own["whole"], o.features)[:, 0] for o in (S, T)]
    each = np.mean([binary(score(k, S), score(k, T)) for k in range(C)])
    np.testing.assert_allclose(metrics["omega"], w, rtol=1e-9)
    np.testing.assert_allclose(losses["domain"], (1 - w) * binary(*whole) + w * each, rtol=1e-9)
    error = lambda s, t: ((s < 0).mean() + (t >= 0).mean()) / 2
    at = AT._replace(values={"decay": 0.9})
    arrays = jax.tree.map(jnp.asarray, (memory, own))
    after = daan().after(Model({}, {}, *arrays), OUT, BATCH, at)
    np.testing.assert_allclose(after["whole"], 0.9 * 0.1 + 0.1 * error(*whole), rtol=1e-6)
    want = [0.9 * e + 0.1 * error(score(k, S), score(k, T)) for k, e in enumerate(memory["classes"])]
    np.testing.assert_allclose(after["classes"], want, rtol=1e-6)
    _, out = gradient(daan().terms, "domain", own=own, memory=memory, values={"decay": 0.9})
    assert not out["target"].logits.any()
    assert out["target"].features.any()


@pytest.mark.parametrize("labelled", [False, True])
def test_mdan_is_the_soft_maximum_over_the_sources(labelled):
    kinds = (Labeled, Labeled, LabeledTarget if labelled else Labeled)
    rows = np.split(np.arange(6), [2, 3])
    sources = tuple(kind(np.zeros((len(r), 1)), Y[r], r) for kind, r in zip(kinds, rows, strict=True))
    batch = Batch(sources, Unlabeled(np.zeros((8, 1)), np.arange(8)))
    own = {f"discriminator{k}": weights(20 + k, D, 6, 1) for k in range(3)}
    at = AT._replace(values={"gamma": 3.0}, lam=jnp.float64(0.5))
    found = mdan().terms(Own(own, {}), {"source": S, "target": OTHER}, batch, at).losses["hardest"]
    risks = []
    for k, r in enumerate(rows):
        risk = cross_entropy(S.logits[r], Y[r])
        if kinds[k] is Labeled:
            score = lambda x, k=k: perceptron(own[f"discriminator{k}"], x)[:, 0]
            risk += binary(score(S.features[r]), score(OTHER.features))
        risks.append(risk)
    np.testing.assert_allclose(found, np.log(np.mean(np.exp(3 * np.array(risks)))) / 3, rtol=1e-9)
