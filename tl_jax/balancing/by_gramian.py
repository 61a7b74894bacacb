"""Gradient balancing: the Gramian G = J J' [k, k] of k task gradients -> weights [k], the direction being J' w.

Each function is pure, has a fixed number of steps and no host solver, so it can be jitted and vmapped, and is
equivariant to the order of the tasks. Zero and repeated gradients give finite weights. The scales differ (sum, mean,
convex, fixed length); `contract.py` makes them comparable. Those that draw random orders are in `by_gradients.py`.
"""

import jax
import jax.numpy as jnp

from tl_jax.balancing.solvers import cosines, minimise, quadratic, utility
from tl_jax.core.matrices import eigh
from tl_jax.core.types import Array


def total(gramian: Array) -> Array:
    """The plain sum: w_i = 1. Gramian [k, k] -> [k]."""
    return jnp.ones(gramian.shape[0], gramian.dtype)


def mean(gramian: Array) -> Array:
    """The plain mean: w_i = 1 / k. Gramian [k, k] -> [k]."""
    return total(gramian) / gramian.shape[0]


def mgda(gramian: Array) -> Array:
    """The shortest vector of the convex hull of the gradients.

    w = argmin w'Gw,   w >= 0, sum w = 1;   then Gw >= w'Gw: no task loses, and w'Gw = 0 at a stationary point

    Args: gramian [k, k]. Returns [k]. A task with a zero gradient takes all the weight: nothing can improve
    without leaving its optimum. Desideri 2012; Sener & Koltun 2018, arXiv 1810.04650 (without its rescaling).
    """
    c, d = cosines(gramian)
    # With y = D w and the unit vector u ~ 1 / d, argmin over y >= 0 of y'Cy + (1 - u'y)^2 is the answer but
    # for its length, which the last line sets.
    u = d.min() / d
    u = u / jnp.linalg.norm(u)
    w = quadratic(c + u[:, None] * u[None, :], u) / (d / d.min())
    return w / w.sum()


def cagrad(gramian: Array, c: float = 0.4) -> Array:
    """The direction near the mean gradient that most helps the worst task.

    max over d of min_i g_i.d,  ||d - g_0|| <= c ||g_0||,  g_0 = mean g_i
    d = g_0 + c ||g_0|| / ||g_w|| g_w,   w = argmin over the simplex of g_w.g_0 + c ||g_0|| ||g_w||

    Args: gramian [k, k]; c >= 0: 0 is the mean, c >= 1 never opposes a task. Returns 1/k + c ||g_0|| / ||g_w|| w.
    Not divided by 1 + c^2. In float32 exact to 1e-4 while norms are within 1:10, to 3e-3 at 1:100. Liu et al. 2021,
    arXiv 2110.14048.
    """
    k = gramian.shape[0]
    size = jnp.trace(gramian) / k
    g = gramian / jnp.where(size > 0, size, 1.0)
    along = g.mean(1)
    radius = c * jnp.sqrt(jnp.maximum(along.mean(), 0.0))
    least = 10 * k * jnp.finfo(g.dtype).eps
    length = lambda w: jnp.sqrt(jnp.maximum(w @ g @ w, 0.0) + least)
    # F is homogeneous of degree one, so over w >= 0 the penalty (1 - sum w)^2 only sets the length of w.
    penalty = 2 * (jnp.abs(along).max() + radius * jnp.sqrt(jnp.diagonal(g).max() + least)) + least

    def derivatives(w: Array) -> tuple[Array, Array]:
        gw, n = g @ w, length(w)
        gradient = along + radius * gw / n + penalty * (w.sum() - 1)
        return gradient, radius * (g / n - gw[:, None] * gw[None, :] / n**3) + penalty + least * jnp.eye(k)

    w = minimise(derivatives, jnp.full((k,), 1 / k, g.dtype))
    w = w / w.sum()
    return 1 / k + jnp.where(jnp.diagonal(g) > 0, radius / length(w) * w, 0.0)


