"""Losses against straight-line NumPy, their properties, their gradients, and saturated logits."""

import math

import hypothesis
import hypothesis.extra.numpy as npst
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from tl_jax.core import losses

N, C = 12, 5


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


def draw(seed, *shape, scale=2.0):
    return np.random.default_rng(seed).normal(size=shape) * scale


def labels(seed=0, n=N, c=C):
    return np.random.default_rng(seed).integers(0, c, n)


def softmax(z):
    e = np.exp(z)
    return e / e.sum(1, keepdims=True)


# Values -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy_is_its_equation(smoothing):
    z, y = draw(0, N, C), labels()
    expected = []
    for row, label in zip(softmax(z), y, strict=True):
        q = [smoothing / C + (1 - smoothing) * (k == label) for k in range(C)]
        expected.append(-sum(q[k] * math.log(row[k]) for k in range(C)))
    np.testing.assert_allclose(losses.cross_entropies(z, y, smoothing), expected, rtol=1e-12)
    np.testing.assert_allclose(losses.cross_entropy(z, y, smoothing), np.mean(expected), rtol=1e-12)


@pytest.mark.parametrize("label", [-1, C, C + 3, -C])
def test_a_label_that_is_no_class_is_nan_and_only_there(label):
    y = labels()
    y[3] = label
    bad = np.isnan(losses.cross_entropies(draw(0, N, C), y))
    assert bad.tolist() == [i == 3 for i in range(N)]


def test_cross_entropy_refuses_a_column_of_labels():
    with pytest.raises(ValueError, match="one label per row"):
        losses.cross_entropy(draw(0, N, C), labels()[:, None])


def test_entropies_are_scipys():
    z = draw(1, N, C)
    np.testing.assert_allclose(losses.entropy(z), scipy.stats.entropy(softmax(z), axis=1), rtol=1e-12)
    expected = scipy.stats.entropy(softmax(z).mean(0))
    np.testing.assert_allclose(losses.marginal_entropy(z), expected, rtol=1e-12)


def confusion_by_matrix(z, temperature, weights=None):
    p = softmax(np.asarray(z) / temperature)
    n, c = p.shape
    if weights is None:
        weights = 1 + np.exp(-scipy.stats.entropy(p, axis=1))
        weights = n * weights / weights.sum()
    correlation = np.zeros((c, c))
    for i in range(n):
        for j in range(c):
            for k in range(c):
                correlation[j, k] += weights[i] * p[i, j] * p[i, k]
    correlation /= correlation.sum(1, keepdims=True)
    return (correlation.sum() - np.trace(correlation)) / c


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_confusion_is_its_equation(temperature):
    z = draw(2, N, C)
    expected = confusion_by_matrix(z, temperature)
    np.testing.assert_allclose(losses.confusion(z, temperature), expected, rtol=1e-12)


def test_domain_logistic_is_its_equation():
    s, t, w_s, w_t = draw(3, 7), draw(4, 5), draw(5, 7) ** 2, draw(6, 5) ** 2
    p_s, p_t = 1 / (1 + np.exp(-s)), 1 / (1 + np.exp(-t))
    plain = -0.5 * np.log(p_s).mean() - 0.5 * np.log(1 - p_t).mean()
    weighted = -0.5 * (w_s * np.log(p_s)).mean() - 0.5 * (w_t * np.log(1 - p_t)).mean()
    np.testing.assert_allclose(losses.domain_logistic(s, t), plain, rtol=1e-12)
    np.testing.assert_allclose(losses.domain_logistic(s, t, w_s, w_t), weighted, rtol=1e-12)
    np.testing.assert_allclose(losses.domain_logistic(s, t, jnp.ones(7), jnp.ones(5)), plain, rtol=1e-12)
    one = losses.domain_logistic(s, t, weights_t=w_t)
    np.testing.assert_allclose(one, -0.5 * np.log(p_s).mean() - 0.5 * (w_t * np.log(1 - p_t)).mean())


