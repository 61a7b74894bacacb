"""JAN, DSAN, MDD, BSP, AFN and WDGRL against NumPy."""

import jax
import numpy as np
import pytest
from cases import CE, OUT, C, D, S, T, Y, cross_entropy, gradient, perceptron, slope, softmax, terms, weights

from tl_jax.core.types import Output
from tl_jax.methods import METHODS


def kernels(a, b, diagonal=True):
    """The five Gaussians of DAN, summed, entry by entry; their width from all pairs, or from all of two rows."""
    pooled = np.concatenate([S.features, T.features])
    n = len(pooled)
    scale = np.mean([np.square(pooled[i] - pooled[j]).sum() for i in range(n) for j in range(n) if diagonal or i != j])
    return np.array(
        [[sum(np.exp(-np.square(x - y).sum() / (2 * 2.0**k * scale)) for k in range(-3, 2)) for y in b] for x in a]
    )


def test_jan_multiplies_the_kernels_of_features_and_predictions():
    def k(a, b):
        p, q = softmax(a.logits), softmax(b.logits)
        narrow = np.array([[np.exp(-np.square(x - y).sum() / (2 * 0.92**2)) for y in q] for x in p])
        return kernels(a.features, b.features) * narrow

    off = lambda k: (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1))
    losses, _ = terms(METHODS["jan"]().terms)
    np.testing.assert_allclose(losses["mmd"], off(k(S, S)) + off(k(T, T)) - 2 * k(S, T).mean(), rtol=1e-8)
    _, out = gradient(METHODS["jan"]().terms, "mmd")
    assert all(np.abs(x).max() > 1e-4 for o in out.values() for x in o[:2])


@pytest.mark.parametrize("labels", [Y, np.array([0, 0, 1, 1, 1, 0])])
def test_dsan_is_the_loop_over_the_classes_that_labels_and_predictions_of_the_batch_name(labels, monkeypatch):
    import cases

    source = cases.BATCH.sources[0]._replace(y=labels)
    monkeypatch.setattr(cases, "BATCH", cases.BATCH._replace(sources=(source,)))
    pairs = ((S, S), (T, T), (S, T))
    ss, tt, st = (kernels(a.features, b.features, diagonal=False) for a, b in pairs)
    found, p = [], softmax(T.logits)
    for c in set(labels) & set(p.argmax(1)):
        w, v = (labels == c) / (labels == c).sum(), p[:, c] / p[:, c].sum()
        found.append(w @ ss @ w + v @ tt @ v - 2 * w @ st @ v)
    losses, _ = terms(METHODS["dsan"]().terms)
    np.testing.assert_allclose(losses["local_mmd"], np.mean(found), rtol=1e-8)
    _, out = gradient(METHODS["dsan"]().terms, "local_mmd")
    assert not out["target"].logits.any()
    assert np.abs(out["target"].features).max() > 1e-4


ADVERSARY = {"adversary": weights(1, D, 7, C)}


def disparity(x_s, x_t):
    agree = cross_entropy(perceptron(ADVERSARY["adversary"], x_s), S.logits.argmax(1))
    p = softmax(perceptron(ADVERSARY["adversary"], x_t))[np.arange(len(x_t)), T.logits.argmax(1)]
    return 3 * agree - np.log(1 - p).mean()


def test_mdd_agrees_on_the_source_with_a_margin_and_disagrees_on_the_target():
    method = METHODS["mdd"](margin=3.0)
    at = {"own": ADVERSARY, "values": method.values}
    losses, _ = terms(method.terms, **at, lam=0.1)
    np.testing.assert_allclose(losses["disparity"], disparity(S.features, T.features), rtol=1e-9)
    own, out = gradient(method.terms, "disparity", **at, lam=0.1)
    for name, loss in (("source", lambda x: disparity(x, T.features)), ("target", lambda x: disparity(S.features, x))):
        want = -0.1 * slope(loss, OUT[name].features, (2, 1))
        np.testing.assert_allclose(out[name].features[2, 1], want, rtol=1e-5)
        assert not out[name].logits.any()
    at_one, _ = gradient(method.terms, "disparity", **at, lam=1.0)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), own, at_one)


