"""The equation: weights of the terms, what is differentiated, and the passes it is computed from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.core.types import At, Batch, Labeled, Unlabeled
from tl_jax.data.views.augment import augment
from tl_jax.methods.contract import Method, Terms, View, augmented
from tl_jax.training.forward import Forward
from tl_jax.training.objective import Surroundings, objective, split_params

RNG = np.random.default_rng(0)
X_S, X_T = RNG.normal(size=(5, 3)).astype(np.float32), RNG.normal(2, 2, size=(5, 3)).astype(np.float32)
IMAGES = RNG.integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
LAM = 0.7


def around(network, x_s=X_S, x_t=X_T, memory=None):
    params, stats = network.init(jax.random.key(1), jnp.zeros((2, 3)))
    rows = jnp.arange(5)
    batch = Batch((Labeled(jnp.asarray(x_s), rows % 2, rows),), Unlabeled(jnp.asarray(x_t), rows))
    at = At(jnp.int32(0), jnp.float32(0.5), jnp.float32(LAM), {}, jax.random.key(2))
    flat = {f"{g}/{m}": x for g, m, x in (("head", "kernel", params["head"]["kernel"]), ("head", "bias", jnp.zeros(2)))}
    flat |= {f"backbone/norm1/{name}": x for name, x in params["backbone"]["norm1"].items()}
    return flat, Surroundings({}, {"all": stats}, memory or {}, batch, at)


def test_the_total_is_the_weighted_sum_and_terms_are_logged_unweighted(network):
    losses = {"source": jnp.float32(2), "a": jnp.float32(3), "b": jnp.float32(5)}
    terms = lambda own, out, batch, at: Terms(losses, {"rate": jnp.float32(0.25)})
    params, here = around(network)
    for weights, want in (
        ({}, 2 + LAM * 3 + LAM * 5),
        ({"b": 0.5}, 2 + LAM * 3 + 0.5 * 5),
        ({"source": 0.0}, LAM * 8),
    ):
        method = Method(terms, weights=lambda at, weights=weights: weights)
        value, (_, logged, _) = objective(method, Forward(network, "joint"), terms)(params, here)
        np.testing.assert_allclose(value, want, rtol=1e-6)
        assert {name: float(v) for name, v in logged.items()} == {
            **{"source": 2, "a": 3, "b": 5, "rate": 0.25},
            "total": float(value),
        }


def test_a_term_that_nothing_weighs_is_refused_while_tracing(network):
    terms = lambda own, out, batch, at: Terms({"source": jnp.float32(1), "entropy": jnp.float32(2)})
    params, here = around(network)
    total = lambda method: objective(method, Forward(network, "joint"), terms)(params, here)[0]
    with pytest.raises(UserError, match="Nothing weighs the term 'entropy'"):
        total(Method(terms, lam=None))
    assert total(Method(terms, lam=None, weights=lambda at: {"entropy": 0.5})) == 2


def test_parameters_of_the_network_and_of_the_method_are_told_apart():
    net, own = split_params({"head/bias": 1, "method/discriminator/bias": 2, "method/scale": 3})
    assert net == {"head": {"bias": 1}}
    assert own == {"discriminator": {"bias": 2}, "scale": 3}
    assert split_params({"head/bias": 1})[1] == {}


def test_kept_parameters_enter_the_value_as_trained_ones_do(network):
    method = Method(lambda own, out, batch, at: Terms({"source": jnp.square(out["source"].logits).sum()}))
    total = objective(method, Forward(network, "joint"), method.terms)
    params, here = around(network)
    trained = {path: x for path, x in params.items() if path.startswith("head/")}
    kept = {path: x for path, x in params.items() if path not in trained}
    whole, part = jax.grad(total, has_aux=True)(params, here)[0], None
    part, _ = jax.grad(total, has_aux=True)(trained, here._replace(kept=kept))
    assert set(part) == set(trained)
    for path, gradient in part.items():
        np.testing.assert_allclose(gradient, whole[path], rtol=1e-5, atol=1e-6)


def teacher_method(seen):
    def terms(own, out, batch, at):
        seen.update(out)
        return Terms({"source": sum(o.logits.sum() + o.features.sum() for o in out.values())})

    teacher = View("target", weights=lambda memory: (memory["params"], memory["stats"]))
    return Method(terms, views={"source": View("source"), "teacher": teacher})


def memory_of(network, scale):
    params, stats = network.init(jax.random.key(5), jnp.zeros((2, 3)))
    norm = stats["backbone"]["norm1"]
    stats = {"backbone": {"norm1": {"mean": norm["mean"] + 1, "var": norm["var"] * scale}}}
    return {"params": params, "stats": {"all": stats}}


def test_a_teacher_normalises_by_its_batch_has_no_gradient_and_leaves_the_statistics(network):
    seen, memory = {}, memory_of(network, 4.0)
    params, here = around(network, memory=memory)
    method = teacher_method(seen)
    total = objective(method, Forward(network, "joint"), method.terms)
    _, (stats, _, _) = total(params, here)
    np.testing.assert_allclose(seen["teacher"].features, (X_T - X_T.mean(0)) / X_T.std(0), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        seen["teacher"].logits, seen["teacher"].features @ memory["params"]["head"]["kernel"], rtol=1e-4, atol=1e-5
    )
    # Only the source went through the trained network.
    np.testing.assert_allclose(stats["all"]["backbone"]["norm1"]["mean"], 0.1 * X_S.mean(0), rtol=1e-4)
    through = jax.grad(lambda m: total(params, here._replace(memory=m))[0])(memory)
    assert not any(leaf.any() for leaf in jax.tree.leaves(through))


@pytest.mark.parametrize("forward", [("frozen", frozenset()), ("joint", frozenset({"backbone/norm1"}))])
def test_a_teacher_uses_its_running_statistics_where_the_student_does(network, forward):
    seen = {}
    params, here = around(network, memory=memory_of(network, 4.0))
    method = teacher_method(seen)
    objective(method, Forward(network, *forward), method.terms)(params, here)
    np.testing.assert_allclose(seen["source"].features, X_S, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(seen["teacher"].features, (X_T - 1) / 2, rtol=1e-4, atol=1e-5)


def test_views_are_augmented_as_they_say_each_with_its_own_draw(network):
    seen = {}

    def apply(params, stats, x, **how):
        seen.setdefault("x", x)
        return network.apply(params, stats, x.reshape(len(x), -1)[:, :3], **how)

    views = {"source": View("source"), "target": View("target", "weak"), "again": View("target", "weak")}
    method = Method(lambda own, out, batch, at: Terms({"source": out["again"].logits.sum()}), views=views)
    params, here = around(network, IMAGES, IMAGES)
    objective(method, Forward(network._replace(apply=apply), "joint"), method.terms)(params, here)
    plain, weak, again = np.split(np.asarray(seen["x"]), 3)
    np.testing.assert_allclose(plain, IMAGES / 127.5 - 1, atol=1e-6)
    assert (weak != plain).any()
    assert (weak != again).any()


def test_plain_passes_of_one_domain_see_one_augmented_example_and_other_views_their_own(network):
    seen = {}

    def terms(own, out, batch, at):
        seen.update({name: np.asarray(one.features) for name, one in out.items()}, keys=at.view_keys)
        return Terms({"source": jnp.float32(0)})

    still = View("source", train=False)
    method = Method(terms, views={"one": still, "two": still, "own": View("source", "weak", train=False)})
    params, here = around(network)
    for made in (method, augmented(method, "weak")):
        objective(made, Forward(network, "joint"), terms)(params, here)
        np.testing.assert_array_equal(seen["one"], seen["two"])
        drawn = augment("weak", seen["keys"]["one"][0], jnp.asarray(X_S))
        np.testing.assert_allclose(seen["one"], X_S if made is method else drawn, rtol=1e-6)
        np.testing.assert_allclose(seen["own"], augment("weak", seen["keys"]["own"][0], jnp.asarray(X_S)), rtol=1e-6)
        assert np.abs(seen["own"] - seen["one"]).max() > 1e-3


def test_moved_inputs_pass_as_the_batch_does_and_leave_the_statistics_alone(network):
    seen, move = {}, np.arange(3.0, dtype=np.float32) * X_T

    def terms(own, out, batch, at):
        seen.update(there=own.moved({"target": lambda x: x + move}), here=out)
        seen["slope"] = jax.grad(lambda r: own.moved({"target": lambda x: x + r})["target"].logits.sum())(0 * move)
        return Terms({"source": jnp.float32(0)})

    params, here = around(network)
    _, found = objective(Method(terms), Forward(network, "separate"), terms)(params, here)
    moved = X_T + move
    np.testing.assert_allclose(seen["there"]["target"].features, (moved - moved.mean(0)) / moved.std(0), atol=1e-4)
    np.testing.assert_array_equal(seen["there"]["source"].logits, seen["here"]["source"].logits)
    assert seen["slope"].shape == X_T.shape
    want = 0.09 * X_S.mean(0) + 0.1 * X_T.mean(0)
    np.testing.assert_allclose(found.stats["all"]["backbone"]["norm1"]["mean"], want, rtol=1e-4)


def test_token_ids_are_not_moved(network):
    terms = lambda own, out, batch, at: Terms({"source": own.moved({"source": lambda x: x})["source"].logits.sum()})
    params, here = around(network, x_s=np.ones((5, 3), np.int32))
    with pytest.raises(UserError, match="view 'source' a little: token ids"):
        objective(Method(terms), Forward(network, "separate"), terms)(params, here)
