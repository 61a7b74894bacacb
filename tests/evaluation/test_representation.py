"""Effective rank, alignment and uniformity, clustering and few-shot accuracy against straight-line NumPy."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestCentroid

from tl_jax.core.errors import UserError
from tl_jax.evaluation import clustering, few_shot, representation

pytestmark = pytest.mark.usefixtures("double")


def draw(seed, n=40, d=6, classes=4, apart=3.0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    return rng.normal(size=(n, d)) + apart * np.eye(classes, d)[y], y


# Without labels ---------------------------------------------------------------------------------


def test_rankme_is_its_equation_and_counts_directions():
    x = draw(0)[0]
    sigma = np.linalg.svd(x, compute_uv=False)
    p = sigma / sigma.sum() + 1e-7
    assert float(representation.rankme(jnp.asarray(x))) == pytest.approx(math.exp(-(p * np.log(p)).sum()))
    orthogonal = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 6)))[0]
    assert float(representation.rankme(jnp.asarray(orthogonal))) == pytest.approx(6, abs=1e-3)
    collapsed = np.outer(np.arange(1.0, 21), np.ones(6))
    assert float(representation.rankme(jnp.asarray(collapsed))) == pytest.approx(1, abs=1e-3)
    assert float(representation.rankme(jnp.zeros((8, 3)))) == pytest.approx(1, abs=1e-3)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_alignment(alpha):
    x, y = draw(0)[0], draw(1)[0]
    expected = np.mean([np.linalg.norm(a - b) ** alpha for a, b in zip(unit(x), unit(y), strict=True)])
    assert float(representation.alignment(jnp.asarray(x), jnp.asarray(y), alpha)) == pytest.approx(expected)
    assert float(representation.alignment(jnp.asarray(x), jnp.asarray(5 * x), alpha)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("t", "chunk"), [(2.0, 256), (1.0, 7)])
def test_uniformity(t, chunk):
    x = draw(0, n=15)[0]
    pairs = [np.exp(-t * ((a - b) ** 2).sum()) for a, b in itertools.combinations(unit(x), 2)]
    found = float(representation.uniformity(jnp.asarray(x), t, chunk))
    assert found == pytest.approx(np.log(np.mean(pairs)))
    assert float(representation.uniformity(jnp.ones((5, 3)))) == pytest.approx(0, abs=1e-9)
    with pytest.raises(UserError, match="at least 2"):
        representation.uniformity(jnp.ones((1, 3)))


# Clustering -------------------------------------------------------------------------------------


def test_kmeans_is_as_good_as_scikit_learns():
    for seed in range(3):
        x, _ = draw(seed, apart=1.5)
        found = clustering.kmeans(jnp.asarray(x), jax.random.key(seed), 4, restarts=10)
        expected = KMeans(4, n_init=10, random_state=seed).fit(x)
        assert float(found.inertia) <= expected.inertia_ * 1.02
        centres = np.array([x[np.asarray(found.assigned) == c].mean(0) for c in range(4)])
        np.testing.assert_allclose(found.centres, centres, atol=1e-8)


def test_kmeans_is_seeded_and_survives_fewer_distinct_rows_than_clusters():
    x = jnp.asarray(draw(0)[0])
    a, b = (clustering.kmeans(x, jax.random.key(3), 4, restarts=10).assigned for _ in range(2))
    np.testing.assert_array_equal(a, b)
    few = clustering.kmeans(jnp.repeat(jnp.eye(2, 6), 20, axis=0), jax.random.key(0), 4, restarts=10)
    assert np.isfinite(few.centres).all()
    assert float(few.inertia) == pytest.approx(0, abs=1e-9)


def test_clustering_accuracy_is_the_best_matching():
    rng = np.random.default_rng(0)
    clusters, y = rng.integers(0, 3, 50), rng.integers(0, 3, 50)
    best = max(np.mean(np.array(order)[clusters] == y) for order in itertools.permutations(range(3)))
    assert clustering.clustering_accuracy(clusters, y) == pytest.approx(best)
    assert clustering.clustering_accuracy((y + 1) % 3, y) == 1
    assert clustering.clustering_accuracy(np.arange(50), np.zeros(50, int)) == pytest.approx(0.02)


def test_separated_classes_are_found():
    x, y = draw(5, apart=20.0)
    found = clustering.kmeans(jnp.asarray(x), jax.random.key(0), 4, restarts=10)
    assert clustering.clustering_accuracy(found.assigned, y) == 1


# Few labels -------------------------------------------------------------------------------------


def test_nearest_mean_is_scikit_learns():
    (x, y), (queries, _) = draw(0), draw(1, apart=1.0)
    scores = few_shot.nearest_mean(jnp.asarray(x), jnp.asarray(y), jnp.asarray(queries), 6)
    np.testing.assert_array_equal(scores.argmax(1), NearestCentroid().fit(x, y).predict(queries))
    assert np.isneginf(scores[:, 4:]).all()


def test_episodes_have_the_expected_accuracy_and_interval():
    """Two Gaussians a distance apart, one shot: the accuracy has a closed form by simulation in NumPy."""
    rng = np.random.default_rng(0)
    x, y = draw(0, n=400, d=3, classes=2, apart=1.5)
    found = few_shot.episodes(x, y, jax.random.key(0), shape=few_shot.Shape(2, 1, 10), count=384)
    by_loops = []
    for _ in range(2000):
        rows = [rng.permutation(np.flatnonzero(y == c))[:11] for c in (0, 1)]
        prototypes = x[[r[0] for r in rows]]
        nearer = [((x[r[1:], None] - prototypes[None]) ** 2).sum(-1).argmin(1) for r in rows]
        by_loops.append(np.mean([n == c for c, n in enumerate(nearer)]))
    assert found.accuracies.shape == (384,)
    assert found.mean == pytest.approx(np.mean(by_loops), abs=3 * found.half_width)
    assert found.half_width == pytest.approx(1.96 * np.std(by_loops) / 384**0.5, rel=0.15)


def test_support_and_queries_are_disjoint_and_of_the_drawn_classes():
    """Features that name the row: a query equal to its own support row would be right by copying."""
    y = np.repeat([7, 3, 9], [5, 4, 2])
    noise = np.random.default_rng(0).normal(size=(11, 200))
    found = few_shot.episodes(noise, y, jax.random.key(0), shape=few_shot.Shape(2, 1, 3), count=320)
    assert abs(found.mean - 0.5) < 0.1
    same = few_shot.episodes(np.eye(11, 200)[y], y, jax.random.key(0), shape=few_shot.Shape(2, 1, 3), count=320)
    assert same.mean == 1
    assert same.half_width == 0


def test_too_few_examples_are_named():
    with pytest.raises(UserError, match="5-way 1-shot episodes with 15 queries need 5 classes of 16 examples: 0 of 4"):
        few_shot.episodes(*draw(0), jax.random.key(0))
