"""Maximum classifier discrepancy against NumPy, phase by phase."""

import jax
import numpy as np
from cases import CE, C, D, S, T, Y, cross_entropy, gradient, perceptron, softmax, terms, weights

from tl_jax.core.types import Model, Network, Output
from tl_jax.methods.contract import Example
from tl_jax.methods.mcd import mcd

OWN = {"head": weights(3, D, C)["dense0"]}
SECOND = lambda features: perceptron({"dense0": OWN["head"]}, features)
BOTH = CE + cross_entropy(SECOND(S.features), Y)
DISAGREEMENT = np.abs(softmax(T.logits) - softmax(SECOND(T.features))).mean()
TOGETHER, DISAGREE, AGREE = mcd().phases


def test_the_terms_of_the_three_phases():
    losses, _ = terms(TOGETHER.terms, own=OWN)
    np.testing.assert_allclose(losses["source"], BOTH, rtol=1e-10)
    assert set(losses) == {"source"}
    losses, _ = terms(DISAGREE.terms, own=OWN)
    np.testing.assert_allclose((losses["source"], losses["agreement"]), (BOTH, -DISAGREEMENT), rtol=1e-10)
    losses, _ = terms(AGREE.terms, own=OWN)
    assert set(losses) == {"discrepancy"}
    np.testing.assert_allclose(losses["discrepancy"], DISAGREEMENT, rtol=1e-10)


def test_the_phases_move_heads_and_trunk_in_turn():
    assert set(TOGETHER.groups) == {"heads", "trunk"}
    assert (DISAGREE.groups, DISAGREE.repeats) == (("heads",), 1)
    assert (AGREE.groups, AGREE.repeats) == (("trunk",), 4)
    assert mcd(generator_steps=2).phases[2].repeats == 2
    # Every term but the source's is weighted by lam.
    assert mcd().weights(None) == {}


def test_both_heads_disagree_on_the_target_alone():
    own, out = gradient(DISAGREE.terms, "agreement", own=OWN)
    assert np.abs(own["head"]["kernel"]).max() > 1e-3
    assert np.abs(out["target"].logits).max() > 1e-3
    assert not out["source"].logits.any()
    assert not out["source"].features.any()


def test_both_heads_vote():
    network = Network(lambda *_: ({}, {}), lambda params, stats, x: (Output(*T), stats))
    out = mcd().predict(network, Model({}, {}, {}, OWN), None, "target")
    np.testing.assert_allclose(out.logits, (T.logits + SECOND(T.features)) / 2, rtol=1e-6)
    np.testing.assert_array_equal(out.features, T.features)


def test_the_second_head_is_drawn_anew_in_the_shape_of_the_first():
    first = {"dense1": weights(4, D, 9)["dense0"], "dense2": weights(5, 9, C)["dense0"]}
    own, memory, *_ = mcd().init(
        jax.random.key(0), Example(S.features[:2], S.logits[:2], S.features[:2], 1), Model({"head": first}, {}, {}, {})
    )
    assert memory == {}
    assert jax.tree.map(np.shape, own["head"]) == jax.tree.map(np.shape, first)
    together, _ = terms(TOGETHER.terms, own=own)
    again, _ = terms(TOGETHER.terms, own=own, seed=1)
    # Its dropout draws from the pass's key; a prediction has none.
    assert together["source"] != again["source"]
