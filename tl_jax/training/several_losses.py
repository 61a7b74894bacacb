"""The gradient of a step that balances several losses: a strategy (balancing/contract.py) for the shared parameters,
each head its own loss.

A strategy that reads gradients takes one backward pass a loss, through the input that this loss reads; with a
forward plan that keeps the inputs apart, K tasks on K inputs cost what their sum costs.

What belongs to one task is trained by w_i L_i where the weights come from the losses alone, and by L_i / k where
the strategy combines gradients: the weights of a combination say nothing of how fast a head should learn.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from tl_jax.balancing.contract import Seen, afterwards, combine, shared_direction, weighted_loss
from tl_jax.core.errors import UserError
from tl_jax.core.keys import named
from tl_jax.core.types import Array
from tl_jax.methods.contract import Balancing, Method
from tl_jax.methods.hooks import TermsFn
from tl_jax.training.forward import Forward
from tl_jax.training.objective import Found, Surroundings, unweighted
from tl_jax.training.state import shared

MANY = 16
"""Every logged scalar is carried through the loop on the device; hundreds of them take minutes to compile."""

Parts = tuple[Method, Forward, TermsFn]
Now = tuple[Mapping[str, Array], Surroundings]


class Gradient(NamedTuple):
    """The gradient of the trained parameters, what was found with it, and the strategy's next memory.

    found.logged: every loss and "weight NAME" of each (of more than MANY the greatest), their weighted sum as "total".
    """

    grads: dict[str, Array]
    found: Found
    losses: Array
    memory: Any


def gradient(parts: Parts, now: Now, memory: Any) -> Gradient:
    """The balanced gradient of the losses at (trained, surroundings)."""
    balancing = parts[0].balancing
    assert balancing is not None
    needs = balancing.balance.needs
    find = _of_weighted_losses if needs == "losses" or not shared(now[0]) else _of_gradients
    grads, found, losses, (weights, memory) = find(parts, balancing, now, memory)
    if len(balancing.terms) > MANY:
        logged = {"greatest loss": losses.max(), "greatest weight": weights.max()}
    else:
        logged = found.logged | {f"weight {name}": w for name, w in zip(balancing.terms, weights, strict=True)}
    found = found._replace(logged={**logged, "total": weights @ losses})
    return Gradient(grads, found, losses, memory)


def after(parts: Parts, moved: Now, found: Gradient) -> Any:
    """The strategy's memory after the step, from the losses of the same batch where it asks for them."""
    balancing = parts[0].balancing
    assert balancing is not None
    if balancing.balance.after is None:
        return found.memory
    later = _stacked(unweighted(*parts)(*moved)[0], balancing)
    return afterwards(balancing.balance, found.memory, (found.losses, later), _present(balancing, moved[1]))


def _of_weighted_losses(parts: Parts, balancing: Balancing, now: Now, memory: Any):
    """One backward pass: grad of sum_i w_i L_i, w constant. Heads alone (no shared parameter trained): w_i = 1/k."""
    trained, around = now
    each, key = unweighted(*parts), named(around.at.key, "balance")

    def total(trained: Mapping[str, Array]):
        found, aux = each(trained, around)
        losses = _stacked(found, balancing)
        if balancing.balance.needs == "losses":
            value, told = weighted_loss(
                balancing.balance, memory, Seen(losses, key, present=_present(balancing, around))
            )
        else:
            value, told = losses.mean(), (jnp.full_like(losses, 1 / len(losses)), memory)
        return value, (aux, losses, told)

    grads, (aux, losses, told) = jax.grad(total, has_aux=True)(trained)
    return grads, aux, losses, told


def _of_gradients(parts: Parts, balancing: Balancing, now: Now, memory: Any):
    """One backward pass a loss; the passes of one input run together, vmapped over its losses."""
    # Backward: one pass an input, in which the passes of the other inputs stand still (K tasks cost their sum).
    trained, around = now
    method, forward, terms = parts
    found, rows = {}, {}
    aux: Any = None
    for i, names in enumerate(balancing.inputs):
        each = unweighted(method, forward._replace(only=f"source{i}"), terms)

        def of_input(trained: Mapping[str, Array], names: tuple[str, ...] = names, each: Callable = each):
            losses, aux = each(trained, around)
            return jnp.stack([losses[name] for name in names]), (losses, aux)

        values, pull, (found, aux) = jax.vjp(of_input, trained, has_aux=True)
        (jacobian,) = jax.vmap(pull)(jnp.eye(len(names), dtype=values.dtype))
        rows |= {name: jax.tree.map(lambda x, k=k: x[k], jacobian) for k, name in enumerate(names)}

    # Order: that of the strategy, and what belongs to one task apart from what all of them read.
    losses = _stacked(found, balancing)
    gradients = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(rows[name] for name in balancing.terms))
    common = shared(gradients)
    own = {path: g for path, g in gradients.items() if path not in common}

    # Combination: of the shared parameters by the strategy, of each task's own by the mean, since a combination's
    # weights may be zero or negative and say nothing of how fast a head should learn.
    key, present = named(around.at.key, "balance"), _present(balancing, around)
    seen = Seen(losses, key, gradients=common, present=present)
    direction, weights, memory = shared_direction(balancing.balance, memory, seen)
    return direction | combine(jnp.full_like(losses, 1 / len(losses)), own), aux, losses, (weights, memory)


def _present(balancing: Balancing, around: Surroundings) -> Array | None:
    """Which terms have a label in the batch [k]; None: all."""
    return None if balancing.present is None else balancing.present(around.batch)


def _stacked(losses: Mapping[str, Array], balancing: Balancing) -> Array:
    """In the strategy's order: a dict that went through JAX is sorted by name. Raises UserError for one it lacks."""
    if idle := sorted(set(losses) - set(balancing.terms)):
        raise UserError(f"Nothing weighs the term {', '.join(map(repr, idle))}: name it in the method's `balancing`.")
    return jnp.stack([losses[name] for name in balancing.terms])
