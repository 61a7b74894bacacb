"""Self-supervised methods against NumPy: what is projected, which pairs are compared, how teachers move."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import BATCH, OTHER, D, M, T, gradient, perceptron, softmax, terms, weights

from tl_jax.core.keys import of_view
from tl_jax.core.types import At, Batch, Model, Output, Unlabeled
from tl_jax.data.views.augment import augment
from tl_jax.losses.mlp import apply
from tl_jax.methods import METHODS, SELF_SUPERVISION
from tl_jax.methods.contract import Example, Own

NAMES = list(SELF_SUPERVISION)
THIRD = Output(np.random.default_rng(5).normal(size=(M, D)), T.logits)
VIEWS = {"one": T, "two": OTHER, "teacher": THIRD}
PROJECTOR, OLD, PREDICTOR = weights(1, D, 7, 6), weights(2, D, 7, 6), weights(3, 6, 5, 6)
DEEP = weights(4, D, 7, 7, 6)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def standardised(x):
    return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)


def normalised_perceptron(params, x):
    """Hidden layers are standardised before their bias is added."""
    *hidden, last = params.values()
    for layer in hidden:
        x = np.maximum(standardised(x @ layer["kernel"]) + layer["bias"], 0)
    return x @ last["kernel"] + last.get("bias", 0)


def cosine(a, b):
    return (unit(a) * unit(b)).sum(1).mean()


def losses(name, own, memory=None, **arguments):
    method = METHODS[name](**arguments)
    return terms(method.terms, VIEWS, own=own, memory=memory, values=method.values)[0]


@pytest.mark.parametrize("name", NAMES)
def test_no_label_and_no_source_is_read_and_the_head_is_left_alone(name):
    method = METHODS[name]()
    assert {view.domain for view in method.views.values()} == {"target"}
    assert method.freeze == (("head/*", "frozen"),)
    assert method.lam is None
    weights = method.weights(At(0, 0.0, 0.0, method.values, None))
    assert all(weight > 0 for weight in weights.values())
    if name not in ("rotation", "mae"):
        assert {view.augment for view in METHODS[name](view="colour").views.values()} == {"colour"}


def test_simclr_contrasts_the_projections():
    z = unit(np.concatenate([perceptron(PROJECTOR, T.features), perceptron(PROJECTOR, OTHER.features)]))
    similar = np.exp(z @ z.T / 0.3)
    np.fill_diagonal(similar, 0)
    own = np.concatenate([np.diag(similar, M), np.diag(similar, -M)])
    found = losses("simclr", {"projector": PROJECTOR}, temperature=0.3)
    np.testing.assert_allclose(found["contrast"], -np.log(own / similar.sum(1)).mean(), rtol=1e-9)


def test_simsiam_predicts_each_view_from_the_other_and_no_target_is_moved():
    own = {"projector": DEEP, "predictor": PREDICTOR}
    one, two = (standardised(normalised_perceptron(DEEP, x.features)) for x in (T, OTHER))
    h = lambda z: normalised_perceptron(PREDICTOR, z)
    want = -(cosine(h(one), two) + cosine(h(two), one)) / 2
    np.testing.assert_allclose(losses("simsiam", own)["prediction"], want, rtol=1e-9)


def test_simsiam_reports_collapse_as_a_spread_of_zero():
    own = {"projector": DEEP, "predictor": PREDICTOR}
    _, spread = terms(METHODS["simsiam"](width=6).terms, VIEWS, own=own)
    assert 0.3 < spread["spread"] < 1.2
    same = Output(np.ones((M, D)), T.logits)
    _, spread = terms(METHODS["simsiam"](width=6).terms, {"one": same, "two": same}, own=own)
    assert spread["spread"] < 1e-3


def test_byol_predicts_the_teachers_projection():
    found = losses("byol", {"projector": PROJECTOR, "predictor": PREDICTOR}, {"projector": OLD})
    target = normalised_perceptron(OLD, THIRD.features)
    h = lambda x: normalised_perceptron(PREDICTOR, normalised_perceptron(PROJECTOR, x.features))
    want = sum(np.square(unit(h(x)) - unit(target)).sum(1).mean() for x in (T, OTHER))
    np.testing.assert_allclose(found["prediction"], want, rtol=1e-9)


def test_moco_finds_its_key_among_those_of_the_batch():
    found = losses("moco", {"projector": PROJECTOR, "predictor": PREDICTOR}, {"projector": OLD}, temperature=0.5)
    keys, want = unit(normalised_perceptron(OLD, THIRD.features)), 0
    for x in (T, OTHER):
        q = unit(normalised_perceptron(PREDICTOR, normalised_perceptron(PROJECTOR, x.features)))
        want += 2 * 0.5 * -np.log(np.diag(softmax(q @ keys.T / 0.5))).mean()
    np.testing.assert_allclose(found["contrast"], want, rtol=1e-9)


def test_barlow_twins_and_vicreg_compare_normalised_projections():
    one, two = (normalised_perceptron(DEEP, x.features) for x in (T, OTHER))
    c = standardised(one).T @ standardised(two) / M
    want = ((1 - np.diag(c)) ** 2).sum() + 0.1 * (np.square(c).sum() - np.square(np.diag(c)).sum())
    found = losses("barlow_twins", {"projector": DEEP}, redundancy=0.1)
    np.testing.assert_allclose(found["redundancy"], want, rtol=1e-9)
    found = losses("vicreg", {"projector": DEEP})
    np.testing.assert_allclose(found["invariance"], np.square(one - two).mean(), rtol=1e-9)
    assert METHODS["vicreg"]().weights(At(0, 0.0, 0.0, METHODS["vicreg"]().values, None)) == {
        "invariance": 25,
        "variance": 25,
        "covariance": 1,
    }


def test_dino_assigns_to_prototypes_as_the_centred_teacher_does():
    prototypes = np.random.default_rng(6).normal(size=(6, 9))
    own = {"projector": DEEP, "prototypes": {"kernel": prototypes}}
    old = {"projector": weights(8, D, 7, 7, 6), "prototypes": {"kernel": prototypes[::-1].copy()}}

    def scores(own, x):
        kernel = own["prototypes"]["kernel"]
        return unit(perceptron(own["projector"], x.features)) @ (kernel / np.linalg.norm(kernel, axis=0))

    t = scores(old, THIRD)
    target = softmax((t - t.mean(0)) / 0.04)
    want = sum(-(target * np.log(softmax(scores(own, x) / 0.1))).sum(1).mean() for x in (T, OTHER)) / 2
    found = losses("dino", own, {"own": old}, prototypes=9)
    np.testing.assert_allclose(found["distillation"], want, rtol=1e-9)


def test_rotation_tells_four_views_apart():
    layer = weights(7, D, 4)
    views = dict(zip(METHODS["rotation"]().views, (T, OTHER, THIRD, T), strict=True))
    logits = [perceptron(layer, x.features) for x in views.values()]
    want = -np.mean([np.log(softmax(z)[:, k]).mean() for k, z in enumerate(logits)])
    found, metrics = terms(METHODS["rotation"]().terms, views, own={"turns": layer})
    np.testing.assert_allclose(found["rotation"], want, rtol=1e-9)
    np.testing.assert_allclose(metrics["rotation_accuracy"], np.mean([z.argmax(1) == k for k, z in enumerate(logits)]))
    views = METHODS["rotation"]().views
    assert [view.augment for view in views.values()] == ["none", "rotate90", "rotate180", "rotate270"]


def test_mae_tells_the_hidden_patches_and_is_judged_by_them_alone():
    images = np.random.default_rng(9).integers(0, 256, (M, 8, 12, 3)).astype(np.uint8)
    batch, key = Batch((), Unlabeled(jnp.asarray(images), jnp.arange(M))), jax.random.key(4)
    example = Example(T.features, T.logits, images[:2], 1)
    own = jax.tree.map(np.asarray, METHODS["mae"](width=7).init(jax.random.key(0), example, None).params)
    drawn = of_view(key, "masked", "target")
    at = At(jnp.int32(0), 0.0, 0.0, {}, key, {"masked": (drawn,)})
    found = METHODS["mae"](width=7).terms(Own(own, {}), {"masked": T}, batch, at).losses["hidden"]
    seen = np.asarray(augment("masked", drawn, jnp.asarray(images)))
    x, errors = images / 127.5 - 1, []
    for n, (row, column) in itertools.product(range(M), np.ndindex(4, 4)):
        place = np.s_[n, 2 * row : 2 * row + 2, 3 * column : 3 * column + 3]
        if (seen[place] == 0).all():
            h = T.features[n] @ own["spread"]["dense0"]["kernel"] + own["places"][4 * row + column]
            told = np.maximum(h, 0) @ own["pixels"]["dense0"]["kernel"] + own["pixels"]["dense0"]["bias"]
            errors.append(np.square(told - x[place].ravel()).mean())
        else:
            np.testing.assert_allclose(seen[place], x[place], atol=1e-6)
    assert len(errors) == 10 * M
    np.testing.assert_allclose(found, np.mean(errors), rtol=1e-5)


@pytest.mark.parametrize("name", ["byol", "moco", "dino"])
def test_the_teacher_is_a_moving_average_that_comes_to_rest(name):
    method = METHODS[name](decay=0.9)
    params = {"w": jnp.array(1.0)}
    own, memory, *_ = method.init(jax.random.key(0), T, Model(params, {"all": {}}, {}, {}))
    moved = jax.tree.map(lambda p: p + 1, own)
    for progress, decay in ((0.0, 0.9), (0.5, 0.95), (1.0, 1.0)):
        at = At(jnp.int32(0), jnp.float64(progress), 0.0, {"decay": jnp.float64(0.9)}, None)
        new = method.after(Model({"w": jnp.array(2.0)}, {"all": {}}, memory, moved), {}, BATCH, at)
        np.testing.assert_allclose(new["params"]["w"], 1 + (1 - decay), rtol=1e-6)
        kernel = lambda memory: memory.get("projector", memory.get("own", {}).get("projector"))["dense0"]["kernel"]
        np.testing.assert_allclose(kernel(new) - kernel(memory), 1 - decay, rtol=1e-5, atol=1e-7)
    if name != "dino":
        assert "predictor" not in memory
    into_own, _ = gradient(method.terms, next(iter(method.weights(at))), VIEWS, own, memory, values=method.values)
    assert all(np.abs(leaf).max() > 1e-7 for leaf in jax.tree.leaves(into_own))


def test_a_normalised_perceptron_is_that_of_numpy():
    np.testing.assert_allclose(
        apply(DEEP, T.features, normalise=True), normalised_perceptron(DEEP, T.features), rtol=1e-9
    )
