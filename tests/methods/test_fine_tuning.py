"""Regularised fine-tuning against NumPy: what is compared with the model that training begins from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import BATCH, CE, OTHER, C, D, N, S, gradient, perceptron, softmax, terms, weights

from tl_jax.core.types import At, Batch, Labeled, Model, Output, Unlabeled
from tl_jax.methods import METHODS
from tl_jax.models.networks import NETWORKS, build
from tl_jax.training.create import create
from tl_jax.training.forward import Forward
from tl_jax.training.objective import Surroundings, objective
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import Data, Start

REFERENCE = Output(OTHER.features[:N], OTHER.logits[:N])
VIEWS = {"source": S, "reference": REFERENCE}
HEAD, OLD = weights(1, D, C), weights(2, D, C)


@pytest.mark.parametrize("name", ["bss", "delta", "l2_sp", "lwf"])
def test_only_labelled_examples_are_seen(name):
    method = METHODS[name]()
    assert {view.domain for view in method.views.values()} == {"source"}
    assert method.labels == "target"


@pytest.mark.parametrize("smallest", [1, 3])
def test_bss_is_the_sum_of_the_smallest_squared_singular_values(smallest):
    losses, _ = terms(METHODS["bss"](smallest=smallest).terms, {"source": S})
    want = np.linalg.svd(S.features)[1][-smallest:] ** 2
    np.testing.assert_allclose(losses["shrinkage"], want.sum(), rtol=1e-9)
    np.testing.assert_allclose(losses["source"], CE, rtol=1e-9)


def test_bss_shrinks_the_directions_of_the_smallest_values_alone():
    _, out = gradient(METHODS["bss"]().terms, "shrinkage", {"source": S})
    u, s, vt = np.linalg.svd(S.features, full_matrices=False)
    np.testing.assert_allclose(out["source"].features, 2 * s[-1] * np.outer(u[:, -1], vt[-1]), rtol=1e-6, atol=1e-9)
    # Equal singular values, and none at all, are no division by zero.
    for x in (np.eye(N, D), np.zeros((N, D))):
        _, out = gradient(METHODS["bss"]().terms, "shrinkage", {"source": Output(x, S.logits)})
        assert np.isfinite(out["source"].features).all()


def test_delta_is_half_the_squared_distance_of_the_features():
    losses, _ = terms(METHODS["delta"]().terms, VIEWS)
    want = 0.5 * np.square(S.features - REFERENCE.features).sum(1).mean()
    np.testing.assert_allclose(losses["behaviour"], want, rtol=1e-9)


def test_l2_sp_penalises_the_way_from_the_start_and_the_size_of_the_head():
    rng = np.random.default_rng(2)
    start, now = ({"backbone": {"w": rng.normal(size=(3, 2))}, "head": {"b": rng.normal(size=2)}} for _ in range(2))
    method = METHODS["l2_sp"](head=0.5)
    own = method.init(jax.random.key(0), S, Model(start, {}, {}, {}))
    at = At(0, 0.0, 0.1, method.values, jax.random.key(0))
    losses = method.terms(own._replace(network=now), {"source": S}, BATCH, at).losses
    moved = now["backbone"]["w"] - start["backbone"]["w"]
    np.testing.assert_allclose(losses["anchor"], np.square(moved).sum() / 2, rtol=1e-9)
    np.testing.assert_allclose(losses["decay"], np.square(now["head"]["b"]).sum() / 2, rtol=1e-9)
    assert dict(method.weights(at)) == {"decay": pytest.approx(0.05)}


def distilled(temperature):
    p, q = (
        softmax(S.features @ HEAD["dense0"]["kernel"] / temperature + HEAD["dense0"]["bias"] / temperature),
        softmax(perceptron(HEAD, REFERENCE.features) / temperature),
    )
    return -(q * np.log(p)).sum(1).mean(), (q * np.log(q / p)).sum(1).mean()


def test_lwf_as_published_has_the_square_of_the_temperature_and_trains_the_old_head():
    method = METHODS["lwf"](temperature=2.0)
    losses, _ = terms(method.terms, VIEWS, {"head": HEAD}, {"head": HEAD}, method.values)
    np.testing.assert_allclose(losses["distillation"], 4 * distilled(2.0)[0], rtol=1e-9)
    own, out = gradient(method.terms, "distillation", VIEWS, {"head": OLD}, {"head": HEAD}, method.values)
    assert np.abs(own["head"]["dense0"]["kernel"]).max() > 1e-3
    assert not out["source"].logits.any()  # the new head is another


def test_lwf_as_in_the_library_has_not_and_keeps_the_old_head():
    method = METHODS["lwf"](form="tllib")
    losses, _ = terms(method.terms, VIEWS, memory={"head": HEAD}, values=method.values)
    np.testing.assert_allclose(losses["distillation"], distilled(3.0)[1], rtol=1e-9)
    assert (METHODS["lwf"]().lam, method.lam) == (1, 4)


@pytest.mark.parametrize("name", ["delta", "lwf"])
def test_the_reference_is_the_model_it_begins_from(name):
    model = Model({"head": OLD["dense0"]}, {"all": 3}, {}, {"head": HEAD["dense0"]})
    own = METHODS[name]().init(jax.random.key(0), S, model)
    view = METHODS[name]().views["reference"]
    assert view.weights(own.memory) == (model.params, model.stats)
    if name == "lwf":
        assert own.params["head"]["dense0"]["kernel"] is HEAD["dense0"]["kernel"]


@pytest.mark.parametrize("name", ["delta", "lwf"])
@pytest.mark.parametrize("plan", ["joint", "per_domain"])
def test_nothing_has_moved_at_the_first_step_whatever_the_dropout(name, plan):
    method = METHODS["lwf"](form="tllib") if name == "lwf" else METHODS[name]()
    net = build(NETWORKS["mlp"](hidden=(8,), dropout=0.5, bottleneck=6), 3)
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(3, 2, size=(16, 5)), jnp.float32)
    data = Data(((x, jnp.arange(16) % 3),), x)
    values = {**{k: jnp.float32(v) for k, v in method.values.items()}, "lam": jnp.float32(1)}
    state = create(Recipe(net, method, plan), data, Start(jnp.uint32(0), values))
    batch = Batch((Labeled(x, jnp.arange(16) % 3, jnp.arange(16)),), Unlabeled(x, jnp.arange(16)))
    at = At(jnp.int32(0), jnp.float32(0), jnp.float32(1), values, jax.random.key(0))
    around = Surroundings({}, state.stats, state.memory, batch, at)
    value = objective(method, Forward(net, plan), method.terms)
    (_, (_, logged, _)), grads = jax.value_and_grad(value, has_aux=True)(state.params, around)
    term = "behaviour" if name == "delta" else "distillation"
    assert abs(logged[term]) < 1e-6
    assert all(np.isfinite(g).all() for g in grads.values())
    moved = {path: p + 0.1 * rng.normal(size=p.shape).astype(np.float32) for path, p in state.params.items()}
    assert value(moved, around)[1].logged[term] > 1e-4
