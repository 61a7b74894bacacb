"""A representation judged by several protocols: they rank methods differently, so all are reported."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.evaluation import probes
from tl_jax.evaluation.clustering import clustering_accuracy, kmeans
from tl_jax.evaluation.neighbours import knn_accuracy, retrieval
from tl_jax.evaluation.representation import alignment, rankme, uniformity

K, TEMPERATURE = 20, 0.07
L2 = 1.0
AT = (1, 5)


class Sets(NamedTuple):
    """An array for each set of examples: the source's training split, the target's, and the target's test split."""

    gallery: Any
    train: Any
    queries: Any


def judge(features: Sets, labels: Sets, views: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """Every measure of a representation that the known labels (>= 0) allow: nothing else is judged or counted.

    target/...: learnt from the target's training labels, tested on the queries; transfer/...: learnt from the source's;
    retrieval/...: queries in the target, gallery in the source; clustering without labels, scored with them.
    rankme, uniformity: of the queries; alignment: of two views of them.

    Args: features [n, d] and labels [n] int of the three sets; views [m, d] twice. kNN: k = 20 (or the size of the
    set), temperature .07; probe: logistic, l2 = 1; clustering: as many clusters as classes.
    """
    pairs = Sets(*(_labelled(x, y) for x, y in zip(features, labels, strict=True)))
    found = _with_labels(pairs) if len(pairs.queries[1]) else {}
    return found | {
        "rankme": float(rankme(features.queries)),
        "alignment": float(alignment(*map(jnp.asarray, views))),
        "uniformity": float(uniformity(features.queries)),
    }


def _labelled(x: Any, y: Any) -> tuple[Any, Any]:
    return (x, y) if (y >= 0).all() else (x[y >= 0], y[y >= 0])


def _with_labels(pairs: Sets) -> dict[str, float]:
    """The measures by labels, of (features, labels) of the three sets."""
    queries, found = pairs.queries, {}
    for name, (x, y) in (("target", pairs.train), ("transfer", pairs.gallery)):
        if len(y):
            found[f"{name}/knn_accuracy"] = near(queries, (x, y))
            found[f"{name}/probe_accuracy"] = _probe(queries[0], queries[1], x, y)
    if len(pairs.gallery[1]):
        ks = tuple(min(k, len(pairs.gallery[1])) for k in AT)
        hits = retrieval(*queries, *pairs.gallery, ks=ks)
        found |= {f"retrieval/recall@{k}": float(share) for k, share in zip(AT, hits.recall, strict=True)}
        found["retrieval/map"] = hits.mean_average_precision
    return found | {"target/clustering_accuracy": _clustering(*queries)}


def near(queries: tuple[Any, Any], train: tuple[Any, Any]) -> float | None:
    """kNN accuracy of (features, labels), of those that are labelled; None without such queries or neighbours."""
    (q, y_q), (x, y) = _labelled(*queries), _labelled(*train)
    if not len(y) or not len(y_q):
        return None
    return knn_accuracy(q, y_q, x, y, k=min(K, len(x)), temperature=TEMPERATURE)


def _probe(queries: Any, y_q: Any, x: Any, y: Any) -> float:
    classes = 1 + int(max(y.max(), y_q.max()))
    return probes.accuracy(probes.logistic_probe(jnp.asarray(x), jnp.asarray(y), classes, L2), queries, y_q)


def _clustering(x: Any, y: Any) -> float:
    """k-means on features of length one, as the cosine of the other protocols sees them."""
    unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    return clustering_accuracy(kmeans(jnp.asarray(unit), jax.random.key(0), len(np.unique(y))).assigned, y)
