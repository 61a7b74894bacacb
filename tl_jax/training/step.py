"""The training step and the loop on the device.

What a method is made of (terms, phases, memory, a balance of losses) is read from `Method`; of the single methods, the
kinds of transfer, evaluation and files it knows nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from tl_jax.core.keys import named
from tl_jax.core.schedules import LR_SCHEDULES
from tl_jax.core.trees import flatten
from tl_jax.core.types import Array, At, Batch, Labeled, LabeledTarget, Outputs, Tree, Unlabeled
from tl_jax.data.pipeline.sampler import indices
from tl_jax.methods.contract import Phase
from tl_jax.methods.hooks import Restored
from tl_jax.training import several_losses
from tl_jax.training.forward import Forward, normalised_modules
from tl_jax.training.freezing import frozen_modules
from tl_jax.training.objective import Found, Surroundings, accumulated, objective
from tl_jax.training.optimizer import Rates, clip
from tl_jax.training.predict import average_moved
from tl_jax.training.recipe import Recipe, drawn, whereabouts
from tl_jax.training.state import Data, State, model_of, trained_by_group, with_optimizer


class Progress(NamedTuple):
    """Sums of every logged scalar over the steps run, and the first step with one that is not finite (-1: none).

    finite: whether parameters and statistics were at the end.
    """

    sums: dict[str, Array]
    steps: Array
    bad_step: Array
    at_bad_step: dict[str, Array]
    finite: Array

    @property
    def means(self) -> dict[str, Array]:
        """Of every logged scalar."""
        steps = jnp.maximum(self.steps, 1).astype(jnp.float32)
        return {name: value / steps for name, value in self.sums.items()}


def sampler_key(seed: Array, name: str) -> Array:
    """The random key by which a trial draws from the set of that name ("source0", "target", "other0")."""
    return named(named(jax.random.key(seed), "sampler"), name)


def sample(recipe: Recipe, state: State, data: Data) -> Batch:
    """This step's examples: of each source, and of the target and each other unlabelled domain."""

    labelled, unlabelled = recipe.batches

    def draw(name: str, x: Any, size: int = labelled) -> Array:
        return indices(sampler_key(state.seed, name), state.step, size, len(x))

    sources = []
    for i, (x, y) in enumerate(data.sources):
        last = i == len(data.sources) - 1
        listed = state.rows if last and state.rows is not None else data.list_of(i)
        rows = draw(f"source{i}", x) if listed is None else listed[draw(f"source{i}", listed)]
        kind = LabeledTarget if last and trains_on_target_labels(recipe, state) else Labeled
        sources.append(kind(x[rows], y[rows], rows))
    if data.target is None:
        return recipe.place_batch(Batch(tuple(sources), None))
    rows = draw("target", data.target, unlabelled)
    x, first = data.target[rows], len(data.target)
    for i, other in enumerate(data.others):
        chosen = draw(f"other{i}", other, unlabelled)
        x, rows = jnp.concatenate([x, other[chosen]]), jnp.concatenate([rows, first + chosen])
        first += len(other)
    return recipe.place_batch(Batch(tuple(sources), Unlabeled(x, rows)))


def trains_on_target_labels(recipe: Recipe, state: State) -> bool:
    """Whether the last of the labelled sets is the target itself, in whole or in part."""
    return recipe.method.labels in ("target", "both") or state.rows is not None


def make_step(recipe: Recipe, factors: Mapping[str, float]) -> Callable[[State, Data], tuple[State, dict]]:
    """step(state, data) -> (state, logged scalars), for one fixed set of trained parameters.

    Traced once, for its shapes (`no_progress`) and for the loop.
    """
    update = make_update(recipe, factors)

    def step(state: State, data: Data) -> tuple[State, dict[str, Array]]:
        return update(state, sample(recipe, state, data))

    return jax.jit(step, inline=True)


def make_update(recipe: Recipe, factors: Mapping[str, float]) -> Callable[[State, Batch], tuple[State, dict]]:
    """update(state, batch) -> (state, logged scalars): one step on examples that are given."""
    method = recipe.method

    def update(state: State, batch: Batch) -> tuple[State, dict[str, Array]]:
        at = whereabouts(recipe, state)
        logged: dict[str, Array] = {}
        outputs: Outputs = {}
        done = 0
        for phase in method.steps():
            advance = lambda state, i, phase=phase: _advance(recipe, factors, phase, (state, batch, drawn(at, i)))
            last = done + phase.repeats - 1
            if phase.repeats > 1:
                state = jax.lax.fori_loop(done, last, lambda i, s, go=advance: go(s, i)[0], state)
            state, found = advance(state, last)
            logged |= found.logged
            outputs = found.outputs
            done = last + 1
        # Memory comes last: it sees the parameters after the update, beside the outputs from before it.
        if method.after is not None:
            state = state._replace(memory=method.after(model_of(state), outputs, batch, at))
        if method.restore is not None:
            state = _restored(recipe, factors, state, method.restore(model_of(state), logged, at))
        state = average_moved(state, recipe.ema)
        return state._replace(step=state.step + 1), logged

    return update


