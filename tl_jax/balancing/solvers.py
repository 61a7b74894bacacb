"""Small convex problems over x >= 0, solved on the device in a fixed number of steps, so that they can be vmapped.

Every problem here is about the Gramian of k task gradients. Its rows are first divided by the gradients' norms:
the constraint x >= 0 does not notice, and a task whose gradient is 1e-4 of another's keeps its digits.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from tl_jax.core.matrices import solve
from tl_jax.core.types import Array


def cosines(gramian: Array) -> tuple[Array, Array]:
    """Gradients of unit length: C = D^-1 G D^-1 + reg I and their lengths d, D = diag(d), d_i = sqrt(G_ii).

    Args: gramian [k, k]. Returns C [k, k] and d [k], both finite: a length under 1e-6 of the longest counts as
    that (a zero gradient has a zero row in C), and where all are zero d = 1. reg = 10 k eps keeps C definite
    in the presence of duplicates and of rounding.
    """
    k = gramian.shape[0]
    norms = jnp.sqrt(jnp.maximum(jnp.diagonal(gramian), 0.0))
    longest = norms.max()
    d = jnp.where(longest > 0, jnp.maximum(norms, 1e-6 * longest), 1.0)
    reg = 10 * k * jnp.finfo(gramian.dtype).eps
    # One division after the other: the product of two small lengths underflows before the quotient does.
    return gramian / d[:, None] / d[None, :] + reg * jnp.eye(k, dtype=gramian.dtype), d


def minimise(derivatives: Callable[[Array], tuple[Array, Array]], start: Array, iterations: int = 40) -> Array:
    """argmin over x >= 0 of a convex f, by a primal-dual interior-point method.

    Newton steps on  f'(x) = s,  x_i s_i = mu,  with mu falling to rounding;  x, s > 0 throughout

    Args: derivatives: x [k] -> (gradient [k], Hessian [k, k]); start [k] > 0, of the size of the answer.
    Returns [k] > 0. Nocedal & Wright 2006, chapter 19.
    """
    k = start.shape[0]
    least = jnp.finfo(start.dtype).eps ** 1.5

    def body(_: Array, now: Any):
        x, s = now
        gradient, hessian = derivatives(x)
        target = jnp.maximum(0.1 * (x @ s) / k, least) / x
        dx = solve(hessian + jnp.diag(s / x), target - gradient)
        ds = target - s - s / x * dx
        step = jnp.minimum(1.0, 0.95 / jnp.maximum(jnp.max(-dx / x), jnp.max(-ds / s)).clip(1e-3))
        moved = (x + step * dx, s + step * ds)
        sound = jnp.isfinite(moved[0]).all() & jnp.isfinite(moved[1]).all()
        return jax.tree.map(lambda new, old: jnp.where(sound, new, old), moved, now)

    return jax.lax.fori_loop(0, iterations, body, (start, jnp.ones_like(start)))[0]


def quadratic(q: Array, b: Array) -> Array:
    """argmin over x >= 0 of x'Qx / 2 - b'x.

    Args: q [k, k] symmetric positive definite, of order one; b [k]. Returns [k].
    """
    return minimise(lambda x: (q @ x - b, q), jnp.ones_like(b))


def utility(c: Array, a: Array, power: float, iterations: int = 40) -> Array:
    """The x > 0 with C x = a x^-power: the minimum of x'Cx / 2 - sum_i a_i phi(x_i), phi' = x^-power.

    Newton steps with halving until Armijo's condition holds.

    Args: c [k, k] symmetric positive definite with diagonal near 1; a [k] > 0; power > 0. Returns [k].
    """

    def value(x: Array) -> Array:
        phi = jnp.log(x) if power == 1 else x ** (1 - power) / (1 - power)
        return x @ c @ x / 2 - a @ phi

    halves = 0.5 ** jnp.arange(12, dtype=a.dtype)

    def body(_: Array, x: Array) -> Array:
        gradient = c @ x - a * x**-power
        dx = -solve(c + jnp.diag(power * a * x ** (-power - 1)), gradient)
        steps = halves * jnp.minimum(1.0, 0.95 / jnp.max(-dx / x).clip(1e-3))
        now, tried = value(x), jax.vmap(lambda t: value(x + t * dx))(steps)
        # The slack lets full steps through at the end, where values differ by rounding alone.
        slack = 10 * jnp.finfo(a.dtype).eps * (jnp.abs(now) + 1)
        good = tried <= now + 1e-4 * steps * (gradient @ dx) + slack
        moved = x + jnp.where(good.any(), steps[jnp.argmax(good)], 0.0) * dx
        return jnp.where(jnp.isfinite(moved).all(), moved, x)

    return jax.lax.fori_loop(0, iterations, body, a ** (1 / (1 + power)))
