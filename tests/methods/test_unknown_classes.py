"""OSBP, OVANet, UAN and DANCE against NumPy: what they minimise, and what they call unknown."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import AT, BATCH, CE, OUT, ROWS, C, D, M, N, S, T, Y, cross_entropy, entropy, perceptron, softmax, weights

from tl_jax.core.errors import UserError
from tl_jax.core.types import Model, Network, Output
from tl_jax.methods.contract import Example, Own
from tl_jax.methods.dance import dance
from tl_jax.methods.osbp import osbp
from tl_jax.methods.ovanet import ovanet
from tl_jax.methods.ros import normality, ros
from tl_jax.methods.uan import shared, to_mean_one, uan

HEAD = weights(7, D, C)["dense0"]
ONE = weights(8, D, 1)
DOMAIN = {"weighing": weights(9, D, 7, 1), "discriminator": weights(10, D, 6, 1)}
SAYS = Network(
    lambda *_: ({}, {}), lambda params, stats, x, **how: (Output(x, x @ HEAD["kernel"] + HEAD["bias"][None]), stats)
)


def losses(method, own=None, memory=None):
    at = AT._replace(values={**method.values}, lam=jnp.float64(1))
    return method.terms(Own(own or {}, memory or {}, {"head": HEAD}), OUT, BATCH, at).losses


def predicted(method, own):
    return method.predict(SAYS, Model({"head": HEAD}, {}, {}, own), jnp.asarray(T.features), "target")


def test_osbp_draws_a_boundary_for_one_more_class():
    """The boundary and its gradients agree with TLLib's to 1e-14 but for the 1e-6 in its logarithms."""
    z_s = np.hstack([S.logits, perceptron(ONE, S.features)])
    z_t = np.hstack([T.features @ HEAD["kernel"] + HEAD["bias"], perceptron(ONE, T.features)])
    u = softmax(z_t)[:, -1]
    found = losses(osbp(boundary=0.3), {"unknown": ONE})
    np.testing.assert_allclose(found["classes"], cross_entropy(z_s, Y), rtol=1e-10)
    np.testing.assert_allclose(found["boundary"], -(0.3 * np.log(u) + 0.7 * np.log(1 - u)).mean(), rtol=1e-10)
    out = predicted(osbp(), {"unknown": ONE})
    np.testing.assert_array_equal(out.unknown > 0, z_t.argmax(1) == C)
    assert out.logits.shape == (M, C)


def test_ovanet_learns_from_the_nearest_class_to_say_no():
    """Both terms and their gradients agree with the authors' to 1e-14 but for the 1e-8 in their logarithms.

    They bring the rows to length 1 once a step, outside of the gradient.
    """
    rng = np.random.default_rng(3)
    rows = {name: rng.normal(size=(C, D)) for name in ("yes", "no")}
    unit = {name: w / np.linalg.norm(w, axis=1, keepdims=True) for name, w in rows.items()}
    q_s, q_t = (1 / (1 + np.exp(-x.features @ (unit["yes"] - unit["no"]).T)) for x in (S, T))
    yes = [-np.log(q_s[i, y]) for i, y in enumerate(Y)]
    no = [max(-np.log(1 - q_s[i, k]) for k in range(C) if k != y) for i, y in enumerate(Y)]
    found = losses(ovanet(), {"open": rows})
    np.testing.assert_allclose(found["classes"], CE, rtol=1e-10)
    np.testing.assert_allclose(found["open"], (np.mean(yes) + np.mean(no)) / 2, rtol=1e-10)
    binary = -q_t * np.log(q_t) - (1 - q_t) * np.log(1 - q_t)
    np.testing.assert_allclose(found["entropy"], binary.mean(), rtol=1e-10)
    out = predicted(ovanet(), {"open": rows})
    np.testing.assert_array_equal(out.unknown > 0, q_t[np.arange(M), np.argmax(out.logits, 1)] < 0.5)


TURNS = ("", "_quarter", "_half", "_three_quarters")
TURNED = {
    **{
        f"source{turn}": Output(np.random.default_rng(20 + r).normal(size=(N, D)), None) for r, turn in enumerate(TURNS)
    },
    **{
        f"target{turn}": Output(np.random.default_rng(30 + r).normal(size=(M, D)), None) for r, turn in enumerate(TURNS)
    },
    **OUT,
}
OF_ROS = {
    "unknown": ONE,
    "pair": weights(11, 2 * D, 3),
    "turned": weights(12, 3, 4 * C),
    "centres": np.random.default_rng(13).normal(size=(4 * C, 3)),
    "relative": weights(14, 2 * D, 3, 4),
}


