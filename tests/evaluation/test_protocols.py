"""The protocols together: each number is that of straight-line NumPy, and reads the sets that it says."""

import numpy as np

from tl_jax.evaluation.protocols import Sets, judge


def draw(n, seed, apart, classes=3, d=5):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    return (rng.normal(size=(n, d)) + apart * np.eye(classes, d)[y]).astype(np.float32), y.astype(np.int32)


def problem(apart):
    pairs = [draw(n, seed, apart) for n, seed in ((50, 0), (40, 1), (30, 2))]
    return Sets(*(x for x, _ in pairs)), Sets(*(y for _, y in pairs))


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def votes(cosine, y, k=20, temperature=0.07):
    found = []
    for row in cosine:
        near = np.argsort(-row, kind="stable")[:k]
        found.append(np.bincount(y[near], np.exp(row[near] / temperature), minlength=3).argmax())
    return np.array(found)


def test_neighbours_and_retrieval_are_those_of_numpy():
    x, y = problem(1.5)
    found = judge(x, y, (x.queries, x.queries[::-1].copy()))
    for name, gallery, labels in (("target", x.train, y.train), ("transfer", x.gallery, y.gallery)):
        want = (votes(unit(x.queries) @ unit(gallery).T, labels) == y.queries).mean()
        np.testing.assert_allclose(found[f"{name}/knn_accuracy"], want, atol=1e-6)
    order = np.argsort(-unit(x.queries) @ unit(x.gallery).T, axis=1)
    same = y.gallery[order] == y.queries[:, None]
    np.testing.assert_allclose(found["retrieval/recall@1"], same[:, 0].mean(), atol=1e-6)
    np.testing.assert_allclose(found["retrieval/recall@5"], same[:, :5].any(1).mean(), atol=1e-6)
    precision = np.cumsum(same, 1) / np.arange(1, 51)
    np.testing.assert_allclose(found["retrieval/map"], ((precision * same).sum(1) / same.sum(1)).mean(), rtol=1e-5)
    gaps = np.square(unit(x.queries) - unit(x.queries[::-1])).sum(1)
    np.testing.assert_allclose(found["alignment"], gaps.mean(), rtol=1e-5)


def test_a_perfect_representation_is_perfect_by_every_protocol():
    x, y = problem(40.0)
    found = judge(x, y, (x.queries, x.queries))
    accuracies = [value for name, value in found.items() if "/" in name]
    assert len(accuracies) == 8
    np.testing.assert_allclose(accuracies, 1.0)
    assert found["alignment"] < 1e-6


def test_a_set_smaller_than_k_gives_as_many_neighbours_as_it_has():
    x, y = problem(40.0)
    few = lambda sets: Sets(sets.gallery[:4], sets.train[:7], sets.queries)
    assert 0 < judge(few(x), few(y), (x.queries, x.queries))["target/knn_accuracy"] <= 1