def test_domain_logistic_of_an_undecided_discriminator_is_log_2_and_the_domains_mirror():
    np.testing.assert_allclose(losses.domain_logistic(jnp.zeros(4), jnp.zeros(9)), math.log(2), rtol=1e-12)
    s, t = draw(3, 7), draw(4, 5)
    np.testing.assert_allclose(losses.domain_logistic(s, t), losses.domain_logistic(-t, -s), rtol=1e-12)


@pytest.mark.parametrize(
    "arguments",
    [
        (np.zeros((4, 1)), np.zeros(4)),
        (np.zeros(4), np.zeros((4, 1))),
        (np.zeros(4), np.zeros(4), np.ones(3)),
    ],
    ids=["source", "target", "weights"],
)
def test_domain_logistic_refuses_shapes_that_would_broadcast(arguments):
    with pytest.raises(ValueError, match="must be \\[n\\]"):
        losses.domain_logistic(*map(jnp.asarray, arguments))


PSEUDO = jax.jit(losses.pseudo_label_loss)


@pytest.mark.parametrize("threshold", [0.0, 0.6, 0.95])
def test_pseudo_label_loss_is_its_equation(threshold):
    strong, weak = draw(7, N, C), draw(8, N, C)
    p, q = softmax(strong), softmax(weak)
    total, kept = 0.0, 0
    for i in range(N):
        if q[i].max() >= threshold:
            total, kept = total - math.log(p[i, q[i].argmax()]), kept + 1
    found = PSEUDO(strong, weak, threshold)
    np.testing.assert_allclose(found, [total / N, kept / N], rtol=1e-12)
    np.testing.assert_allclose(PSEUDO(strong, weak, np.full(N, threshold)), found, rtol=1e-12)


def test_l1_discrepancy_is_its_equation():
    a, b = draw(9, N, C), draw(10, N, C)
    expected = np.abs(softmax(a) - softmax(b)).sum() / (N * C)
    np.testing.assert_allclose(losses.l1_discrepancy(a, b), expected, rtol=1e-12)
    np.testing.assert_allclose(losses.l1_discrepancy(b, a), expected, rtol=1e-12)


# Properties -------------------------------------------------------------------------------------

logits = npst.arrays(np.float64, (6, 4), elements=st.floats(-50, 50))


@jax.jit
def everything(z, other):
    return {
        "entropy": losses.entropy(z),
        "marginal": losses.marginal_entropy(z),
        "confusion": losses.confusion(z),
        "l1": losses.l1_discrepancy(z, other),
        "l1 of equals": losses.l1_discrepancy(z, z),
        "cross_entropy": losses.cross_entropy(z, np.arange(6) % 4),
    }


@hypothesis.given(logits, logits)
@hypothesis.settings(max_examples=60, deadline=None)
def test_bounds(z, other):
    found, rounding = everything(z, other), 1e-9
    assert np.all(found["entropy"] >= -rounding)
    assert np.all(found["entropy"] <= math.log(4) + rounding)
    # The entropy of a mean is at least the mean of entropies: information is never negative.
    assert found["entropy"].mean() - rounding <= found["marginal"] <= math.log(4) + rounding
    assert 0 <= found["confusion"] < 1
    assert 0 <= found["l1"] <= 2 / 4 + rounding
    assert found["l1 of equals"] == 0
    assert found["cross_entropy"] >= 0


@hypothesis.given(logits, st.permutations(range(6)), st.permutations(range(4)), st.floats(-20, 20))
@hypothesis.settings(max_examples=60, deadline=None)
def test_order_of_rows_and_classes_and_a_common_offset_do_not_matter(z, rows, classes, offset):
    found, moved = everything(z, z), everything(z[rows][:, classes] + offset, z)
    np.testing.assert_allclose(moved["entropy"], found["entropy"][np.asarray(rows)], rtol=1e-7, atol=1e-9)
    for name in ("marginal", "confusion"):
        np.testing.assert_allclose(moved[name], found[name], rtol=1e-7, atol=1e-9)


def test_confusion_rewards_confident_predictions_and_is_the_chance_of_a_wrong_class_for_uniform_ones():
    confusion = jax.jit(losses.confusion)
    sure = 100 * np.eye(C)
    assert confusion(sure) < confusion(sure / 30) < confusion(sure / 100)
    np.testing.assert_allclose([confusion(sure), confusion(0 * sure)], [0, 1 - 1 / C], atol=1e-12)