def of_ros(parted, known):
    memory = {"parted": jnp.float64(parted), "known": jnp.asarray(known)}
    at = AT._replace(values={**ros().values}, lam=jnp.float64(1))
    found = lambda own: ros().terms(Own(own, memory, {}), TURNED, BATCH, at).losses
    return found(OF_ROS), jax.jacrev(found)(OF_ROS)


def test_ros_learns_turns_of_the_source_first():
    found, _ = of_ros(0.0, np.zeros(max(ROWS) + 1))
    turned, centre = [], []
    for r, turn in enumerate(TURNS):
        pair = np.hstack([S.features, TURNED[f"source{turn}"].features])
        v = np.maximum(perceptron(OF_ROS["pair"], pair), 0)
        turned.append(cross_entropy(perceptron(OF_ROS["turned"], v), 4 * Y + r))
        centre.append(np.square(v - OF_ROS["centres"][4 * Y + r]).sum(1).mean())
    z_s = np.hstack([S.logits, perceptron(ONE, S.features)])
    np.testing.assert_allclose(found["source"], cross_entropy(z_s, Y), rtol=1e-10)
    np.testing.assert_allclose(found["turned"], np.mean(turned), rtol=1e-10)
    np.testing.assert_allclose(found["centre"], np.mean(centre), rtol=1e-10)
    assert not any(found[name] for name in ("unknown", "relative", "entropy"))


def test_ros_then_learns_turns_of_the_known_targets_and_that_the_others_are_unknown():
    known = np.zeros(max(ROWS) + 1)
    known[ROWS[:3]] = 1
    found, slopes = of_ros(1.0, known)
    z_t = np.hstack([T.logits, perceptron(ONE, T.features)])
    np.testing.assert_allclose(found["unknown"], -np.log(softmax(z_t)[3:, -1]).mean() / C, rtol=1e-10)
    np.testing.assert_allclose(found["entropy"], entropy(z_t)[:3].mean(), rtol=1e-10)
    relative = []
    for r, turn in enumerate(TURNS):
        pair = np.hstack([T.features, TURNED[f"target{turn}"].features])[:3]
        relative.append(cross_entropy(perceptron(OF_ROS["relative"], pair), np.full(3, r)))
    np.testing.assert_allclose(found["relative"], np.mean(relative), rtol=1e-10)
    assert not found["turned"]
    assert not found["centre"]
    for layer in slopes["relative"]["relative"].values():
        assert all(np.abs(slope).max() > 1e-3 for slope in layer.values())


