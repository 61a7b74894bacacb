"""The trials of a job as one program: vmapped, or one after the other on the same executable."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np

from tl_jax.core.batching import sent_by_length, sent_in_batches
from tl_jax.core.inputs import to_float
from tl_jax.core.types import Array, Output, Tree
from tl_jax.training.create import create, refreshed
from tl_jax.training.predict import predicted, with_average
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import Data, Start, State, with_optimizer
from tl_jax.training.step import Progress, make_run, make_step, no_progress

Trials = tuple[tuple[int, tuple[tuple[str, float], ...]], ...]
"""(seed, ((name, value), ...)) of every trial."""


def over_trials(f: Callable, mode: str) -> Callable:
    """f(one trial, *rest) -> the same over trials stacked along a leading axis, `rest` shared.

    "vmap": all trials at once; "vmap/8": eight at once; "map": one after the other inside the same compiled program.
    """
    if mode == "vmap":
        return lambda stacked, *rest: jax.vmap(lambda one: f(one, *rest))(stacked)
    size = None if mode == "map" else int(mode.removeprefix("vmap/"))
    return lambda stacked, *rest: jax.lax.map(lambda one: f(one, *rest), stacked, batch_size=size)


def half_as_many(mode: str, trials: int) -> str | None:
    """The mode with half as many trials at once; None where it is one already."""
    if mode == "map":
        return None
    half = -(-(trials if mode == "vmap" else int(mode.removeprefix("vmap/"))) // 2)
    return f"vmap/{half}" if half > 1 else "map"


class Programs(NamedTuple):
    """The compiled programs of one job over states [T, ...].

    begin(starts, data) -> states; renew(states) -> states with fresh optimiser state;
    run(states, until, data, before=None) -> (states, Progress), going on with the progress `before`;
    idle(states, data) -> the Progress [T] before the first step, on the host;
    refresh(states, x_t) -> states;
    predict(states, x [B, ...], domain) -> Output [T, B, ...]; by_domain: whether predictions depend on it; lengths: to
    which x may be cut; mixed(states, others [T, B], rows [B], x [n, ...], share) -> Output [T, B, ...] on
    share x_row + (1 - share) x_other, by the target's statistics.
    """

    begin: Callable[[Start, Data], State]
    renew: Callable[[State], State]
    run: Callable[..., tuple[State, Progress]]
    idle: Callable[[State, Data], Progress]
    refresh: Callable[[State, Array | None], State]
    predict: Callable[[State, Array, str], Output]
    by_domain: bool
    lengths: tuple[int, ...] = ()
    mixed: Callable[..., Output] | None = None


def programs(recipe: Recipe, factors: Mapping[str, float], mode: str) -> Programs:
    """Programs for one recipe and one set of trained parameters."""

    step = make_step(recipe, factors)
    one_run = make_run(step)

    def run(states: State, until: Array, data: Data, before: Progress | None = None) -> tuple[State, Progress]:
        go = over_trials(lambda one, until, data: one_run(one[0], until, data, one[1]), mode)
        return go((states, before), until, data)

    def idle(states: State, data: Data) -> Progress:
        one = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), states)
        shapes = jax.eval_shape(lambda state, data: no_progress(step, state, data), one, data)
        zeros = jax.tree.map(lambda s: np.zeros((len(states.seed), *s.shape), s.dtype), shapes)
        return zeros._replace(bad_step=zeros.bad_step - 1, finite=~zeros.finite)

    def renew(state: State) -> State:
        fresh = with_optimizer(state, recipe.method, recipe.optimizer, factors)
        return with_average(fresh, recipe.ema, factors)

    def begin(start: Start, data: Data) -> State:
        return renew(create(recipe, data, start))

    def refresh(state: State, x: Array | None) -> State:
        return refreshed(recipe, state, x)

    def predict(states: State, x: Array, domain: str) -> Output:
        return over_trials(lambda state, x: predicted(recipe, state, x, domain), mode)(states, x)

    def mixed(states: State, others: Array, rows: Array, x: Array, share: Array) -> Output:
        def one(trial: tuple[State, Array], rows: Array) -> Output:
            state, other = trial
            between = share * to_float(x[rows]) + (1 - share) * to_float(x[other])
            return predicted(recipe, state, between, "target")

        return over_trials(one, mode)((states, others), rows)

    # Programs that run once: on a CPU a third of the compilation time for slower code is a bargain.
    once = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else {}
    return Programs(
        begin=jax.jit(over_trials(begin, mode), compiler_options=once),
        renew=jax.jit(over_trials(renew, mode), compiler_options=once),
        run=jax.jit(run, donate_argnums=0, compiler_options=dict(recipe.options)),
        idle=idle,
        refresh=jax.jit(over_trials(refresh, mode), donate_argnums=0),
        predict=jax.jit(predict, static_argnums=2),
        by_domain=recipe.plan == "per_domain" or recipe.method.predict is not None,
        lengths=recipe.lengths,
        mixed=jax.jit(mixed),
    )


def predict_all(programs: Programs, states: State, x: np.ndarray, domain: str) -> Output:
    """Every trial's outputs on every example exactly once, on the host: features [T, n, d], logits [T, n, c].

    All sets go through batches of one size, the last one padded, so they share one compiled program, or one for each
    length to which they are cut. At most two batches are on the device.
    """
    if not programs.by_domain:
        domain = "target"
    predict = lambda part: programs.predict(states, part, domain)
    return sent_by_length(predict, x, programs.lengths, axis=1)


def predict_mixed(programs: Programs, states: State, x: np.ndarray, others: np.ndarray, share: float) -> np.ndarray:
    """Every trial's logits [T, n, c] on share x_i + (1 - share) x_j, j = others [T, n] a row of x [n, ...] for each i.

    x as stored, as floats where it is mixed; all of it is on the device, mixtures are by the batch.
    """
    of_batch = programs.mixed
    assert of_batch is not None
    mixed = lambda rows: of_batch(states, others[:, rows], rows, x, np.float32(share)).logits
    return sent_in_batches(mixed, np.arange(len(x)), axis=1)


def stack(trees: list[Tree]) -> Tree:
    """Trees of one structure -> one tree with a leading axis."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def starts(trials: Trials, model: Tree = None, rows: np.ndarray | None = None) -> Start:
    """The trials of a job as stacked starting points; model: stacked (params, stats) or None; rows [T, L]."""
    values = stack([{k: np.float32(v) for k, v in pairs} for _, pairs in trials])
    return Start(np.array([seed for seed, _ in trials], np.uint32), values, model, rows)  # pyright: ignore
