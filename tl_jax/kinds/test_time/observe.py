"""A stream from the source model to its last batch: what was said of every example when it came, and how it scores."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.batching import some
from tl_jax.core.errors import UserError
from tl_jax.core.processes import here
from tl_jax.data.corruptions.table import corrupted, named
from tl_jax.data.domain import known
from tl_jax.kinds.test_time import plots
from tl_jax.kinds.test_time.jobs import Streaming
from tl_jax.kinds.test_time.streams import segments, stream
from tl_jax.run.execute import divergence
from tl_jax.run.plan.setup import make_network
from tl_jax.run.plan.types import Setup, Task
from tl_jax.run.settings.config import Config, optimizer_call
from tl_jax.run.store.rundir import RunDirectory
from tl_jax.training.create import create
from tl_jax.training.freezing import resolve
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import Data, Start, State, with_optimizer
from tl_jax.training.stream import make_stream
from tl_jax.training.trials import Programs, predict_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEEN_BEFORE = 2000
"""Examples of the source, without labels, that a method may look at before the stream (`refresh`), drawn once."""


class Streams(NamedTuple):
    """The programs of a job: begin(start) -> state; go(state, rows [n], x) -> (state, logits [n, c]), as they come."""

    begin: Callable[[Start], State]
    go: Callable[..., Any]


def corruptions(config: Config) -> tuple[str, ...]:
    """Every corruption of a config, each once. Raises UserError for an unknown or repeated one, and for none."""
    found = [one for text in config.corrupt for one in named(text)]
    if not found or len(set(found)) != len(found):
        raise UserError(f"--corrupt={','.join(config.corrupt)}: name at least one corruption, each only once.")
    return tuple(found)


def observe(task: Task, programs: Programs, states: State) -> dict[str, np.ndarray]:
    """Of a stream {"predicted/fog@5": [T, n] classes, "confidence/fog@5": [T, n], "seconds": [T]}, in the examples'
    order; of the source model what it says of the first source's validation split."""
    if isinstance(task.job, Streaming):
        return _streamed(task, task.job, states)
    logits = predict_all(programs, states, task.problem.sources[0].validation.x, "source0").logits
    return {"validation": np.asarray(logits, np.float32)}


def _streamed(task: Task, job: Streaming, states: State) -> dict[str, np.ndarray]:
    config, test = task.config, task.problem.target.test
    how, names = stream(config.stream), corruptions(config)
    parts = segments(how, names, test.y, [seed for seed, _ in job.trials])
    programs = _of_trials(streams(task, job, how.batch, sum(math.ceil(p.rows.shape[1] / how.batch) for p in parts)))
    first = programs.begin(task.starts(here((states.params, states.stats))))
    now, found, seconds, go = first, {}, 0.0, None
    for segment in parts:
        x = jnp.asarray(np.concatenate([corrupted(test.x, name) for name in segment.corruptions]))
        rows = jnp.asarray(segment.rows)
        now = first if how.reset else now
        go = go or jax.jit(programs.go).lower(now, rows, x).compile()  # apart from what is measured
        began = time.perf_counter()
        now, *said = jax.block_until_ready(go(now, rows, x))
        seconds += time.perf_counter() - began
        for name, values in zip(("predicted", "confidence"), said, strict=True):
            # As the examples stand, not as they came.
            inverse = np.argsort(segment.rows, axis=1)
            placed = np.take_along_axis(np.asarray(values), inverse, 1)
            whole = np.split(placed, len(segment.corruptions), axis=1)
            found |= {f"{name}/{one}": part for one, part in zip(segment.corruptions, whole, strict=True)}
    return {**found, "seconds": np.full(len(job.trials), seconds / len(job.trials))}


