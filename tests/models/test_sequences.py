"""Networks for ids, series and sound: the contract, padding, and the recurrent layer against PyTorch."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from quick import QUICK

from tl_jax.models.networks import NETWORKS, build
from tl_jax.models.parts.masks import lengths, valid
from tl_jax.models.sequences.series import Gru
from tl_jax.models.sequences.text import positions

RNG = np.random.default_rng(0)
IDS = RNG.integers(1, 30, (4, 9)).astype(np.int32)
SERIES = RNG.normal(size=(4, 12, 3)).astype(np.float32)
SOUND = RNG.normal(0, 0.1, (4, 2000)).astype(np.float32)
CASES = {
    "gru ids": ("gru", {"vocabulary": 30, "embedding": 8, "width": 6, "layers": 2, "bottleneck": 7}, IDS),
    "gru series": ("gru", {"embedding": 8, "width": 6, "bottleneck": 7}, SERIES),
    "conv1d": ("conv1d", {"widths": (5, 6), "kernels": (4, 3), "bottleneck": 7, "dropout": 0.1}, SERIES),
    "text_cnn": ("text_cnn", {"vocabulary": 30, "embedding": 8, "features": 5, "bottleneck": 7}, IDS),
    "text_transformer": ("text_transformer", {"vocabulary": 30, "width": 8, "heads": 2, "bottleneck": 7}, IDS),
    "audio_cnn": ("audio_cnn", {"bands": 12, "bottleneck": 7}, SOUND),
}


@cache
def made(case):
    name, arguments, x = CASES[case]
    network = build(NETWORKS[name](**arguments), 5, form="patches")
    shapes = jax.eval_shape(network.init, jax.random.key(0), x)
    rng = np.random.default_rng(1)
    # Drawn here, since compiling `init` takes seconds; variances are positive and biases not zero.
    params = jax.tree.map(lambda s: jnp.array(rng.normal(0, 0.4, s.shape), s.dtype), shapes[0])
    stats = jax.tree.map(lambda s: jnp.array(rng.uniform(0.5, 1, s.shape), s.dtype), shapes[1])
    evaluate, train = (jax.jit(partial(network.apply, train=t), compiler_options=QUICK) for t in (False, True))
    return params, stats, x, partial(evaluate, params, stats), partial(train, params, stats)


@pytest.mark.parametrize("case", CASES)
def test_shapes_groups_and_types(case):
    params, stats, x, evaluate, train = made(case)
    assert set(params) == {"backbone", "bottleneck", "head"}
    out, same = evaluate(x)
    assert (out.features.shape, out.logits.shape) == ((4, 7), (4, 5))
    assert out.logits.dtype == jnp.float32
    jax.tree.map(np.testing.assert_array_equal, same, stats)
    one, again, other = (train(x, key=jax.random.key(i))[0] for i in (1, 1, 2))
    np.testing.assert_array_equal(one.logits, again.logits)
    assert np.abs(one.logits - other.logits).max() > 1e-4


@pytest.mark.parametrize("case", CASES)
def test_padding_changes_nothing(case):
    _, _, x, evaluate, _ = made(case)
    want = evaluate(x)[0].logits
    pad = 1000 if case == "audio_cnn" else 5
    longer = np.pad(x, ((0, 0), (0, pad), *((0, 0),) * (x.ndim - 2)))
    np.testing.assert_allclose(evaluate(longer)[0].logits, want, rtol=1e-3, atol=1e-4)
    # And padding is not simply what everything but the beginning is.
    shorter = longer.copy()
    shorter[:, 2 * x.shape[1] // 3 :] = 0
    assert np.abs(evaluate(shorter)[0].logits - want).max() > 1e-3


@pytest.mark.parametrize("case", CASES)
def test_every_parameter_has_a_finite_gradient_even_beside_an_empty_example(case):
    name, arguments, x = CASES[case]
    params, stats, *_ = made(case)
    network = build(NETWORKS[name](**{**arguments, "dropout": 0.0}), 5, form="patches")
    given = x.copy()
    given[0] = 0

    def loss(params):
        # Without batch statistics: a bias before a normalisation by them has no gradient.
        return (network.apply(params, stats, given)[0].logits ** 2).sum()

    slopes = jax.jit(jax.grad(loss), compiler_options=QUICK)(params)
    for path, leaf in jax.tree_util.tree_leaves_with_path(slopes):
        assert np.isfinite(leaf).all(), path
        # A bias of the keys shifts all scores of a query alike.
        assert np.abs(leaf).max() > 1e-7 or "key" in str(path), path


@pytest.mark.parametrize("case", ["gru ids", "text_transformer", "conv1d", "audio_cnn"])
def test_bfloat16_is_near_float32(case):
    name, arguments, x = CASES[case]
    params, stats, _, evaluate, _ = made(case)
    low = build(NETWORKS[name](**arguments), 5, jnp.bfloat16, "patches")
    rounded = jax.jit(low.apply, compiler_options=QUICK)(params, stats, x)[0]
    assert rounded.logits.dtype == jnp.float32
    np.testing.assert_allclose(rounded.logits, evaluate(x)[0].logits, rtol=0.1, atol=0.15)


@pytest.mark.parametrize("case", ["gru ids", "text_cnn"])
def test_the_order_of_words_counts_and_an_empty_place_does_not(case):
    _, _, x, evaluate, _ = made(case)
    assert np.abs(evaluate(x[:, ::-1])[0].logits - evaluate(x)[0].logits).max() > 1e-3
    if case == "gru ids":
        gap = np.insert(x, 4, 0, axis=1)
        np.testing.assert_allclose(evaluate(gap)[0].logits, evaluate(x)[0].logits, rtol=1e-4, atol=1e-5)


def test_the_transformer_knows_places():
    _, _, x, evaluate, _ = made("text_transformer")
    assert np.abs(evaluate(x[:, ::-1])[0].logits - evaluate(x)[0].logits).max() > 1e-3
    place = positions(50, 8)
    np.testing.assert_allclose(place[3], [*np.sin(3 / 10.0 ** np.arange(4)), *np.cos(3 / 10.0 ** np.arange(4))], 1e-5)


def test_init_is_finite_and_depends_on_the_key():
    name, arguments, _ = CASES["gru series"]
    network = build(NETWORKS[name](**arguments), 5)
    init = jax.jit(network.init, compiler_options=QUICK)
    one, other = (init(jax.random.key(i), SERIES)[0]["backbone"]["gru1"]["recurrent"] for i in (0, 1))
    assert np.isfinite(one).all()
    assert np.abs(one - other).max() > 0.01


def test_masks_of_ids_and_of_series():
    ids = np.array([[5, 0, 3, 0], [0, 0, 0, 0]], np.int32)
    assert lengths(ids).tolist() == [3, 0]
    assert valid(ids).tolist() == [[1, 0, 1, 0], [0, 0, 0, 0]]
    series = np.zeros((1, 4, 2), np.float32)
    series[0, 2, 1] = -1
    assert valid(series).tolist() == [[1, 1, 1, 0]]


def test_the_recurrent_layer_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.GRU(3, 6, batch_first=True)
    w_i, w_h, b_i, b_h = (p.detach().numpy() for p in theirs.parameters())
    joined = b_i + np.concatenate([b_h[:12], np.zeros(6)])
    params = {"input": {"kernel": w_i.T, "bias": joined}, "recurrent": w_h.T, "bias": b_h[12:]}
    states, last = Gru(6, jnp.float32).apply({"params": params}, SERIES, np.ones((4, 12), np.float32))
    want, want_last = theirs(torch.from_numpy(SERIES))
    np.testing.assert_allclose(states, want.detach(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(last, want_last[0].detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_padding_enters_no_statistic_of_a_batch(case):
    name, arguments, x = CASES[case]
    params, stats, *_ = made(case)
    train = partial(
        build(NETWORKS[name](**arguments), 5, form="patches").apply, params, stats, train=True
    )  # without a key
    x = x.copy()
    x[0, x.shape[1] // 2 :] = 0
    pad = 1000 if case == "audio_cnn" else 5
    longer = np.pad(x, ((0, 0), (0, pad), *((0, 0),) * (x.ndim - 2)))
    (want, moved), (got, other) = (jax.jit(train, compiler_options=QUICK)(one) for one in (x, longer))
    np.testing.assert_allclose(got.logits, want.logits, rtol=1e-3, atol=1e-4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), other, moved)
