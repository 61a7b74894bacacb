"""How a trial begins, and how its memory is renewed over the whole target."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.keys import named
from tl_jax.core.trees import flatten, unflatten
from tl_jax.core.types import Array, Labeled, Model, Tree
from tl_jax.methods.contract import Example
from tl_jax.training.forward import initial_stats, stats_of
from tl_jax.training.recipe import Recipe, whereabouts
from tl_jax.training.state import Data, Start, State, domains_of, model_of, target_model

SOURCE_HEAD = "source_head/"


def create(recipe: Recipe, data: Data, start: Start) -> State:
    """The state before step 0, without its optimiser (see `with_optimizer`)."""
    network, method, key = recipe.network, recipe.method, jax.random.key(start.seed)
    first = data.sources[0][0] if data.target is None else data.target
    example = first[jnp.arange(2)]
    params, fresh = network.init(named(key, "network"), example)
    stats: Mapping[str, Tree] = initial_stats(recipe.plan, fresh, domains_of(data))
    source_head: dict[str, Array] = {}
    if start.model is not None:
        pretrained, stats = start.model
        source_head = {path: x for path, x in pretrained.items() if path.startswith(SOURCE_HEAD)}
        params = unflatten(flatten(params) | {path: x for path, x in pretrained.items() if path not in source_head})
    head = unflatten(source_head)[SOURCE_HEAD[:-1]] if source_head else params["head"]
    model = Model(params, stats, {}, {"head": head})
    shown, _ = network.apply(params, stats_of(stats, "target"), example, train=False)
    labelled = 0 if method.survey is None else len(_listed(data, start.rows))
    seen = Example(shown.features, shown.logits, example, len(data.sources), labelled)
    own = method.init(named(key, "method"), seen, model)
    flat = flatten(params) | flatten(own.params, "method")
    step = jnp.zeros((), jnp.int32)
    seed = jnp.asarray(start.seed, jnp.uint32)
    state = State(step, seed, flat, stats, {}, own.memory, dict(start.values), start.rows)
    if method.refresh is not None:
        state = refreshed(recipe, state, data.target)
    return state if method.survey is None else _surveyed(recipe, state, data)


def refreshed(recipe: Recipe, state: State, x_t: Array | None) -> State:
    """The state with the memory that the method makes of the whole target x_t [m, ...]; UserError without one."""
    refresh, at = recipe.method.refresh, whereabouts(recipe, state)
    assert refresh is not None
    if x_t is None:
        raise UserError("The method computes its memory over the target, and nothing of a target is given here.")
    # A key of its own: what a refresh draws is not what the step beside it draws.
    at = at._replace(key=named(at.key, "refresh"))
    return state._replace(memory=refresh(recipe.network, target_model(model_of(state)), x_t, at))


def _listed(data: Data, rows: Array | None) -> Array:
    """The labelled rows of the last source: those of the trial, where it has some of its own."""
    listed = data.list_of(len(data.sources) - 1) if rows is None else rows
    return jnp.arange(len(data.sources[-1][0])) if listed is None else listed


def _surveyed(recipe: Recipe, state: State, data: Data) -> State:
    """The state with the memory that the method makes of all labelled examples of the target."""
    survey = recipe.method.survey
    assert survey is not None
    x, y = data.sources[-1]
    rows = _listed(data, state.rows)
    seen = Labeled(x[rows], y[rows], rows)
    return state._replace(memory=survey(recipe.network, target_model(model_of(state)), seen))
