"""The source carried over to the target by optimal transport."""

import numpy as np

Both = tuple[np.ndarray, np.ndarray]


def ot_mapping(x_s: np.ndarray, y_s: np.ndarray, x_t: np.ndarray, regular: float = 0.02, rounds: int = 200) -> Both:
    """z_s = n G x_t: every source example goes to the mean of the targets that G [n, m] sends it to; z_t = x_t.

    G is the plan of least squared distance minus entropy, at regular times the greatest distance, by Sinkhorn's
    iteration; regular = .02. Without the paper's term that keeps classes apart. Courty et al. 2017, arXiv 1507.00504.
    """
    squared = np.square(x_s).sum(1)[:, None] + np.square(x_t).sum(1)[None] - 2 * x_s @ x_t.T
    # Distances of at most 1: exp(-1 / regular) is a number, and no logarithms are needed.
    kernel = np.exp(-np.maximum(squared, 0) / max(float(squared.max()), 1e-300) / regular)
    u, v = np.ones(len(x_s)), np.ones(len(x_t))
    for _ in range(rounds):
        u = 1 / len(x_s) / np.maximum(kernel @ v, 1e-300)
        v = 1 / len(x_t) / np.maximum(kernel.T @ u, 1e-300)
    found = u[:, None] * kernel * v[None]
    return found @ x_t / np.maximum(found.sum(1, keepdims=True), 1e-300), np.asarray(x_t, float)
