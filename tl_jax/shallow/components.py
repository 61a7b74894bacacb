"""Components along which the domains agree: TCA, and with classes JDA and BDA."""

import numpy as np
from scipy import linalg

Both = tuple[np.ndarray, np.ndarray]
DIMENSIONS, REGULAR, ROUNDS = 100, 1.0, 10


def tca(
    x_s: np.ndarray, y_s: np.ndarray, x_t: np.ndarray, dimensions: int = DIMENSIONS, regular: float = REGULAR
) -> Both:
    """Transfer components: z = A^T x, A = argmin tr(A^T X M X^T A) + regular ||A||^2 with A^T X H X^T A diagonal.

    X [d, n + m] has both domains as columns of length 1, H centres; M = e e^T / ||e e^T||_F, e = 1/n in the source and
    -1/m in the target: tr(A^T X M X^T A) is the squared distance of the means. Columns of A are the leading
    eigenvectors of the pencil (X H X^T, X M X^T + regular I), each of length 1: with A^T X H X^T A = I components of
    little variance would count as much as all others. z has rows of length 1. dimensions = 100, regular = 1 as in the
    literature. Pan et al. 2011 (IEEE TNN 22:199), in the form of Long et al. 2013.
    """
    return _adapted(x_s, y_s, x_t, (dimensions, regular), rounds=0, share=0.5)


def jda(
    x_s: np.ndarray,
    y_s: np.ndarray,
    x_t: np.ndarray,
    dimensions: int = DIMENSIONS,
    regular: float = REGULAR,
    rounds: int = ROUNDS,
) -> Both:
    """Joint distribution adaptation: TCA whose M also has a term a class, by the target's predicted labels.

    M = M_0 + sum_c M_c, then divided by its norm; M_c = e_c e_c^T, e_c = 1 / n_c in the source's class c and
    -1 / m_c among the targets that the nearest neighbour in the last round's coordinates says are of it. Begins with
    M_0 alone. The published code counts M_0 as often as there are classes. dimensions = 100, regular = 1, rounds = 10.
    Long et al. 2013 (ICCV).
    """
    return _adapted(x_s, y_s, x_t, (dimensions, regular), rounds, share=0.5)


def bda(
    x_s: np.ndarray,
    y_s: np.ndarray,
    x_t: np.ndarray,
    dimensions: int = DIMENSIONS,
    regular: float = REGULAR,
    rounds: int = ROUNDS,
    share: float = 0.7,
) -> Both:
    """Balanced distribution adaptation: JDA with M = (1 - share) M_0 + share * sum_c M_c.

    share in [0, 1]: 0 is TCA, .5 JDA. share = .7, between what the paper finds best on its sets.
    Wang et al. 2017 (ICDM), arXiv 1807.00516.
    """
    return _adapted(x_s, y_s, x_t, (dimensions, regular), rounds, share)


def _adapted(
    x_s: np.ndarray, y_s: np.ndarray, x_t: np.ndarray, how: tuple[int, float], rounds: int, share: float
) -> Both:
    n = len(x_s)
    x = _unit(np.concatenate([x_s, x_t]).astype(float))
    centred = x - x.mean(0)
    # In the examples' space where it is the smaller one: X = K, the linear kernel.
    if x.shape[1] > len(x):
        x = x @ x.T
        centred = x - x.mean(0)
    whole = np.r_[np.full(n, 1 / n), np.full(len(x) - n, -1 / (len(x) - n))][:, None]
    z = _components(x, centred, whole, how)
    for _ in range(rounds):
        said = nearest(z[:n], y_s, z[n:])
        by_class = [_of_class(y_s, said, c) for c in np.unique(y_s) if (said == c).any()]
        parts = [np.sqrt(1 - share) * whole, *(np.sqrt(share) * e for e in by_class)]
        z = _components(x, centred, np.concatenate(parts, 1), how)
    return z[:n], z[n:]


def _of_class(y_s: np.ndarray, said: np.ndarray, c: int) -> np.ndarray:
    """e_c [n + m, 1]."""
    of = np.r_[(y_s == c) / (y_s == c).sum(), -1.0 * (said == c) / (said == c).sum()]
    return of[:, None]


def _components(x: np.ndarray, centred: np.ndarray, e: np.ndarray, how: tuple[int, float]) -> np.ndarray:
    """z [n + m, k] of length 1, of x [n + m, d] with M = E E^T / ||E E^T||_F, E [n + m, terms]."""
    k = min(how[0], x.shape[1], len(x) - 1)
    pulled = x.T @ e
    between = pulled @ pulled.T / max(float(np.linalg.norm(e.T @ e)), 1e-300)
    d = x.shape[1]
    top = (max(0, d - k), d - 1)
    _, vectors = linalg.eigh(centred.T @ x, between + how[1] * np.eye(d), subset_by_index=top)
    return _unit(x @ _unit(vectors.T[::-1]).T)


def nearest(z_s: np.ndarray, y_s: np.ndarray, z_t: np.ndarray) -> np.ndarray:
    """The label [m] of the nearest source example of each target."""
    squares = np.square(z_s).sum(1)[None] - 2 * z_t @ z_s.T
    return y_s[squares.argmin(1)]


def _unit(x: np.ndarray) -> np.ndarray:
    """Rows of length 1; a row of zeros stays."""
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1.0)