def test_mdd_is_finite_where_the_adversary_is_certain():
    sure = {"adversary": jax.tree.map(lambda p: 1e4 * p, ADVERSARY["adversary"])}
    losses, _ = terms(METHODS["mdd"]().terms, own=sure, values=METHODS["mdd"]().values)
    own, _ = gradient(METHODS["mdd"]().terms, "disparity", own=sure, values=METHODS["mdd"]().values)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((losses, own)))


def test_bsp_adds_the_largest_squared_singular_values_to_dann():
    own = {"discriminator": weights(1, D, 7, 7, 1)}
    method = METHODS["bsp"](penalty=0.01)
    losses, _ = terms(method.terms, own=own)
    dann, _ = terms(METHODS["dann"]().terms, own=own)
    np.testing.assert_allclose(losses["domain"], dann["domain"], rtol=1e-12)
    want = sum(np.linalg.norm(o.features, 2) ** 2 for o in (S, T))
    np.testing.assert_allclose(losses["spectral"], want, rtol=1e-9)
    from tl_jax.core.types import At

    # The penalty is constant: neither the trade-off nor its schedule enters.
    assert method.weights(At(0, 0.0, 2.0, method.values, None)) == {"domain": 1.0, "spectral": 0.01}


def test_afn_pushes_every_feature_outwards_by_a_constant():
    method = METHODS["afn"](step=0.5)
    losses, metrics = terms(method.terms, values=method.values)
    np.testing.assert_allclose(losses["growth"], 2 * 0.25, rtol=1e-9)
    np.testing.assert_allclose(metrics["norm_target"], np.linalg.norm(T.features, axis=1).mean(), rtol=1e-9)
    _, out = gradient(method.terms, "growth", values=method.values)
    for name, o in (("source", S), ("target", T)):
        outwards = o.features / np.linalg.norm(o.features, axis=1, keepdims=True)
        np.testing.assert_allclose(out[name].features, -2 * 0.5 * outwards / len(outwards), rtol=1e-8)
    nothing = {name: Output(0 * o.features, o.logits) for name, o in OUT.items()}
    _, out = gradient(method.terms, "growth", nothing, values=method.values)
    assert np.isfinite(out["source"].features).all()


CRITIC = {"critic": weights(2, D, 7, 1)}
score = lambda x: perceptron(CRITIC["critic"], x)[:, 0]


def test_wdgrl_in_two_phases():
    method = METHODS["wdgrl"](critic_steps=3)
    critic, adapt = method.phases
    assert (critic.groups, critic.repeats) == (("critic",), 3)
    assert (adapt.groups, adapt.repeats) == (("network",), 1)
    assert method.weights(None) == {"critic": 1.0}
    distance = score(S.features).mean() - score(T.features).mean()
    losses, _ = terms(adapt.terms, own=CRITIC)
    np.testing.assert_allclose(losses["wasserstein"], distance, rtol=1e-9)
    np.testing.assert_allclose(losses["source"], CE, rtol=1e-9)
    free, _ = terms(critic.terms, own=CRITIC, values={"penalty": 0.0})
    np.testing.assert_allclose(free["critic"], -distance, rtol=1e-9)


def test_every_key_of_wdgrl_draws_other_points_between_the_domains():
    at = {"own": CRITIC, "values": {"penalty": 10.0}}
    one, same, other = (terms(METHODS["wdgrl"]().phases[0].terms, **at, seed=s)[0]["critic"] for s in (0, 0, 1))
    assert one == same != other


def test_the_penalty_of_wdgrl_is_on_slopes_at_both_domains_and_between():
    # Where every hidden unit is on, the critic is linear: the slope is the same everywhere.
    layers = {name: dict(layer) for name, layer in CRITIC["critic"].items()}
    layers["dense0"]["bias"] = np.full(7, 100.0)
    norm = np.linalg.norm(layers["dense0"]["kernel"] @ layers["dense1"]["kernel"])
    free, held = (
        terms(METHODS["wdgrl"]().phases[0].terms, own={"critic": layers}, values={"penalty": w})[0]["critic"]
        for w in (0.0, 10.0)
    )
    np.testing.assert_allclose(held - free, 10 * (norm - 1) ** 2, rtol=1e-9)
