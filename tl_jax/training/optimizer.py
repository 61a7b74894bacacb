"""Optimisers whose learning rate and weight decay are arrays: sweeping them does not recompile."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from tl_jax.core.types import Array

RULES: Mapping[str, Callable[[], optax.GradientTransformation]] = {
    "adamw": optax.scale_by_adam,
    "sgd": lambda: optax.trace(0.9, nesterov=True),
}


class Optimizer(NamedTuple):
    """init(params) -> state; update(grads, state, params, rates) -> (updates, state), on flat dicts."""

    init: Callable
    update: Callable


class Rates(NamedTuple):
    """lr: step size; weight_decay: decoupled (updates -lr * weight_decay * w); factors: {path: lr factor}."""

    lr: Array
    weight_decay: Array
    factors: Mapping[str, float]


def optimizer(name: str) -> Optimizer:
    """`adamw` (Loshchilov & Hutter 2019) or `sgd` (Nesterov momentum .9), with decoupled weight decay.

    Decay falls on matrices and kernels only: biases and the affine parameters of normalisation are left out. Decoupled,
    it does not pass through the momentum: with `sgd` a coefficient shrinks weights about a tenth as fast as where decay
    is part of the gradient, as in most papers, whose 1e-3 is 1e-2 here.
    """
    rule = RULES[name]()

    def update(grads, state, params, rates: Rates):
        raw: Any
        raw, state = rule.update(grads, state, params)

        def one(path: str) -> Array:
            decay = rates.weight_decay * params[path] if params[path].ndim > 1 else 0.0
            return -rates.lr * rates.factors[path] * (raw[path] + decay)

        return {path: one(path) for path in grads}, state

    return Optimizer(rule.init, update)


def clip(grads: Mapping[str, Array], largest: float) -> tuple[dict[str, Array], Array]:
    """Gradients scaled to a global norm of at most `largest` (0: not at all), and the norm before that.

    Only trained parameters have gradients here, so frozen ones never count.
    """
    norm = optax.tree.norm(grads)
    if not largest:
        return dict(grads), norm
    scale = jnp.minimum(1.0, largest / jnp.maximum(norm, 1e-12))
    return jax.tree.map(lambda g: g * scale, dict(grads)), norm