# Gradients --------------------------------------------------------------------------------------


def test_confusion_does_not_differentiate_its_weights():
    z, temperature, eps = draw(11, N, C), 2.5, 1e-6
    p = softmax(z / temperature)
    fixed = 1 + np.exp(-scipy.stats.entropy(p, axis=1))
    gradient = jax.jit(jax.grad(losses.confusion))(jnp.asarray(z), temperature)
    for i, k in ((0, 0), (3, 2), (11, 4)):
        bump = np.zeros_like(z)
        bump[i, k] = eps
        ends = [confusion_by_matrix(z + sign * bump, temperature, fixed) for sign in (1, -1)]
        np.testing.assert_allclose(gradient[i, k], (ends[0] - ends[1]) / (2 * eps), rtol=1e-5)
        free = [confusion_by_matrix(z + sign * bump, temperature) for sign in (1, -1)]
        assert abs(gradient[i, k] - (free[0] - free[1]) / (2 * eps)) > 1e-5 * abs(gradient[i, k])


def test_pseudo_labels_pass_no_gradient_to_the_weak_view_and_count_every_row():
    strong, weak = draw(7, N, C), draw(8, N, C)
    loss = lambda s, w, threshold: losses.pseudo_label_loss(s, w, threshold)[0]
    gradients = jax.jit(jax.grad(loss, (0, 1)))
    gradient, none = gradients(strong, weak, 0.6)
    assert not none.any()
    kept = softmax(weak).max(1) >= 0.6
    assert 0 < kept.sum() < N
    assert (np.abs(gradient).sum(1) > 0).tolist() == kept.tolist()
    rows = softmax(strong) - np.eye(C)[weak.argmax(1)]
    np.testing.assert_allclose(gradient, rows * kept[:, None] / N, atol=1e-12)
    assert PSEUDO(strong, weak, 1.1)[0] == 0
    assert not gradients(strong, weak, 1.1)[0].any()


def test_domain_logistic_teaches_the_discriminator():
    g_s, g_t = jax.jit(jax.grad(losses.domain_logistic, (0, 1)))(np.zeros(4), np.zeros(2))
    np.testing.assert_allclose(g_s, np.full(4, -0.5 * 0.5 / 4))
    np.testing.assert_allclose(g_t, np.full(2, 0.5 * 0.5 / 2))


def test_l1_discrepancy_moves_both_classifiers_and_never_far():
    a, b = draw(9, N, C), draw(10, N, C)
    gradients = jax.jit(jax.grad(losses.l1_discrepancy, (0, 1)))
    assert all(np.abs(g).min() > 0 for g in gradients(a, b))
    # Where the classifiers agree the sign is one of rounding: no gradient is defined, but it is bounded
    # by sum_j |dp_j / dz_k| / (m c) = 2 p (1 - p) / (m c).
    assert all(np.abs(g).max() <= 0.5 / (N * C) for g in gradients(a, a))


# Gradient reversal ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reversal_is_the_identity_to_the_bit(dtype):
    x = draw(12, 3, 4, scale=1e3).astype(dtype)
    out = jax.jit(losses.gradient_reversal)(x, 0.3)
    assert out.dtype == dtype
    assert np.asarray(out).tobytes() == x.tobytes()


@pytest.mark.parametrize("coefficient", [0.0, 0.25, 2, np.float32(0.5)])
def test_reversal_turns_the_derivative_in_both_modes(coefficient):
    x = jnp.asarray(draw(12, 4))
    for jacobian in (jax.jacrev, jax.jacfwd):
        np.testing.assert_allclose(
            jacobian(losses.gradient_reversal)(x, coefficient), -float(coefficient) * np.eye(4), rtol=1e-7
        )


