"""Optimisers whose learning rate and weight decay are arrays: sweeping them does not recompile."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from tl_jax.core.types import Array


class Adam(NamedTuple):
    """Steps taken, both moments by path, and for what was thawed after the first step the count at which it was."""

    count: Array
    mu: dict[str, Array]
    nu: dict[str, Array]
    start: dict[str, Array]


def scale_by_adam(b1: float, b2: float, epsilon: float) -> optax.GradientTransformation:
    """m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps), t the steps of each parameter since it is trained.

    Zero moments under a count of their own: with that of the others the first steps of a thawed parameter would be up
    to 6.5 times as long as the learning rate. Kingma & Ba 2015, arXiv:1412.6980.
    """
    rule = optax.scale_by_adam(b1, b2, epsilon)

    def init(params: Any) -> Any:
        begun: Any = rule.init(params)
        return Adam(*begun, start={})

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        found: Any = rule.update(updates, optax.ScaleByAdamState(*state[:3]), params)
        raw, (count, mu, nu) = found
        for path, start in state.start.items():
            steps = (count - start).astype(mu[path].dtype)
            m, v = mu[path] / (1 - b1**steps), nu[path] / (1 - b2**steps)
            raw = {**raw, path: m / (jnp.sqrt(v) + epsilon)}
        return raw, Adam(count, mu, nu, state.start)

    return optax.GradientTransformation(init, update)


class Optimizer(NamedTuple):
    """init(params) -> state; update(grads, state, params, rates) -> (updates, state), on flat dicts."""

    init: Callable
    update: Callable


class Rates(NamedTuple):
    """lr: step size; weight_decay: the coefficient k of it; factors: {path: lr factor}."""

    lr: Array
    weight_decay: Array
    factors: Mapping[str, float]


UNDECAYED = ("bias", "class_token", "position", "position_bias", "registers")
"""Names of parameters that do not decay whatever their shape: biases of attention are [heads, d]."""


AS_IT_IS = optax.identity()


def _decay(path: str, x: Array, rates: Rates) -> Array | float:
    return rates.weight_decay * x if x.ndim > 1 and path.rpartition("/")[2] not in UNDECAYED else 0.0


def _decoupled(rule: optax.GradientTransformation, then: optax.GradientTransformation = AS_IT_IS) -> Optimizer:
    """Updates -lr * factor * then(rule(g) + k w): decay moves weights by itself, and no average remembers it."""

    def update(grads: Mapping[str, Array], state: Any, params: Mapping[str, Array], rates: Rates):
        raw: Any
        raw, state = rule.update(grads, state, params)
        raw = {path: raw[path] + _decay(path, params[path], rates) for path in grads}
        raw, _ = then.update(raw, then.init(params), params)
        return {path: -rates.lr * rates.factors[path] * raw[path] for path in grads}, state

    return Optimizer(rule.init, update)


def _coupled(rule: optax.GradientTransformation) -> Optimizer:
    """Updates -lr * factor * rule(g + k w): decay is part of the gradient, and passes its averages."""

    def update(grads: Mapping[str, Array], state: Any, params: Mapping[str, Array], rates: Rates):
        raw: Any
        whole = {path: g + _decay(path, params[path], rates) for path, g in grads.items()}
        raw, state = rule.update(whole, state, params)
        return {path: -rates.lr * rates.factors[path] * raw[path] for path in grads}, state

    return Optimizer(rule.init, update)


def adamw(b1: float = 0.9, b2: float = 0.999, epsilon: float = 1e-8) -> Optimizer:
    """Adam with decoupled decay. Loshchilov & Hutter 2019, arXiv:1711.05101."""
    return _decoupled(scale_by_adam(b1, b2, epsilon))


def adam(b1: float = 0.9, b2: float = 0.999, epsilon: float = 1e-8) -> Optimizer:
    """Adam with decay as a part of the gradient: large gradients then decay less. Kingma & Ba 2015, arXiv:1412.6980."""
    return _coupled(scale_by_adam(b1, b2, epsilon))


def _momentum(momentum: float, nesterov: bool) -> optax.GradientTransformation:
    return optax.trace(momentum, nesterov=nesterov) if momentum else AS_IT_IS


def sgd(momentum: float = 0.9, nesterov: bool = True) -> Optimizer:
    """m' = b m + g + k w; w' = w - lr (g + k w + b m'), without Nesterov w - lr m'; decay coupled, as in most papers.

    In the long run a coefficient shrinks weights 1 / (1 - b) times as fast as a decoupled one. Sutskever et al. 2013.
    """
    return _coupled(_momentum(momentum, nesterov))


def sgdw(momentum: float = 0.9, nesterov: bool = True) -> Optimizer:
    """The same with decoupled decay, which does not pass the momentum. Loshchilov & Hutter 2019, arXiv:1711.05101."""
    return _decoupled(_momentum(momentum, nesterov))


def lamb(b1: float = 0.9, b2: float = 0.999, epsilon: float = 1e-6) -> Optimizer:
    """AdamW whose step of an array is as long as the array, times lr: for large batches. You et al. 2020,
    arXiv:1904.00962."""
    return _decoupled(scale_by_adam(b1, b2, epsilon), optax.scale_by_trust_ratio())


def lion(b1: float = 0.9, b2: float = 0.99) -> Optimizer:
    """The sign of a momentum, with decoupled decay: takes a tenth of AdamW's lr. Chen et al. 2023, arXiv:2302.06675."""
    return _decoupled(optax.scale_by_lion(b1, b2))


OPTIMIZERS: Mapping[str, Callable[..., Optimizer]] = {
    "adamw": adamw,
    "adam": adam,
    "sgd": sgd,
    "sgdw": sgdw,
    "lamb": lamb,
    "lion": lion,
}
"""By name. Decay falls on matrices and kernels only: biases, the affine parameters of normalisation, and a ViT's class
token and positions are left out."""


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
