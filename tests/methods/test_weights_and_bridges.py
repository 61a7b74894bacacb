"""ETN, BA3US, GVB, SymNets, STAR, RTN, DD and MFSAN against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import (
    AT,
    BATCH,
    CE,
    OUT,
    C,
    D,
    N,
    S,
    T,
    Y,
    cross_entropy,
    entropy,
    gradient,
    perceptron,
    softmax,
    weights,
)

from tl_jax.core.keys import named
from tl_jax.core.types import Batch, Labeled, Model, Network, Output
from tl_jax.losses.discrepancy import mmd
from tl_jax.methods import METHODS
from tl_jax.methods.ba3us import wrong_ones
from tl_jax.methods.contract import Own
from tl_jax.methods.etn import one_against_rest

HEAD, OTHER_HEAD, BRIDGE = (weights(seed, D, C)["dense0"] for seed in (7, 8, 9))
JUDGE, TWO, AUXILIARY, OF_LOGITS = (
    weights(9 + i, *of) for i, of in enumerate(((D, 6, 1), (C, 6, 2), (D, 6, C), (C, C, C)))
)
MODEL = Model({"head": HEAD}, {}, {}, {})
SAYS = Network(lambda *_: ({}, {}), lambda params, stats, x, **how: (Output(x, x[:, :C]), stats))
sigmoid = lambda x: 1 / (1 + np.exp(-x))
of_source, of_target = lambda d: np.log1p(np.exp(-d)), lambda d: np.log1p(np.exp(d))


def losses(name, own, memory=None, at=AT, phase=None):
    method = METHODS[name]()
    at = at._replace(values=dict(method.values), lam=jnp.float64(1))
    function = method.terms if phase is None else method.phases[phase].terms
    return function(Own(own, memory or {}, {"head": HEAD}), OUT, BATCH, at).losses


def test_etn_weighs_by_how_unsure_an_auxiliary_classifier_is_of_any_class():
    """Terms and gradients agree with the authors' to 1e-13 but for the 1e-10 under their w; L_D is half of theirs."""
    z_s, z_t = (perceptron(AUXILIARY, o.features) for o in (S, T))
    p_s, p_t = (np.exp(z) / (C + np.exp(z).sum(1, keepdims=True)) for z in (z_s, z_t))
    w = 1 - p_s.sum(1)
    w /= w.mean()
    found = losses("etn", {"weighing": AUXILIARY, "discriminator": JUDGE})
    each = -np.log(softmax(S.logits)[np.arange(N), Y])
    d_s, d_t = (perceptron(JUDGE, o.features)[:, 0] for o in (S, T))
    np.testing.assert_allclose(found["weighted"], (w * each).mean(), rtol=1e-9)
    np.testing.assert_allclose(found["domain"], ((w * of_source(d_s)).mean() + of_target(d_t).mean()) / 2, rtol=1e-9)
    np.testing.assert_allclose(found["entropy"], entropy(T.logits).mean(), rtol=1e-9)
    binary = np.where(np.eye(C)[Y] == 1, -np.log(p_s), -np.log(1 - p_s)).sum(1)
    np.testing.assert_allclose(found["classes"], binary.mean(), rtol=1e-9)
    sure = -(np.log(p_s.sum(1)).mean() + np.log(1 - p_t.sum(1)).mean()) / 2
    np.testing.assert_allclose(found["likeness"], sure, rtol=1e-9)
    assert np.isfinite(one_against_rest(1e4 * jnp.eye(C), jnp.zeros(C, int))).all()


