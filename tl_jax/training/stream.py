"""Test time: a stream is predicted batch by batch, and each batch is learnt from once it is predicted."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, Batch, Unlabeled
from tl_jax.training.predict import predicted
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import State
from tl_jax.training.step import make_update


class Streamed(NamedTuple):
    """After a stream: the state, what was said of every example [n, c] when it came, the logged scalars by batch."""

    state: State
    logits: Array
    logged: Mapping[str, Array]


def make_stream(recipe: Recipe, factors: Mapping[str, float]) -> Callable[[State, Array], Streamed]:
    """stream(state, x [n, ...]) -> Streamed: n examples in their order, `recipe.batch_size` at a time, one scan.

    Every example is predicted once, before any step has seen it; a rest that fills no batch is a smaller one. There
    are no labels to read. A pure function of the state: trials are vmapped, and a stream goes on where the last ended.
    A method that neither trains nor remembers is asked for its predictions alone; one that is episodic learns from each
    example by itself before it is predicted, and keeps nothing of it.
    """
    update, method = make_update(recipe, factors), recipe.method
    learns = method.trained or method.after is not None

    def together(state: State, seen: Unlabeled) -> tuple[State, tuple[Array, dict[str, Array]]]:
        logits = predicted(recipe, state, seen.x, "target").logits
        state, logged = update(state, recipe.place_batch(Batch((), seen))) if learns else (state, {})
        return state, (logits, logged)

    def alone(state: State, seen: Unlabeled) -> tuple[State, tuple[Array, dict[str, Array]]]:
        def learnt(seen: Unlabeled) -> tuple[Array, dict[str, Array]]:
            batch = jax.tree.map(lambda a: a[None], seen)
            # Each draws for itself.
            begun = state._replace(seed=state.seed + seen.index.astype(state.seed.dtype))
            after, logged = update(begun, recipe.place_batch(Batch((), batch)))
            return predicted(recipe, after, batch.x, "target").logits[0], logged

        logits, logged = jax.lax.map(learnt, seen)
        return state._replace(step=state.step + 1), (logits, jax.tree.map(lambda a: a.mean(0), logged))

    one = alone if method.episodic else together

    def stream(state: State, x: Array) -> Streamed:
        n, size = len(x), recipe.batch_size
        whole = n // size * size
        rows = jnp.arange(n)
        batches = jax.tree.map(lambda a: a[:whole].reshape(-1, size, *a.shape[1:]), Unlabeled(x, rows))
        state, (logits, logged) = jax.lax.scan(one, state, batches)
        logits = logits.reshape(whole, *logits.shape[2:])
        if whole < n:
            state, (last, told) = one(state, Unlabeled(x[whole:], rows[whole:]))
            logits = jnp.concatenate([logits, last])
            logged = jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), logged, told)
        return Streamed(state, logits, logged)

    return stream
