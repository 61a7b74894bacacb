"""AdaBN's statistics against NumPy, in a network with two batch normalisations."""

import jax
import numpy as np
import pytest
from cases import AT

from tl_jax.core.batching import some
from tl_jax.core.types import Model
from tl_jax.methods.adabn import adabn
from tl_jax.models.networks import NETWORKS, build

X = np.random.default_rng(0).normal(1, 2, (40, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    """Dense, dropout, dense and batch normalisation in float32, with statistics that fit nothing."""
    with jax.enable_x64(False):
        network = build(NETWORKS["mlp"](hidden=(5,), dropout=0.5, bottleneck=4), 3)
        params, stats = network.init(jax.random.key(0), X)
        return network, Model(params, jax.tree.map(lambda s: s + 3, stats), {}, {})


def bottleneck_input(params, x):
    first, second = jax.device_get((params["backbone"]["dense1"], params["bottleneck"]["dense1"]))
    return np.maximum(x @ first["kernel"] + first["bias"], 0) @ second["kernel"] + second["bias"]


@pytest.mark.parametrize("examples", [1000, 16])
def test_statistics_are_those_of_targets_drawn_from_the_whole_set_without_dropout(model, examples):
    network, given = model
    with jax.enable_x64(False):
        found = adabn(examples=examples).refresh(network, given, X, AT)["stats"]["bottleneck"]["norm1"]
    z = bottleneck_input(given.params, X[some(len(X), examples)])
    np.testing.assert_allclose(found["mean"], z.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["var"], z.var(0), rtol=1e-4)


def test_targets_are_predicted_with_them_and_sources_are_not(model):
    network, given = model
    method = adabn()
    with jax.enable_x64(False):
        given = given._replace(memory=method.refresh(network, given, X, AT))
        target, source = (method.predict(network, given, X, domain) for domain in ("target", "source0"))
        plain, _ = network.apply(given.params, given.stats, X)
    z = bottleneck_input(given.params, X)
    want = np.maximum((z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5), 0)
    np.testing.assert_allclose(target.features, want, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(source.logits, plain.logits)


def test_a_network_without_batch_normalisation_is_left_as_it_is(model):
    with jax.enable_x64(False):
        network = build(NETWORKS["mlp"](hidden=(5,), bottleneck=0), 3)
        params, stats = network.init(jax.random.key(0), X)
        given = Model(params, stats, {}, {})
        given = given._replace(memory=adabn().refresh(network, given, X, AT))
        adapted = adabn().predict(network, given, X, "target")
        np.testing.assert_array_equal(adapted.logits, network.apply(params, stats, X)[0].logits)