def _restored(recipe: Recipe, factors: Mapping[str, float], state: State, to: Restored) -> State:
    """The state with what its method put back; its optimiser begins anew where the method says so."""
    now = state._replace(params={**state.params, **flatten(to.params)}, memory=to.memory)
    fresh = with_optimizer(now, recipe.method, recipe.optimizer, factors).opt
    return now._replace(opt=jax.tree.map(lambda new, old: jnp.where(to.renewed, new, old), fresh, state.opt))


def _advance(
    recipe: Recipe, factors: Mapping[str, float], phase: Phase, now: tuple[State, Batch, At]
) -> tuple[State, Found]:
    """One gradient step of one phase: differentiate the trained subtree, update it, apply."""
    # What is trained: the rest is read and never differentiated, so frozen parameters cost no backward pass.
    state, batch, at = now
    groups = trained_by_group(state.params, recipe.method, factors)
    trained = {path: x for group in phase.groups for path, x in groups[group].items()}
    kept = {path: x for path, x in state.params.items() if path not in trained}
    frozen = frozen_modules(factors, normalised_modules(state.stats))
    forward = Forward(recipe.network, recipe.plan, frozen)
    parts = recipe.method, forward, phase.terms
    around = Surroundings(kept, state.stats, state.memory, batch, at)

    # Its gradient: of the weighted sum, or of several losses as their strategy combines them.
    combined = None
    if recipe.method.balancing is None:
        whole = accumulated(recipe.method, objective(*parts), recipe.accumulate, recipe.batches, recipe.place_batch)
        grads, found = whole(trained, around)
    else:
        combined = several_losses.gradient(parts, (trained, around), state.opt["balance"])
        grads, found = combined.grads, combined.found
    grads, norm = clip(grads, recipe.clip_norm)

    # The update: every group has an optimiser of its own, which stands still in the phases that do not move it.
    lr = state.values["lr"] * LR_SCHEDULES[recipe.lr_schedule](at.progress)
    rates = Rates(lr, state.values["weight_decay"], factors)
    opt, params = dict(state.opt), dict(state.params)
    for group in phase.groups:
        mine = {path: grads[path] for path in groups[group]}
        updates, opt[group] = recipe.optimizer.update(mine, state.opt[group], groups[group], rates)
        moved: Any = optax.apply_updates(groups[group], updates)
        params |= moved
    if combined is not None:
        opt["balance"] = several_losses.after(parts, ({path: params[path] for path in trained}, around), combined)
    found = found._replace(logged={**found.logged, "grad_norm": norm})
    return state._replace(params=params, stats=found.stats, opt=opt), found


def make_run(step: Callable[[State, Data], tuple[State, dict]]) -> Callable[..., tuple[State, Progress]]:
    """run(state, until, data, before=None): steps up to `until` in one dispatch, with no transfer to the host.

    `until` is an array, so calls of any length share one compiled program. before: the progress to go on with.
    Nothing is trained after a step with a scalar that is not finite.
    """

    def run(state: State, until: Array, data: Data, before: Progress | None = None) -> tuple[State, Progress]:
        def body(carry: tuple[State, Progress]) -> tuple[State, Progress]:
            state, (sums, steps, bad_step, at_bad, _) = carry
            now, logged = step(state, data)
            finite = jnp.all(jnp.stack([jnp.isfinite(v) for v in logged.values()]))
            new = ~finite & (bad_step < 0)
            at_bad = jax.tree.map(lambda old, v: jnp.where(new, v, old), at_bad, logged)
            sums = jax.tree.map(jnp.add, sums, logged)
            return now, Progress(sums, steps + 1, jnp.where(new, state.step, bad_step), at_bad, finite)

        start = (state, before or no_progress(step, state, data))
        going = lambda carry: (carry[0].step < until) & (carry[1].bad_step < 0)
        state, progress = jax.lax.while_loop(going, body, start)
        return state, progress._replace(finite=all_finite((state.params, state.stats)))

    return run


def all_finite(tree: Tree) -> Array:
    """Whether every number of every array is."""
    return jnp.all(jnp.stack([jnp.isfinite(x).all() for x in jax.tree.leaves(tree)]))


def no_progress(step: Callable[[State, Data], tuple[State, dict]], state: State, data: Data) -> Progress:
    """The progress before the first step."""
    shapes: dict[str, jax.ShapeDtypeStruct] = jax.eval_shape(step, state, data)[1]
    zeros = {name: jnp.zeros(s.shape, s.dtype) for name, s in shapes.items()}
    return Progress(zeros, jnp.int32(0), jnp.int32(-1), zeros, jnp.bool_(True))