def _of_trials(one: Streams) -> Streams:
    """All trials at once; go gives classes [T, n] and their probabilities in the place of logits."""

    def go(state: State, rows: jax.Array, x: jax.Array):
        state, logits = one.go(state, rows, x)
        return state, logits.argmax(-1), jax.nn.softmax(logits).max(-1)

    once = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else {}
    return Streams(jax.jit(jax.vmap(one.begin), compiler_options=once), jax.vmap(go, (0, 0, None)))


def streams(task: Task, job: Streaming, batch: int, total: int) -> Streams:
    """Of one trial. A method begins with its own parameters and memory, and with an optimiser that has seen nothing;
    its learning rate stays as it is. total: batches of the whole stream."""
    config = task.config
    recipe = Recipe(
        network=make_network(config, task.problem, job, "vmap"),
        method=job.adapts,
        plan=config.forward_plan,
        optimizer=optimizer_call(config)(),
        total=total,
        batch_size=batch,
        lam_schedule=config.lam_schedule or job.adapts.lam_schedule,
        clip_norm=config.clip_norm,
    )
    known = (task.problem.sources or (task.problem.target,))[0].train.x
    before = jnp.asarray(known[np.sort(some(len(known), SEEN_BEFORE))])
    bare = lambda start: create(recipe, Data((), before), start)
    one = jax.tree.map(lambda leaf: leaf[0], task.starts())
    factors = resolve(task.rules, jax.eval_shape(bare, one).params)
    streamed = make_stream(recipe, factors)

    def begin(start: Start) -> State:
        return with_optimizer(bare(start), job.adapts, recipe.optimizer, factors)

    def go(state: State, rows: jax.Array, x: jax.Array):
        out = streamed(state, x[rows])
        return out.state, out.logits

    return Streams(begin, go)


def score(task: Task, observed: Mapping[str, np.ndarray]) -> dict[str, list[float | None]]:
    """The mean error over the corruptions; of the source model its accuracy on the source."""
    if "validation" in observed:
        y = task.problem.sources[0].validation.y
        some = known(y)
        right = lambda z: float((z.argmax(-1) == y)[some].mean()) if some.any() else None
        return {"source/accuracy": [right(z) for z in observed["validation"]]}
    return {"target/error": [_errors(task, observed, i)["target/error"] for i in range(len(task.job.trials))]}


def _errors(task: Task, observed: Mapping[str, np.ndarray], trial: int) -> dict[str, float]:
    """{"error/fog@5": ..., "target/error": their mean, "target/accuracy": what it leaves of 1}."""
    y = task.problem.target.test.y
    names = corruptions(task.config)
    errors = {f"error/{name}": float((observed[f"predicted/{name}"][trial] != y).mean()) for name in names}
    mean = float(np.mean(list(errors.values())))
    return {"target/accuracy": 1 - mean, "target/error": mean, **errors}


def features(task: Task, programs: Programs, states: State) -> dict[str, np.ndarray]:
    """Nothing is shown of them."""
    return {}


def results(task: Task, directory: RunDirectory) -> list[dict[str, Any]]:
    """One record a trial of a finished job; ms: the time a sample took, compilation apart."""
    config, job = task.config, task.job
    stored = directory.record(job.name, job.steps)
    if not stored:
        return []
    samples = len(task.problem.target.test.y) * len(corruptions(config))
    found = []
    for i, (seed, values) in enumerate(job.trials):
        scores: dict[str, Any] = divergence.described(stored, i)
        if not scores:
            ms = 1e3 * float(stored["seconds"][i]) / samples
            scores = {"selectors": {"last": {"step": job.steps, **_errors(task, stored, i), "ms": ms}}}
        shared = {**config.described(job.name), "stream": config.stream}
        found.append({**shared, "seed": seed, "values": dict(values), **scores})
    return found


def figures(
    setup: Setup, directory: RunDirectory, records: Sequence[Mapping[str, Any]]
) -> dict[str, Callable[[], "Figure"]]:
    """The error of every method under every corruption."""
    return {"errors.png": lambda: plots.errors(records, corruptions(setup.config))}