def test_ros_parts_the_target_once_by_what_the_turns_say():
    """Normality agrees with the authors' code to 2e-7, which keeps its scores in single precision."""
    rng = np.random.default_rng(4)
    z = rng.normal(size=(M, 4, 4 * C)) * rng.uniform(0.1, 4, size=(M, 1, 1))
    p = np.stack([softmax(one) for one in z])
    right = np.array([max(np.mean([p[i, r, 4 * k + r] for r in range(4)]) for k in range(C)) for i in range(M)])
    unsure = np.array([np.mean([-(p[i, r] * np.log(p[i, r])).sum() for r in range(4)]) for i in range(M)])
    unsure = (unsure - unsure.min()) / (unsure.max() - unsure.min())
    np.testing.assert_allclose(normality(jnp.asarray(z)), np.maximum(right, 1 - unsure), rtol=1e-10)

    apply = lambda params, stats, x, **_: (
        Output(jnp.stack([x[:, i // 2, i % 2, 0] for i in range(D - 1)], 1), None),
        0,
    )
    images = rng.normal(size=(M, 2, 2, 1))
    own = {"pair": weights(15, 2 * (D - 1), 3), "turned": weights(16, 3, 4 * C)}
    refreshed = lambda memory, progress: ros().refresh(
        Network(lambda *_: ({}, {}), apply),
        Model({}, {}, memory, own),
        jnp.asarray(images),
        AT._replace(progress=jnp.float64(progress)),
    )
    first = refreshed({"parted": jnp.zeros(()), "known": None}, 0.0)
    flat = lambda x: x.reshape(len(x), -1)
    pairs = [np.hstack([flat(images), flat(np.rot90(images, r, (1, 2)))]) for r in range(4)]
    shown = [perceptron(own["turned"], np.maximum(perceptron(own["pair"], pair), 0)) for pair in pairs]
    score = np.asarray(normality(jnp.asarray(np.stack(shown, 1))))
    np.testing.assert_array_equal(first["known"] > 0, score > score.mean())
    assert not first["parted"]
    other = {"parted": jnp.zeros(()), "known": 1 - first["known"]}
    second = refreshed(other, 0.5)
    assert second["parted"] == 1
    np.testing.assert_array_equal(second["known"], first["known"])
    third = refreshed({**other, "parted": jnp.ones(())}, 0.6)
    np.testing.assert_array_equal(third["known"], other["known"])


def test_ros_needs_square_images():
    with pytest.raises(UserError, match=r"square ones, and was given \(8, 6, 3\)"):
        ros().init(
            AT.key, Example(jnp.ones((2, D)), jnp.ones((2, C)), jnp.ones((2, 8, 6, 3)), 1), Model({}, {}, {}, {})
        )


def test_uan_aligns_where_the_source_is_unsure_and_the_target_is_not():
    """The weighted term and its gradients agree with half the authors' to 1e-10, to 1e-15 without their 1e-10."""
    method, sigmoid = uan(), lambda x: 1 / (1 + np.exp(-x))
    d_s, d_t = (sigmoid(perceptron(DOMAIN["weighing"], o.features)[:, 0]) for o in (S, T))
    w_s = entropy(S.logits / 10) / np.log(C) - d_s
    w_t = d_t - entropy(T.logits) / np.log(C)
    w_s, w_t = ((w - w.min()) / (w.max() - w.min()) for w in (w_s, w_t))
    score_s, score_t = (perceptron(DOMAIN["discriminator"], o.features)[:, 0] for o in (S, T))
    terms_s, terms_t = w_s / w_s.mean() * np.log1p(np.exp(-score_s)), w_t / w_t.mean() * np.log1p(np.exp(score_t))
    found = losses(method, DOMAIN)
    np.testing.assert_allclose(found["source"], CE, rtol=1e-10)
    np.testing.assert_allclose(found["weighing"], -(np.log(d_s).mean() + np.log(1 - d_t).mean()) / 2, rtol=1e-10)
    np.testing.assert_allclose(found["domain"], (terms_s.mean() + terms_t.mean()) / 2, rtol=1e-10)
    out = predicted(uan(threshold=0.1), DOMAIN)
    np.testing.assert_array_equal(out.unknown > 0, d_t - entropy(np.asarray(out.logits)) / np.log(C) < 0.1)
    np.testing.assert_allclose(shared(T.logits, np.log(d_t / (1 - d_t))), d_t - entropy(T.logits) / np.log(C))
    np.testing.assert_array_equal(to_mean_one(jnp.full(3, 0.2)), np.ones(3))


def test_dance_brings_each_target_near_a_class_or_other_targets():
    """Gradients agree with the authors' to 1e-14 but for the 1e-5 in their logarithms, and so do values, but that their
    separation is -margin within it, where the paper's is 0."""
    rng = np.random.default_rng(4)
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)
    bank, f, w = unit(rng.normal(size=(11, D))), unit(T.features), unit(HEAD["kernel"].T)
    clustered = []
    for i in range(M):
        others = [bank[j] for j in range(11) if j not in ROWS] + [f[j] for j in range(M) if j != i]
        p = softmax(np.array([[*(w @ f[i]), *(np.array(others) @ f[i])]]) / 0.05)[0]
        clustered.append(-(p * np.log(p)).sum())
    apart = np.abs(entropy(T.logits) - np.log(C) / 2)
    found = losses(dance(), memory={"features": bank})
    np.testing.assert_allclose(found["source"], CE, rtol=1e-10)
    np.testing.assert_allclose(found["neighbourhood"], np.mean(clustered), rtol=1e-7)
    np.testing.assert_allclose(found["separation"], -np.where(apart > 0.5, apart, 0).mean(), rtol=1e-10)
    after = dance().after(Model({}, {}, {"features": jnp.asarray(bank)}, {}), OUT, BATCH, AT)["features"]
    np.testing.assert_allclose(after[ROWS], f)
    np.testing.assert_array_equal(np.asarray(after)[[6, 8, 10]], bank[[6, 8, 10]])


def test_dance_asks_for_a_head_with_a_row_for_each_class():
    example = Example(S.features, S.logits, S.features, 1)
    with pytest.raises(UserError, match="head='linear'"):
        dance().init(None, example, Model({"head": {"dense1": {}}}, {}, {}, {}))


def test_without_a_rule_of_its_own_nothing_is_said_of_unknown_classes():
    assert dance().predict is None
    assert SAYS.apply({}, {}, jnp.ones((N, D)))[0].unknown is None