def test_reversal_takes_a_traced_coefficient_and_gives_it_no_gradient():
    x = jnp.asarray(draw(12, 4))
    loss = lambda x, c: jnp.square(losses.gradient_reversal(x, c)).sum()
    g_x, g_c = jax.jit(jax.grad(loss, (0, 1)))(x, jnp.asarray(0.7))
    np.testing.assert_allclose(g_x, -0.7 * 2 * np.asarray(x), rtol=1e-12)
    assert g_c == 0
    sweep = jnp.asarray([0.0, 0.5, 1.0])
    each = jax.vmap(jax.grad(loss), (None, 0))(x, sweep)
    np.testing.assert_allclose(each, -np.asarray(sweep)[:, None] * 2 * np.asarray(x)[None, :], rtol=1e-12)


def test_two_reversals_restore_the_derivative_inside_scan():
    def loss(x):
        step = lambda x, c: (losses.gradient_reversal(x, c), None)
        return jax.lax.scan(step, x, jnp.asarray([0.5, 3.0]))[0].sum()

    np.testing.assert_allclose(jax.jit(jax.grad(loss))(np.ones(3)), np.full(3, 1.5))


def test_an_adversary_learns_while_the_features_unlearn():
    features, weights = jnp.asarray(draw(13, 6, 3)), jnp.asarray(draw(14, 3))

    def loss(features, weights, reverse):
        f = losses.gradient_reversal(features, 0.4) if reverse else features
        return losses.domain_logistic(f[:3] @ weights, f[3:] @ weights)

    gradients = jax.jit(jax.grad(loss, (0, 1)), static_argnums=2)
    g_f, g_w = gradients(features, weights, False)
    r_f, r_w = gradients(features, weights, True)
    np.testing.assert_allclose(r_w, g_w, rtol=1e-12)
    np.testing.assert_allclose(r_f, -0.4 * g_f, rtol=1e-12)


# Saturation and jit, in the single precision of training ---------------------------------------

Y = np.arange(6) % 4
SCALARS = {
    "cross_entropy": lambda a, b: losses.cross_entropy(a, Y, 0.1),
    "entropy": lambda a, b: losses.entropy(a).mean(),
    "marginal_entropy": lambda a, b: losses.marginal_entropy(a),
    "confusion": lambda a, b: losses.confusion(a, 2.5),
    "domain_logistic": lambda a, b: losses.domain_logistic(a[:, 0], b[:, 0]),
    "pseudo_label_loss": lambda a, b: losses.pseudo_label_loss(a, b, 0.9)[0],
    "l1_discrepancy": losses.l1_discrepancy,
}
COMPILED = {name: jax.jit(jax.value_and_grad(loss, (0, 1))) for name, loss in SCALARS.items()}
PATTERNS = {
    "plus": np.full((6, 4), 1e4),
    "minus": np.full((6, 4), -1e4),
    "mixed": 1e4 * np.where(np.arange(24).reshape(6, 4) % 3 == 0, 1, -1),
    "one class": 1e4 * np.where(np.arange(4) == 2, 1, -1) * np.ones((6, 1)),
    "wrong class": 1e4 * np.where(np.arange(4)[None, :] == (Y[:, None] + 1) % 4, 1, -1),
    "zero": np.zeros((6, 4)),
    "ordinary": draw(15, 6, 4),
}


@pytest.mark.parametrize("name", SCALARS)
def test_finite_at_any_logits_and_equal_under_jit(name):
    with jax.enable_x64(False):
        for a in PATTERNS.values():
            for b in (a, -a):
                a, b = np.float32(a), np.float32(b)
                value, gradients = COMPILED[name](a, b)
                assert value.shape == ()
                assert value.dtype == jnp.float32
                assert np.isfinite(value)
                assert all(np.isfinite(g).all() for g in gradients)
        np.testing.assert_allclose(SCALARS[name](a, b), value, rtol=2e-6)


@pytest.mark.parametrize("name", SCALARS)
def test_vmap_over_trials_is_a_loop(name):
    with jax.enable_x64(False):
        a, b = np.float32(draw(16, 3, 6, 4)), np.float32(draw(17, 3, 6, 4))
        together = jax.jit(jax.vmap(SCALARS[name]))(a, b)
        np.testing.assert_allclose(together, [COMPILED[name](a[i], b[i])[0] for i in range(3)], rtol=1e-5)