def fairgrad(gramian: Array, alpha: float = 1.0) -> Array:
    """Weights for alpha-fair improvements g_i.d.

    G w = w^(-1/alpha),   w > 0:   the minimum of w'Gw / 2 - sum_i phi(w_i), phi' = w^(-1/alpha)

    Args: gramian [k, k]; alpha > 0: 1 is Nash's bargaining solution, larger values approach max-min fairness.
    Returns [k], 0 where the gradient is zero. Ban & Ji 2024, arXiv 2402.15638.
    """
    c, d = cosines(gramian)
    # With y = D w: C y = y^(-1/alpha) d^(1/alpha - 1). The mean length is taken out first to avoid overflow.
    size = jnp.exp(jnp.log(d).mean())
    y = utility(c, (d / size) ** (1 / alpha - 1), 1 / alpha)
    w = y / (d / size) * size ** (-2 * alpha / (1 + alpha))
    return jnp.where(jnp.diagonal(gramian) > 0, w, 0.0)


def nash_mtl(gramian: Array) -> Array:
    """Nash's bargaining solution.

    G w = 1 / w,   w > 0;   ||J'w||^2 = w'Gw = k whatever the gradients: the step's length is fixed

    Args: gramian [k, k]. Returns [k], 0 where the gradient is zero. The equation is solved exactly by Newton's
    method on a convex function, not by a sequence of linearised programs. Navon et al. 2022, arXiv 2202.01017.
    """
    return fairgrad(gramian, 1.0)


def upgrad(gramian: Array) -> Array:
    """The mean of the gradients, each projected on the cone of directions that hurt no task.

    w = (1/k) sum_i argmin v'Gv,  v >= e_i;   then Gw >= 0

    Args: gramian [k, k]. Returns [k]. Quinton & Rey 2024, arXiv 2406.16232.
    """
    c, d = cosines(gramian)
    moves = jnp.diagonal(gramian) > 0
    # With v = d_i D^-1 (e_i + x): minimise over x >= 0.
    extra = jax.vmap(lambda row: quadratic(c, -row))(c) * moves[None, :]
    projected = jnp.eye(len(d), dtype=c.dtype) + d[:, None] * extra / d[None, :]
    return projected.mean(0)


def aligned_mtl(gramian: Array) -> Array:
    """Mean of the gradients' nearest orthogonal system, its length the smallest singular value.

    w = B 1/k,   B = sqrt(lambda_r) V_r Lambda_r^(-1/2) V_r',   G = V Lambda V',  r = rank of G

    Args: gramian [k, k]. Returns [k], 0 if G = 0. Eigenvalues under 10 k eps lambda_max count as
    zero: of two gradients in float32 a singular value under 1/650 of the other.
    Senushkin et al. 2023, arXiv 2305.19000.
    """
    values, vectors = eigh(gramian)
    # eigh leaves errors of eps lambda_max in every eigenvalue: ten times that is where rank ends.
    kept = (values > 10 * len(values) * jnp.finfo(values.dtype).eps * values[-1]) & (values > 0)
    smallest = jnp.min(jnp.where(kept, values, jnp.inf))
    ratio = jnp.where(kept, jnp.sqrt(smallest / jnp.where(kept, values, 1.0)), 0.0)
    return vectors @ (ratio * vectors.mean(0))


def imtl_g(gramian: Array) -> Array:
    """Equal projections on all gradient directions.

    w = D^-1 C^+ 1 / sum(D^-1 C^+ 1),   d_i = sqrt(G_ii):   g_i.(J'w) / ||g_i|| is the same for every i

    D = diag(d), C = D^-1 G D^-1. Args: gramian [k, k]. Returns [k], sum 1, of either sign; 1/k where D^-1 C^+ 1 sums to
    zero. Zero gradients get 0. For independent gradients D^-1 C^+ 1 = G^+ d; for dependent ones the two differ, and
    this one does not depend on the gradients' lengths. Nearly dependent ones lose precision: cosines of
    +-.15 instead of 0 at an angle of 1e-3 in float32.
    Liu et al. 2021, ICLR (IMTL).
    """
    c, d = cosines(gramian)
    values, vectors = eigh(c)
    kept = values > 30 * len(d) * jnp.finfo(c.dtype).eps * values[-1]
    inverse = jnp.where(kept, 1 / jnp.where(kept, values, 1.0), 0.0)
    moves = jnp.diagonal(gramian) > 0
    w = jnp.where(moves, vectors @ (inverse * (vectors.T @ moves.astype(c.dtype))) * (d.min() / d), 0.0)
    whole = w.sum()
    sound = jnp.abs(whole) > 1e-6 * jnp.abs(w).sum()
    return jnp.where(sound, w / jnp.where(sound, whole, 1.0), 1 / len(d))