@pytest.mark.parametrize("progress", [0.0, 0.5, 0.99])
def test_ba3us_fills_the_target_up_with_weighted_source_examples(progress):
    """The adversary's term and gradients agree with the authors' to 1e-14 but for the 1e-7 in their logarithms and the
    gradient that they let through H; U does to 1e-6, for the 1e-7 and 1e-10 in theirs.
    """
    classes = np.array([0.5, 0.1, 0.3, 0.1])
    found = losses("ba3us", {"discriminator": JUDGE}, {"classes": jnp.asarray(classes)}, AT._replace(progress=progress))
    w, p = classes[Y], softmax(S.logits)
    each = -np.log(p[np.arange(N), Y])
    np.testing.assert_allclose(found["weighted"], (w * each).sum() / w.sum(), rtol=1e-9)
    middle = int(0.25 * (1 - progress) * N)
    d_s, d_t = (perceptron(JUDGE, o.features)[:, 0] for o in (S, T))
    v_s, v_t = w * (1 + np.exp(-entropy(S.logits))), 1 + np.exp(-entropy(T.logits))
    total = (v_s * of_source(d_s)).sum() + (v_s * of_target(d_s))[:middle].sum()
    total = (1 + middle / N) * total / (v_s.sum() + v_s[:middle].sum()) + (v_t * of_target(d_t)).sum() / v_t.sum()
    np.testing.assert_allclose(found["domain"], total / (2 + middle / N), rtol=1e-9)
    np.testing.assert_allclose(found["penalty"], entropy(T.logits).mean(), rtol=1e-9)
    sure, u = np.zeros(N), np.zeros(N)
    for i, y in enumerate(Y):
        q = np.delete(p[i], y) / (1 - p[i, y])
        sure[i], u[i] = (q * np.log(q)).sum() / np.log(C - 1), w[i] * (1 - p[i, y])
    np.testing.assert_allclose(found["suppression"], (u * sure).sum() / u.sum(), rtol=1e-9)
    assert np.isfinite(wrong_ones(1e4 * jnp.eye(C), jnp.arange(C), jnp.ones(C)))


def test_gvb_takes_its_bridge_from_every_logit():
    """Terms and gradients agree with the authors' to 1e-14 but for the 1e-5 and 1e-8 in their logarithms, and the
    gradient that they let through the weights.
    """
    b_s, b_t = (perceptron({"dense0": BRIDGE}, o.features) for o in (S, T))
    z_s, z_t = S.logits - b_s, T.logits - b_t
    d_s, d_t = (perceptron(TWO, softmax(z)) for z in (z_s, z_t))
    w_s, w_t = (w / w.mean() for w in (np.exp(-entropy(z_s)), np.exp(-entropy(z_t))))
    own = {"bridge": {"dense0": BRIDGE}, "discriminator": TWO}
    found = losses("gvb", own)
    np.testing.assert_allclose(found["classes"], cross_entropy(z_s, Y), rtol=1e-9)
    domain = (w_s * of_source(d_s[:, 0] - d_s[:, 1])).mean() + (w_t * of_target(d_t[:, 0] - d_t[:, 1])).mean()
    np.testing.assert_allclose(found["domain"], domain / 2, rtol=1e-9)
    np.testing.assert_allclose(found["generator"], np.abs(np.vstack([b_s, b_t])).mean(), rtol=1e-9)
    np.testing.assert_allclose(found["discriminator"], np.abs(np.vstack([d_s, d_t])[:, 1]).mean(), rtol=1e-9)
    method, model = METHODS["gvb"](), MODEL._replace(own=own)
    out = method.predict(SAYS, model, jnp.asarray(T.features), "target")
    np.testing.assert_allclose(out.logits, T.features[:, :C] - b_t, rtol=1e-9)
    merged = method.plain(model, "target")[0]["head"]
    np.testing.assert_allclose(merged["kernel"], HEAD["kernel"] - BRIDGE["kernel"])


def test_symnets_confuses_two_heads_and_each_player_moves_alone():
    """Every term and its gradients agree with the authors' to 1e-14."""
    z_s, z_t = (np.hstack([perceptron({"dense0": h}, o.features) for h in (HEAD, OTHER_HEAD)]) for o in (S, T))
    p_s, p_t = softmax(z_s), softmax(z_t)
    a_s, a_t = p_s[:, :C].sum(1), p_t[:, :C].sum(1)
    found = losses("symnets", {"head": OTHER_HEAD})
    tasks = cross_entropy(z_s[:, :C], Y) + cross_entropy(z_s[:, C:], Y)
    np.testing.assert_allclose(found["heads"], tasks - np.log(a_s).mean() - np.log(1 - a_t).mean(), rtol=1e-9)
    both = np.log(p_s[np.arange(N), Y]) + np.log(p_s[np.arange(N), Y + C])
    np.testing.assert_allclose(found["category"], -both.mean() / 2, rtol=1e-9)
    np.testing.assert_allclose(found["confusion"], -(np.log(a_t) + np.log(1 - a_t)).mean() / 2, rtol=1e-9)
    q = p_t[:, :C] + p_t[:, C:]
    np.testing.assert_allclose(found["entropy"], -(q * np.log(q)).sum(1).mean(), rtol=1e-9)
    terms = lambda own, out, batch, at: METHODS["symnets"]().terms(own._replace(network={"head": HEAD}), out, batch, at)
    own, out = gradient(terms, "heads", own={"head": OTHER_HEAD})
    assert np.abs(own["head"]["kernel"]).max() > 0
    assert not out["source"].features.any()
    own, out = gradient(terms, "category", own={"head": OTHER_HEAD})
    assert not own["head"]["kernel"].any()
    assert np.abs(out["source"].features).max() > 0


