"""Linear probes of frozen features: ridge in closed form, multinomial logistic regression, and the proxy A-distance.

Features are standardised with the training rows' statistics. The regularisation is explicit: print it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from tl_jax.core.errors import UserError
from tl_jax.core.matrices import solve_positive
from tl_jax.core.types import Array


class Linear(NamedTuple):
    """logits = ((x - mean) / scale) kernel + bias: mean [d], scale [d], kernel [d, c], bias [c]."""

    mean: Array
    scale: Array
    kernel: Array
    bias: Array


def logits(model: Linear, x: Array) -> Array:
    """Scores of x [m, d] under a linear model: [m, c]."""
    return _scaled(x, model.mean, model.scale) @ model.kernel + model.bias[None, :]


def accuracy(model: Linear, x: Array, y: Array) -> float:
    """Share of x [m, d] whose largest score is at y [m]."""
    return float((logits(model, jnp.asarray(x)).argmax(-1) == jnp.asarray(y)).mean())


@partial(jax.jit, static_argnames="classes")
def ridge_probe(x: Array, y: Array, classes: int, l2: float | Array = 1.0) -> Linear:
    """Least squares on labels -1 / +1 with a penalty, in closed form.

    min over W, b of ||Z W + b - T||^2 + l2 ||W||^2,   Z standardised x, T_ic = +1 if y_i = c, else -1
    W = (Z'Z + l2 I)^-1 Z'T,  or  Z' (Z Z' + l2 I)^-1 T  where d > n;   b = mean of T

    Args: x [n, d], y [n] int in [0, classes), l2 > 0 may be traced. The intercept is not penalised.
    """
    mean, scale = _statistics(x)
    z = _scaled(x, mean, scale)
    targets = 2 * jax.nn.one_hot(y, classes, dtype=x.dtype) - 1
    bias = targets.mean(0)
    centred = targets - bias[None, :]
    n, d = x.shape
    product = partial(jnp.matmul, precision="highest")
    if d > n:
        kernel = product(z.T, solve_positive(product(z, z.T) + l2 * jnp.eye(n, dtype=x.dtype), centred))
    else:
        kernel = solve_positive(product(z.T, z) + l2 * jnp.eye(d, dtype=x.dtype), product(z.T, centred))
    return Linear(mean, scale, kernel, bias)


@partial(jax.jit, static_argnames=("classes", "steps"))
def logistic_probe(x: Array, y: Array, classes: int, l2: float | Array = 1.0, *, steps: int = 200) -> Linear:
    """Multinomial logistic regression with a penalty, by full-batch L-BFGS.

    min over W, b of sum_i -log softmax(z_i W + b)[y_i] + (l2 / 2) ||W||^2   (scikit-learn's C is 1 / l2)

    Args: x [n, d], y [n] int in [0, classes); l2 > 0 may be traced; at most `steps` steps, fewer where the mean
    gradient falls under 1e-6 (1e-9 in double precision). The intercept is not penalised.
    """
    mean, scale = _statistics(x)
    z = _scaled(x, mean, scale)
    n = len(x)

    def objective(params: tuple[Array, Array]) -> Array:
        kernel, bias = params
        scores = jnp.matmul(z, kernel, precision="highest") + bias[None, :]
        losses = optax.losses.softmax_cross_entropy_with_integer_labels(scores, y)
        return losses.mean() + l2 / (2 * n) * (kernel * kernel).sum()

    start = (jnp.zeros((x.shape[1], classes), x.dtype), jnp.zeros(classes, x.dtype))
    kernel, bias = _lbfgs(objective, start, steps)
    return Linear(mean, scale, kernel, bias)


def a_distance(x_s: Array, x_t: Array, key: Array, *, l2: float = 1.0) -> float:
    """Proxy A-distance of two domains, from the error of a linear domain classifier on held-out halves.

    d_A = 2 (1 - 2 e),   e = mean of the two domains' error rates, so that their sizes do not matter

    Args: x_s [n, d], x_t [m, d], n and m >= 4; key splits each into halves. Returns a value in [-2, 2]: 2 if they
    can be told apart, 0 if not, below 0 by chance alone. Ben-David et al. 2010, Machine Learning 79.
    Raises: UserError for fewer than four rows.
    """
    if min(len(x_s), len(x_t)) < 4:
        raise UserError(f"The A-distance needs at least 4 examples of each domain, got {len(x_s)} and {len(x_t)}.")
    halves = [_halves(jnp.asarray(x), k) for x, k in zip((x_s, x_t), jax.random.split(key), strict=True)]
    (train_s, test_s), (train_t, test_t) = halves
    y = jnp.repeat(jnp.arange(2), jnp.asarray([len(train_s), len(train_t)]), total_repeat_length=_rows(halves))
    model = logistic_probe(jnp.concatenate([train_s, train_t]), y, 2, l2)
    right = (accuracy(model, test_s, jnp.zeros(len(test_s))) + accuracy(model, test_t, jnp.ones(len(test_t)))) / 2
    return 2 * (2 * right - 1)


def _lbfgs(objective: Callable[[Any], Array], start: Any, steps: int) -> Any:
    solver = optax.lbfgs()
    derivative = optax.value_and_grad_from_state(objective)
    tolerance = 1e-9 if start[0].dtype == jnp.float64 else 1e-6

    def body(carry):
        params, state, count, _ = carry
        value, gradient = derivative(params, state=state)
        updates, state = solver.update(gradient, state, params, value=value, grad=gradient, value_fn=objective)
        largest = jnp.max(jnp.stack([jnp.abs(g).max() for g in jax.tree.leaves(gradient)]))
        return optax.apply_updates(params, updates), state, count + 1, largest

    carry = (start, solver.init(start), jnp.int32(0), jnp.asarray(jnp.inf, start[0].dtype))
    return jax.lax.while_loop(lambda c: (c[2] < steps) & (c[3] > tolerance), body, carry)[0]


def _statistics(x: Array) -> tuple[Array, Array]:
    scale = x.std(0)
    return x.mean(0), jnp.where(scale > 1e-6 * jnp.abs(x).max(), scale, 1.0)


def _scaled(x: Array, mean: Array, scale: Array) -> Array:
    return (x - mean[None, :]) / scale[None, :]


def _halves(x: Array, key: Array) -> tuple[Array, Array]:
    x = jax.random.permutation(key, x)
    return x[: len(x) // 2], x[len(x) // 2 :]


def _rows(halves) -> int:
    return sum(len(train) for train, _ in halves)
