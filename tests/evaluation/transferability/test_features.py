"""LogME, H-score, GBC and TransRate against their definitions, and each formula's trap."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from sklearn.covariance import ledoit_wolf

from tl_jax.evaluation.transferability import features
from tl_jax.evaluation.transferability.features import gbc, h_score, logme, transrate

pytestmark = pytest.mark.usefixtures("double")

FUNCTIONS = {"logme": logme, "h_score": h_score, "gbc": gbc, "transrate": transrate}


def draw(seed, n=40, d=6, classes=3, *, apart=1.0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    return rng.normal(size=(n, d)) * rng.uniform(0.5, 2, d) + apart * rng.normal(size=(classes, d))[y] + 1, y


def of(name, x, y, classes=3, **options):
    return float(FUNCTIONS[name](jnp.asarray(x), jnp.asarray(y), classes, **options))


# LogME ------------------------------------------------------------------------------------------


def largest_evidence(x, target):
    """max over a, b of log N(target; 0, I / b + x x' / a), per example: the definition, with no formula in between."""

    def minus(logs):
        a, b = np.exp(np.clip(logs, -25, 25))
        covariance = np.eye(len(x)) / b + x @ x.T / a
        return -scipy.stats.multivariate_normal(np.zeros(len(x)), covariance).logpdf(target) / len(x)

    starts = itertools.product((0.0, 4.0), (0.0, 2.0))
    return -min(scipy.optimize.minimize(minus, start, method="Nelder-Mead").fun for start in starts)


@pytest.mark.parametrize("d", [6, 60], ids=["n > d", "n < d"])
def test_logme_is_the_largest_evidence_for_n_above_and_below_d(d):
    x, y = draw(0, d=d)
    expected = np.mean([largest_evidence(x, (y == c).astype(float)) for c in range(3)])
    assert of("logme", x, y, steps=500) == pytest.approx(expected, abs=1e-4)
    assert of("logme", x, y) == pytest.approx(expected, abs=0.01)


def test_logme_does_not_count_directions_without_data():
    """Columns of zeros say nothing. Keeping (d/2) log a over min(n, d) singular values adds a dozen nats here."""
    x, y = draw(1)
    padded = np.concatenate([x, np.zeros((40, 54))], 1)
    assert of("logme", padded, y, steps=500) == pytest.approx(of("logme", x, y, steps=500), abs=1e-6)


def test_logme_is_finite_where_the_fit_is_exact():
    """Separable or interpolated: the residual is zero, and its inverse was not."""
    y = np.arange(20) % 2
    indicators = np.tile(np.eye(2)[y], (1, 10))
    for x in (indicators, np.eye(20), np.ones((20, 20)), np.zeros((20, 20))):
        assert np.isfinite(of("logme", x, y, 2))
    assert of("logme", indicators, y, 2) > of("logme", draw(0, n=20, d=20, classes=2)[0], y, 2)


# H-score ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [6, 60], ids=["n > d", "n < d"])
def test_h_score_is_its_equation_with_scikit_learns_shrinkage(d):
    x, y = draw(2, d=d)
    covariance, h = ledoit_wolf(x)
    means = np.stack([x[y == c].mean(0) for c in range(3)])[y]
    between = np.cov(means, rowvar=False, bias=True)
    assert of("h_score", x, y) == pytest.approx(np.trace(np.linalg.solve(covariance, (1 - h) * between)), rel=1e-8)


def test_h_score_bounds():
    x, y = draw(3, apart=50.0)
    assert 1.8 < of("h_score", x, y) < 2
    assert of("h_score", np.zeros((40, 6)), y) == 0


# GBC --------------------------------------------------------------------------------------------


def overlap_by_integral(a, b):
    """The Bhattacharyya coefficient of two Gaussians in one dimension, integrated."""
    grid = np.linspace(-60, 60, 200_001)
    p, q = (scipy.stats.norm(m, np.sqrt(v)).pdf(grid) for m, v in (a, b))
    return np.sqrt(p * q).sum() * (grid[1] - grid[0])


@pytest.mark.parametrize("kind", ["diagonal", "spherical"])
def test_gbc_is_minus_the_overlap_of_gaussians(kind):
    """A product over dimensions of one-dimensional integrals: a factor missing from a logarithm would show."""
    x, y = draw(4, d=4)
    centred = x - x.mean(0)
    z = centred @ np.linalg.svd(centred, full_matrices=False)[2].T
    total = 0.0
    for i, j in itertools.permutations(range(3), 2):
        m, v = (np.stack([f(z[y == c], 0) for c in (i, j)]) for f in (np.mean, np.var))
        if kind == "spherical":
            v = np.repeat(v.mean(1, keepdims=True), 4, 1)
        total += np.prod([overlap_by_integral((m[0, k], v[0, k]), (m[1, k], v[1, k])) for k in range(4)])
    assert of("gbc", x, y, variances=kind) == pytest.approx(-total, rel=1e-6)


def test_gbc_bounds_and_classes_of_one_example():
    x, y = draw(5)
    assert of("gbc", np.concatenate([x, x]), np.repeat([0, 1], 40), 2) == pytest.approx(-2)
    assert of("gbc", x + 1e3 * np.eye(3, 6)[y], y) == pytest.approx(0, abs=1e-9)
    assert np.isfinite(of("gbc", x, np.where(np.arange(40) == 0, 2, y % 2)))


# TransRate --------------------------------------------------------------------------------------


def transrate_by_loops(x, y, distortion=1e-4):
    z = x - x.mean(0)
    z = z / np.sqrt((z**2).sum() / len(z))

    def rate(z):
        return np.linalg.slogdet(np.eye(z.shape[1]) + z.T @ z / (len(z) * distortion))[1] / 2

    return rate(z) - sum((y == c).mean() * rate(z[y == c]) for c in np.unique(y))


@pytest.mark.parametrize("d", [6, 60], ids=["n > d", "n < d"])
def test_transrate_weighs_classes_by_their_share(d):
    """With one class at 80 percent, dividing by the number of classes instead gives another number altogether."""
    x, y = draw(6, d=d)
    unbalanced = np.where(np.arange(40) < 32, 0, y)
    for labels in (y, unbalanced):
        assert of("transrate", x, labels) == pytest.approx(transrate_by_loops(x, labels), rel=1e-8)


def test_transrate_is_never_negative():
    rng = np.random.default_rng(0)
    for seed in range(5):
        x, _ = draw(seed)
        assert of("transrate", x, rng.integers(0, 3, 40)) >= 0
    assert of("transrate", x, np.zeros(40, int)) == pytest.approx(0, abs=1e-9)


# All of them ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_scale_of_features_does_not_matter(name):
    for d in (6, 60):
        x, y = draw(7, d=d)
        score = of(name, x, y)
        for scale in (1e-4, 1e4):
            assert of(name, scale * x, y) == pytest.approx(score, rel=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_rows_labels_and_rotations_do_not_matter(name):
    x, y = draw(8)
    score = of(name, x, y)
    order = np.random.default_rng(0).permutation(40)
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    assert of(name, x[order], y[order]) == pytest.approx(score)
    assert of(name, x, (y + 1) % 3) == pytest.approx(score)
    assert of(name, x @ rotation, y) == pytest.approx(score)


@pytest.mark.parametrize("n", [300, 40], ids=["n > d", "n < d"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_informative_features_score_higher_with_balanced_and_unbalanced_classes(name, n):
    """Shuffled labels are worse, with 8 in 10 examples in one class too."""
    options = {"dims": 2} if name == "gbc" else {}
    for share in (1 / 3, 0.8):
        rng = np.random.default_rng(0)
        y = np.where(np.arange(n) < share * n, 0, 1 + np.arange(n) % 2)
        x = rng.normal(size=(n, 60)) + 2 * rng.normal(size=(3, 60))[y]
        assert of(name, x, y, **options) > of(name, x, rng.permutation(y), **options) + 1e-3


@pytest.mark.parametrize("name", FUNCTIONS)
def test_single_precision_agrees(name):
    for d in (6, 60):
        x, y = draw(9, d=d)
        with jax.enable_x64(False):
            single = float(FUNCTIONS[name](jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.int32), 3))
        assert single == pytest.approx(of(name, x, y), rel=2e-3, abs=2e-3)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_separable_data_is_finite_in_single_precision(name):
    y = np.arange(24) % 3
    with jax.enable_x64(False):
        for x in (np.tile(np.eye(3)[y], (1, 20)), np.zeros((24, 60))):
            assert np.isfinite(FUNCTIONS[name](jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.int32), 3)), name


def test_the_table_of_this_file_is_whole():
    public = {n for n, f in vars(features).items() if hasattr(f, "lower") and not n.startswith("_")}
    assert public == set(FUNCTIONS)
