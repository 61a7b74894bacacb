"""kNN and retrieval against loops and scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from sklearn.neighbors import NearestNeighbors

from tl_jax.core.errors import UserError
from tl_jax.evaluation import neighbours


def draw(seed, n, d=5, classes=4):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    return (rng.normal(size=(n, d)) + np.eye(classes, d)[y] * 2).astype(np.float32), y


QUERIES, Y_Q = draw(0, 23)
GALLERY, Y = draw(1, 41)


@pytest.mark.parametrize("chunk", [1, 7, 256])
def test_nearest_is_scikit_learns_whatever_the_chunk(chunk):
    distance, rows = (
        NearestNeighbors(n_neighbors=6, metric="cosine", algorithm="brute").fit(GALLERY).kneighbors(QUERIES)
    )
    s, found = neighbours.nearest(jnp.asarray(QUERIES), jnp.asarray(GALLERY), 6, chunk)
    np.testing.assert_array_equal(found, rows)
    np.testing.assert_allclose(s, 1 - distance, atol=1e-5)


def test_memory_is_a_chunk_of_the_similarities():
    big = jax.ShapeDtypeStruct((4096, 8), jnp.float32)
    compiled = jax.jit(lambda q, g: neighbours.nearest(q, g, 5, 64)).lower(big, big).compile()
    memory = compiled.memory_analysis()
    assert memory.temp_size_in_bytes < 4096 * 4096 * 4 / 8


def test_a_row_is_not_its_own_neighbour_when_left_out():
    x = jnp.asarray(GALLERY)
    _, with_self = neighbours.nearest(x, x, 1)
    _, without = neighbours.nearest(x, x, 40, leave_out_self=True)
    np.testing.assert_array_equal(with_self[:, 0], np.arange(41))
    assert not (np.asarray(without) == np.arange(41)[:, None]).any()
    with pytest.raises(UserError, match="k=41 neighbours were asked for, the gallery has 40"):
        neighbours.nearest(x, x, 41, leave_out_self=True)


def knn_by_loops(k, temperature):
    predicted = []
    for q in QUERIES:
        s = GALLERY @ q / np.linalg.norm(GALLERY, axis=1) / np.linalg.norm(q)
        votes = np.zeros(4)
        for j in np.argsort(-s)[:k]:
            votes[Y[j]] += np.exp(s[j] / temperature)
        predicted.append(votes.argmax())
    return np.array(predicted)


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (5, 0.07), (41, 0.5)])
def test_knn_is_its_equation(k, temperature):
    expected = (knn_by_loops(k, temperature) == Y_Q).mean()
    found = neighbours.knn_accuracy(QUERIES, Y_Q, GALLERY, Y, k=k, temperature=temperature)
    assert found == pytest.approx(expected)


def test_knn_survives_a_small_temperature_and_zero_features():
    x = jnp.concatenate([jnp.zeros((1, 5)), jnp.asarray(GALLERY)])
    votes = neighbours.knn_votes(x, x, jnp.asarray(np.append(0, Y)), 4, k=3, temperature=1e-3)
    assert np.isfinite(votes).all()
    np.testing.assert_array_equal(votes.argmax(1)[1:], Y)


# Retrieval --------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [5, 256])
def test_retrieval_is_scikit_learns(chunk):
    found = neighbours.retrieval(QUERIES, Y_Q, GALLERY, Y, ks=(1, 3, 10), chunk=chunk)
    s = QUERIES @ GALLERY.T / np.linalg.norm(QUERIES, axis=1)[:, None] / np.linalg.norm(GALLERY, axis=1)[None]
    same = Y_Q[:, None] == Y[None]
    assert found.mean_average_precision == pytest.approx(
        np.mean([average_precision_score(r, c) for r, c in zip(same, s, strict=True)]), abs=1e-5
    )
    ranked = np.take_along_axis(same, np.argsort(-s, 1), 1)
    np.testing.assert_allclose(found.recall, [ranked[:, :k].any(1).mean() for k in (1, 3, 10)], atol=1e-6)
    assert found.precision == pytest.approx(ranked[:, :10].mean())
    assert found.queries == len(QUERIES)


def test_perfect_and_hopeless_rankings():
    q, g = np.eye(3)[[0, 1]], np.eye(3)[[0, 0, 1, 1]]
    right = neighbours.retrieval(q, np.array([0, 1]), g, np.array([0, 0, 1, 1]), ks=(1, 2))
    assert (right.mean_average_precision, right.precision) == (1, 1)
    wrong = neighbours.retrieval(q, np.array([1, 0]), g, np.array([0, 0, 1, 1]), ks=(1, 2))
    assert wrong.mean_average_precision == pytest.approx((1 / 3 + 2 / 4) / 2)
    np.testing.assert_array_equal(wrong.recall, 0)


def test_queries_whose_class_is_not_in_the_gallery_are_left_out():
    some = neighbours.retrieval(QUERIES, np.where(np.arange(23) < 3, 99, Y_Q), GALLERY, Y, ks=(1,))
    rest = neighbours.retrieval(QUERIES[3:], Y_Q[3:], GALLERY, Y, ks=(1,))
    assert some.queries == 20
    assert some.mean_average_precision == pytest.approx(rest.mean_average_precision)
    with pytest.raises(UserError, match="share no class"):
        neighbours.retrieval(QUERIES, Y_Q + 50, GALLERY, Y, ks=(1,))
    with pytest.raises(UserError, match="the gallery has 41 rows"):
        neighbours.retrieval(QUERIES, Y_Q, GALLERY, Y, ks=(1, 42))
