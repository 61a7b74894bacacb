"""Features in the plane, whatever they are: a picture must not end a run."""

import numpy as np

FEWEST = 12
"""Examples under which neighbours say nothing and the two principal axes are shown."""


def projected(x: np.ndarray) -> tuple[np.ndarray, str]:
    """Coordinates [n, 2] of features [n, d] and the name of the projection: t-SNE, or PCA where t-SNE means nothing.

    PCA: of few examples, of features of less than three dimensions, and of collapsed ones (fewer than FEWEST different
    rows), whose equal neighbours are what its tree of distances breaks on. What is not finite is at the origin.
    """
    if not len(x):
        return np.zeros((0, 2)), "PCA"
    x = np.asarray(x, np.float64).reshape(len(x), -1)
    x = np.where(np.isfinite(x), x, 0.0)
    x = x / max(float(np.abs(x).max(initial=0.0)), 1e-300)  # squares of 1e200 are not numbers any more
    axes = principal(x)
    rows = len(np.unique(np.round(axes, 9), axis=0))
    if x.shape[1] < 3 or rows < FEWEST:
        return axes, "PCA"
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    start = (1e-4 * axes / axes[:, 0].std()).astype(np.float32)
    # One thread: t-SNE's own wait in busy loops for each other, many times slower on a shared machine.
    with threadpool_limits(1):
        found = TSNE(perplexity=min(30, len(x) // 4), init=start, random_state=0).fit_transform(x / x.std())
    return (found, "t-SNE") if np.isfinite(found).all() else (axes, "PCA")


def principal(x: np.ndarray) -> np.ndarray:
    """Coordinates [n, 2] along the two axes of greatest variance, zeros where there is none."""
    left, sizes, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    axes = left[:, :2] * sizes[:2]
    return np.pad(axes, ((0, 0), (0, 2 - axes.shape[1])))
