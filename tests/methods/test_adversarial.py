"""DANN and CDAN against NumPy: the discriminator learns at full weight, the features against it."""

import jax
import numpy as np
import pytest
from cases import CE, OUT, C, D, M, N, S, T, entropy, gradient, perceptron, slope, softmax, terms, weights

from tl_jax.core.errors import UserError
from tl_jax.core.types import Model, Output
from tl_jax.methods.cdan import RANDOM_WIDTH, cdan
from tl_jax.methods.contract import Own
from tl_jax.methods.dann import dann

LAM = 0.3


def logistic(d_s, d_t, w_s=1.0, w_t=1.0):
    """Source is 1, target 0; each domain counts one half."""
    return 0.5 * (w_s * np.log(1 + np.exp(-d_s))).mean() + 0.5 * (w_t * np.log(1 + np.exp(d_t))).mean()


def outer(features, logits):
    return np.einsum("ic,id->icd", softmax(logits), features).reshape(len(features), -1)


DANN, CDAN = ({"discriminator": weights(1, width, 7, 1)} for width in (D, C * D))
score = lambda own, x: perceptron(own["discriminator"], x)[:, 0]


def test_dann_is_the_source_loss_and_half_the_cross_entropy_of_each_domain():
    losses, _ = terms(dann().terms, own=DANN, lam=LAM)
    np.testing.assert_allclose(losses["domain"], logistic(score(DANN, S.features), score(DANN, T.features)), rtol=1e-10)
    np.testing.assert_allclose(losses["source"], CE, rtol=1e-12)
    # The trade-off is in the reversal; the term itself has weight 1, or the discriminator would learn at lam.
    assert dann().weights(None) == cdan().weights(None) == {"domain": 1.0}
    assert dann().lam_schedule == cdan().lam_schedule == "dann"


def test_the_features_of_dann_ascend_what_the_discriminator_descends():
    own, out = gradient(dann().terms, "domain", own=DANN, lam=LAM)
    loss = lambda x_s: logistic(score(DANN, x_s), score(DANN, T.features))
    for i in ((0, 0), (3, 2)):
        np.testing.assert_allclose(out["source"].features[i], -LAM * slope(loss, S.features, i), rtol=1e-5)
    at_one, _ = gradient(dann().terms, "domain", own=DANN, lam=1.0)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), own, at_one)
    assert np.abs(own["discriminator"]["dense1"]["bias"]).max() > 1e-3
    assert not out["target"].logits.any()


def test_cdan_sees_the_outer_product_of_predictions_and_features():
    losses, _ = terms(cdan().terms, own=CDAN, lam=LAM)
    d_s, d_t = (score(CDAN, outer(*o[:2])) for o in (S, T))
    np.testing.assert_allclose(losses["domain"], logistic(d_s, d_t), rtol=1e-10)


@pytest.mark.parametrize("entropy", [False, True])
def test_predictions_condition_the_discriminator_of_cdan_without_a_gradient(entropy):
    _, out = gradient(cdan(entropy=entropy).terms, "domain", own=CDAN, lam=LAM)
    for domain in ("source", "target"):
        assert not out[domain].logits.any()
        assert (out[domain].features != 0).all()


def test_the_features_of_cdan_ascend():
    _, out = gradient(cdan().terms, "domain", own=CDAN, lam=LAM)
    loss = lambda x_t: logistic(score(CDAN, outer(*S[:2])), score(CDAN, outer(x_t, T.logits)))
    np.testing.assert_allclose(out["target"].features[2, 1], -LAM * slope(loss, T.features, (2, 1)), rtol=1e-5)


@pytest.mark.parametrize("form", ["paper", "tllib"])
def test_entropy_weights_have_mean_one_by_domain_or_over_both(form):
    w_s, w_t = (1 + np.exp(-entropy(o.logits)) for o in (S, T))
    if form == "paper":
        w_s, w_t = w_s / w_s.mean(), w_t / w_t.mean()
    else:
        both = (w_s.sum() + w_t.sum()) / (N + M)
        w_s, w_t = w_s / both, w_t / both
    losses, _ = terms(cdan(entropy=True, form=form).terms, own=CDAN)
    d_s, d_t = (score(CDAN, outer(*o[:2])) for o in (S, T))
    np.testing.assert_allclose(losses["domain"], logistic(d_s, d_t, w_s, w_t), rtol=1e-10)


def test_wide_features_go_through_a_fixed_random_map():
    rng = np.random.default_rng(2)
    wide = {name: Output(rng.normal(size=(n, 1100)), o.logits) for name, o, n in (("source", S, N), ("target", T, M))}
    model = Model({}, {}, {}, {})
    own = cdan(hidden=3).init(jax.random.key(0), wide["target"], model)
    params, memory = jax.device_get((own.params, own.memory))
    assert params["discriminator"]["dense0"]["kernel"].shape == (RANDOM_WIDTH, 3)
    r_f, r_g = memory["f"], memory["g"]
    assert (r_f.shape, r_g.shape) == ((1100, 1024), (C, 1024))
    np.testing.assert_allclose((r_f.std(), r_g.std()), 1, atol=0.05)
    h = [(o.features @ r_f) * (softmax(o.logits) @ r_g) / np.sqrt(1024) for o in wide.values()]
    losses, _ = terms(cdan().terms, wide, own=params, memory=memory)
    np.testing.assert_allclose(losses["domain"], logistic(*(score(params, x) for x in h)), rtol=1e-8)
    # Narrow ones do not: nothing is remembered.
    assert cdan(hidden=3).init(jax.random.key(0), OUT["target"], model).memory == {}


def test_a_fresh_discriminator_begins_near_chance_and_learns():
    own, memory, *_ = dann(hidden=16).init(jax.random.key(0), T, Model({}, {}, {}, {}))
    assert Own(own, memory).memory == {}
    losses, _ = terms(dann().terms, own=own)
    assert 0.3 < losses["domain"] < 2
    in_own, _ = gradient(dann().terms, "domain", own=own)
    assert all(np.abs(leaf).max() > 1e-4 for leaf in jax.tree.leaves(in_own))


def test_an_unknown_form_lists_the_known():
    with pytest.raises(UserError, match=r"form of cdan 'paprr'\. Did you mean 'paper'\?"):
        cdan(form="paprr")
