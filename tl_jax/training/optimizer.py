"""Optimisers whose learning rate and weight decay are arrays: sweeping them does not recompile."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from tl_jax.core.types import Array

B1, B2, EPSILON = 0.9, 0.999, 1e-8


class Adam(NamedTuple):
    """Steps taken, both moments by path, and for what was thawed after the first step the count at which it was."""

    count: Array
    mu: dict[str, Array]
    nu: dict[str, Array]
    start: dict[str, Array]


def scale_by_adam() -> optax.GradientTransformation:
    """m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps), t the steps of each parameter since it is trained.

    Zero moments under a count of their own: with that of the others the first steps of a thawed parameter would be up
    to 6.5 times as long as the learning rate. Kingma & Ba 2015, arXiv:1412.6980.
    """
    rule = optax.scale_by_adam(B1, B2, EPSILON)

    def init(params: Any) -> Any:
        begun: Any = rule.init(params)
        return Adam(*begun, start={})

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        found: Any = rule.update(updates, optax.ScaleByAdamState(*state[:3]), params)
        raw, (count, mu, nu) = found
        for path, start in state.start.items():
            steps = (count - start).astype(mu[path].dtype)
            m, v = mu[path] / (1 - B1**steps), nu[path] / (1 - B2**steps)
            raw = {**raw, path: m / (jnp.sqrt(v) + EPSILON)}
        return raw, Adam(count, mu, nu, state.start)

    return optax.GradientTransformation(init, update)


RULES: Mapping[str, Callable[[], optax.GradientTransformation]] = {
    "adamw": scale_by_adam,
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


UNDECAYED = ("bias", "class_token", "position")
"""Names of parameters that do not decay whatever their shape: biases of attention are [heads, d]."""


def optimizer(name: str) -> Optimizer:
    """`adamw` (Loshchilov & Hutter 2019) or `sgd` (Nesterov momentum .9), with decoupled weight decay.

    Decay falls on matrices and kernels only: biases, the affine parameters of normalisation, and a ViT's class token
    and positions are left out. Decoupled, it does not pass through the momentum: with `sgd` a coefficient shrinks
    weights about a tenth as fast as where decay is part of the gradient, as in most papers, whose 1e-3 is 1e-2 here.
    """
    rule = RULES[name]()
    decays = lambda path, x: x.ndim > 1 and path.rpartition("/")[2] not in UNDECAYED

    def update(grads: Mapping[str, Array], state: Any, params: Mapping[str, Array], rates: Rates):
        raw: Any
        raw, state = rule.update(grads, state, params)

        def one(path: str) -> Array:
            decay = rates.weight_decay * params[path] if decays(path, params[path]) else 0.0
            return -rates.lr * rates.factors[path] * (raw[path] + decay)

        return {path: one(path) for path in grads}, state

    return Optimizer(rule.init, update)


def counted(state: Any, old: Any) -> Any:
    """A state that took over what `old` had, in which the steps of all else are counted from here."""
    if not isinstance(state, Adam) or not isinstance(old, Adam):
        return state
    late = [path for path in state.mu if path in old.start or path not in old.mu]
    return state._replace(start={path: jnp.array(old.start.get(path, old.count)) for path in late})


def clip(grads: Mapping[str, Array], largest: float) -> tuple[dict[str, Array], Array]:
    """Gradients scaled to a global norm of at most `largest` (0: not at all), and the norm before that.

    Only trained parameters have gradients here, so frozen ones never count.
    """
    norm = optax.tree.norm(grads)
    if not largest:
        return dict(grads), norm
    scale = jnp.minimum(1.0, largest / jnp.maximum(norm, 1e-12))
    return jax.tree.map(lambda g: g * scale, dict(grads)), norm
