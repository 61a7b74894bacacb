"""Where gradients flow and where they must not; saturated logits; jit and vmap."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from samples import draw

from tl_jax.losses import classes

N, C = 12, 5


pytestmark = pytest.mark.usefixtures("double")


def softmax(z):
    e = np.exp(z)
    return e / e.sum(1, keepdims=True)


def confusion_by_matrix(p, weights):
    correlation = p.T @ (weights[:, None] * p)
    correlation /= correlation.sum(1, keepdims=True)
    return (correlation.sum() - np.trace(correlation)) / p.shape[1]


def test_confusion_does_not_differentiate_its_weights():
    z, temperature, eps = draw(11, N, C), 2.5, 1e-6
    of = lambda z: softmax(z / temperature)
    weigh = lambda p: 1 + np.exp(-scipy.stats.entropy(p, axis=1))
    gradient = jax.jit(jax.grad(classes.confusion))(z, temperature)
    for i, k in ((0, 0), (3, 2), (11, 4)):
        bump = np.zeros_like(z)
        bump[i, k] = eps
        up, down = of(z + bump), of(z - bump)
        fixed = confusion_by_matrix(up, weigh(of(z))) - confusion_by_matrix(down, weigh(of(z)))
        free = confusion_by_matrix(up, weigh(up)) - confusion_by_matrix(down, weigh(down))
        np.testing.assert_allclose(gradient[i, k], fixed / (2 * eps), rtol=1e-5)
        assert abs(gradient[i, k] - free / (2 * eps)) > 1e-4 * abs(gradient[i, k])


def test_pseudo_labels_pass_no_gradient_to_the_weak_view_and_count_every_row():
    strong, weak = draw(7, N, C), draw(8, N, C)
    loss = lambda s, w, threshold: classes.pseudo_label_loss(s, w, threshold)[0]
    gradients = jax.jit(jax.grad(loss, (0, 1)))
    gradient, none = gradients(strong, weak, 0.6)
    assert not none.any()
    kept = softmax(weak).max(1) >= 0.6
    assert 0 < kept.sum() < N
    assert (np.abs(gradient).sum(1) > 0).tolist() == kept.tolist()
    rows = softmax(strong) - np.eye(C)[weak.argmax(1)]
    np.testing.assert_allclose(gradient, rows * kept[:, None] / N, atol=1e-12)
    assert classes.pseudo_label_loss(strong, weak, 1.1)[0] == 0
    assert not gradients(strong, weak, 1.1)[0].any()


def test_domain_logistic_teaches_the_discriminator():
    g_s, g_t = jax.jit(jax.grad(classes.domain_logistic, (0, 1)))(np.zeros(4), np.zeros(2))
    np.testing.assert_allclose(g_s, np.full(4, -0.5 * 0.5 / 4))
    np.testing.assert_allclose(g_t, np.full(2, 0.5 * 0.5 / 2))


def test_l1_discrepancy_moves_both_classifiers_and_never_far():
    a, b = draw(9, N, C), draw(10, N, C)
    gradients = jax.jit(jax.grad(classes.l1_discrepancy, (0, 1)))
    assert all(np.abs(g).min() > 0 for g in gradients(a, b))
    # Where the classifiers agree the sign s is one of rounding, perhaps another each time that the compiled program
    # computes it: no gradient is defined, but it is bounded, by p_k |s_k - sum_j s_j p_j| / (m c) < 2 / (m c).
    assert all(np.abs(g).max() < 2 / (N * C) for g in gradients(a, a))


# Saturation and jit, in the single precision of training ---------------------------------------

Y = np.arange(6) % 4
SCALARS = {
    "cross_entropy": lambda a, b: classes.cross_entropy(a, Y, 0.1),
    "entropy": lambda a, b: classes.entropy(a).mean(),
    "marginal_entropy": lambda a, b: classes.marginal_entropy(a),
    "confusion": lambda a, b: classes.confusion(a, 2.5),
    "domain_logistic": lambda a, b: classes.domain_logistic(a[:, 0], b[:, 0]),
    "pseudo_label_loss": lambda a, b: classes.pseudo_label_loss(a, b, 0.9)[0],
    "l1_discrepancy": classes.l1_discrepancy,
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
