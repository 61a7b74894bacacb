"""Linear maps that bring second moments or subspaces together."""

import numpy as np
from scipy import linalg

Both = tuple[np.ndarray, np.ndarray]


def coral(x_s: np.ndarray, y_s: np.ndarray, x_t: np.ndarray) -> Both:
    """The source whitened and coloured as the target: z_s = x_s C_s^(-1/2) C_t^(1/2), z_t = x_t.

    C = cov(x) + I (biased by n - 1), so that no direction is divided by nothing. x_s [n, d], x_t [m, d].
    Sun, Feng & Saenko 2016, arXiv 1511.05547.
    """
    c_s, c_t = (np.cov(x, rowvar=False).reshape(x.shape[1], -1) + np.eye(x.shape[1]) for x in (x_s, x_t))
    return x_s @ _power(c_s, -0.5) @ _power(c_t, 0.5), np.asarray(x_t, float)


def subspace_alignment(x_s: np.ndarray, y_s: np.ndarray, x_t: np.ndarray, dimensions: int = 20) -> Both:
    """The source's principal axes turned to the target's: z_s = x_s P_s P_s^T P_t, z_t = x_t P_t, both centred.

    P [d, k]: the k directions of greatest variance of a domain. k = 20 (the paper chooses it by a bound; in the
    literature 10 to 80), at most what both domains have. Fernando et al. 2013 (ICCV).
    """
    p_s, p_t = (_axes(x, _most(dimensions, x_s, x_t)) for x in (x_s, x_t))
    return _centred(x_s) @ p_s @ (p_s.T @ p_t), _centred(x_t) @ p_t


def geodesic_flow_kernel(x_s: np.ndarray, y_s: np.ndarray, x_t: np.ndarray, dimensions: int = 20) -> Both:
    """All subspaces between the domains' at once: <z, z'> = x^T G x', G the integral of P(t) P(t)^T over t in [0, 1].

    P(t) is the geodesic from P_s to P_t, the k principal axes of each domain. With cos t_i the singular values of
    P_s^T P_t = U c V^T and R_s^T P_t = -W s V^T, G = [P_s U, R_s W] [[A, B], [B, D]] [P_s U, R_s W]^T with
    A = 1 + sin 2t / 2t, B = (cos 2t - 1) / 2t, D = 1 - sin 2t / 2t, up to a factor of 2.
    z = x G^(1/2), centred. k = 20. Gong et al. 2012 (CVPR).
    """
    k = _most(dimensions, x_s, x_t)
    p_s, p_t = _axes(x_s, k), _axes(x_t, k)
    u, cosine, vt = np.linalg.svd(p_s.T @ p_t)
    angle = np.arccos(np.clip(cosine, -1, 1))
    # The part of P_t outside of P_s, along each pair of principal vectors: -R_s W sin t.
    outside = (p_t - p_s @ (p_s.T @ p_t)) @ vt.T
    length = np.linalg.norm(outside, axis=0)
    beside = -outside / np.where(length > 1e-9, length, 1.0)
    both = np.concatenate([p_s @ u, beside], 1)
    twice = np.maximum(2 * angle, 1e-12)
    a, d = 1 + np.sin(twice) / twice, 1 - np.sin(twice) / twice
    b = (np.cos(twice) - 1) / twice
    middle = np.block([[np.diag(a), np.diag(b)], [np.diag(b), np.diag(d)]])
    root = both @ _power(middle, 0.5)  # G = root root^T, [d, 2k]
    return _centred(x_s) @ root, _centred(x_t) @ root


def _most(dimensions: int, x_s: np.ndarray, x_t: np.ndarray) -> int:
    """As many as asked for, at most what both domains have."""
    return max(1, min(dimensions, x_s.shape[1], len(x_s) - 1, len(x_t) - 1))


def _centred(x: np.ndarray) -> np.ndarray:
    return np.asarray(x - x.mean(0), float)


def _axes(x: np.ndarray, k: int) -> np.ndarray:
    """The k principal axes [d, k] of x [n, d]."""
    return np.linalg.svd(_centred(x), full_matrices=False)[2][:k].T


def _power(c: np.ndarray, power: float) -> np.ndarray:
    """A power of a positive semi-definite matrix."""
    values, vectors = linalg.eigh(c)
    least = 0.0 if power > 0 else 1e-12
    return (vectors * np.maximum(values, least) ** power) @ vectors.T