def test_star_draws_two_heads_about_the_network_s_own():
    spread = {"kernel": np.random.default_rng(2).normal(size=(D, C))}
    drawn = [
        HEAD["kernel"]
        + np.log1p(np.exp(spread["kernel"] - 2)) * jax.random.normal(named(AT.key, f"head {i}"), (D, C), float)
        for i in range(2)
    ]
    of = lambda o: [o.features @ np.asarray(w) + HEAD["bias"] for w in drawn]
    own = {"spread": spread}
    supervised = sum(cross_entropy(z, Y) for z in of(S))
    distance = np.abs(softmax(of(T)[0]) - softmax(of(T)[1])).mean()
    np.testing.assert_allclose(losses("star", own, phase=0)["source"], supervised, rtol=1e-9)
    found = losses("star", own, phase=1)
    np.testing.assert_allclose([found["source"], found["agreement"]], [supervised, -distance], rtol=1e-9)
    np.testing.assert_allclose(losses("star", own, phase=2)["discrepancy"], distance, rtol=1e-9)


def test_rtn_has_a_residual_between_the_two_classifiers():
    found = losses("rtn", {"residual": OF_LOGITS})
    np.testing.assert_allclose(
        found["classes"], cross_entropy(S.logits + perceptron(OF_LOGITS, S.logits), Y), rtol=1e-9
    )
    np.testing.assert_allclose(found["penalty"], entropy(T.logits).mean(), rtol=1e-9)
    fused = (np.einsum("nd,nc->ndc", o.features, o.logits).reshape(len(o.logits), -1) for o in (S, T))
    np.testing.assert_allclose(found["mmd"], mmd(*fused), rtol=1e-9)
    predict = lambda domain: METHODS["rtn"]().predict(
        SAYS, MODEL._replace(own={"residual": OF_LOGITS}), jnp.asarray(T.features), domain
    )
    z = T.features[:, :C]
    np.testing.assert_array_equal(predict("target").logits, z)
    np.testing.assert_allclose(predict("source0").logits, z + perceptron(OF_LOGITS, z), rtol=1e-9)


def test_dd_agrees_on_the_source_and_not_on_the_target():
    """The disparity and its gradients agree with TLLib's to 1e-14."""
    apart_s, apart_t = (np.abs(perceptron(AUXILIARY, o.features) - o.logits).mean() for o in (S, T))
    found = losses("dd", {"adversary": AUXILIARY})
    np.testing.assert_allclose([found["source"], found["disparity"]], [CE, apart_s - apart_t], rtol=1e-9)


def test_mfsan_has_a_space_for_every_source_and_their_heads_speak_with_one_voice():
    rng, method = np.random.default_rng(6), METHODS["mfsan"]()
    linear = lambda n: {"kernel": rng.normal(size=(D, n)), "bias": rng.normal(size=n)}
    layers = {f"source{i}": {"dense0": linear(D)} for i in range(2)}
    first, second = linear(C), linear(C)
    own, parts = {"layers": layers, "heads": {"source1": second}}, np.array_split(np.arange(N), 2)
    batch = Batch(tuple(Labeled(np.zeros((len(p), 1)), Y[p], p) for p in parts), BATCH.target)
    found = method.terms(Own(own, {}, {"head": first}), OUT, batch, AT).losses

    def said(i, f):
        layer, head = layers[f"source{i}"]["dense0"], (first, second)[i]
        h = np.maximum(f @ layer["kernel"] + layer["bias"], 0)
        return h, h @ head["kernel"] + head["bias"]

    here, there = [said(i, S.features[p]) for i, p in enumerate(parts)], [said(i, T.features) for i in range(2)]
    np.testing.assert_allclose(
        found["classes"], np.mean([cross_entropy(z, Y[p]) for (_, z), p in zip(here, parts, strict=True)])
    )
    np.testing.assert_allclose(
        found["mmd"], np.mean([mmd(a[0], b[0]) for a, b in zip(here, there, strict=True)]), rtol=1e-9
    )
    p, q = (softmax(z) for _, z in there)
    np.testing.assert_allclose(found["heads"], np.abs(p - q).mean(), rtol=1e-9)
    model = Model({"head": first}, {}, {}, own)
    out = method.predict(SAYS, model, jnp.asarray(T.features), "target")
    np.testing.assert_allclose(out.logits, np.log((p + q) / 2), rtol=1e-9)
