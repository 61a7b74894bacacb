"""How a job runs here: where its sets and trials lie on the devices, and in which of two ways the trials run."""

import functools
from collections.abc import Callable, Generator, Mapping
from typing import NamedTuple

import numpy as np

from tl_jax.data.domain import Pictures
from tl_jax.models.parts.remat import compiler_options
from tl_jax.run.execute import streaming
from tl_jax.run.execute.calibration import agreed, choose
from tl_jax.run.plan.devices import Placement, place
from tl_jax.run.plan.setup import labelling, lengths, make_network
from tl_jax.run.plan.types import Options, Task
from tl_jax.run.settings.config import optimizer_call
from tl_jax.training.freezing import resolve
from tl_jax.training.predict import averages
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import Data
from tl_jax.training.trials import Programs, programs

Feed = Callable[[int], Generator[tuple[int, Data]]]


class Execution(NamedTuple):
    """How a job runs here: its recipe, data and placement, the mode of its trials and why.

    feed(step) -> (first step after it, data) of the windows from that step on; without streaming, one to the end.
    data: what training begins from; of sets that stream, the first window. factors, programs: what is trained at
    first, and the programs for that.
    """

    recipe: Recipe
    data: Data
    placement: Placement
    mode: str
    reason: str
    feed: Feed
    factors: Mapping[str, float]
    programs: Programs

    def build(self, factors: Mapping[str, float]) -> Programs:
        """Programs for a set of trained parameters; those that were measured are compiled already."""
        return self.programs if factors == self.factors else programs(self.recipe, factors, self.mode)


def execution(task: Task, options: Options, remembered: str | None) -> Execution:
    """Decide how a job's trials run: as remembered, as asked for, or as measured on this machine."""
    # What is trained at first, and whether its sets fit: a window has the rows of all trials of the next steps.
    config, trials = task.config, len(task.job.trials)
    factors = resolve(task.rules, task.shapes)
    data = task.data
    windows = streaming.plan(data, draws(task), options.device_bytes)
    if windows is not None:
        data = streaming.begin(windows, data)

    # Both ways to run trials, each made when it is asked for: what is measured is what then runs, compiled already.
    @functools.cache
    def built(mode: str) -> tuple[Recipe, Programs, Placement]:
        placement = place(options.devices, trials, config.passed, mode == "vmap")
        recipe = make_recipe(task, mode, placement)
        return recipe, programs(recipe, factors, mode), placement

    # Which of them. They agree only to rounding, so a run that goes on keeps its own, whatever would be faster now.
    if not task.job.method.trained:
        mode, reason = "map", "nothing is trained before the evaluation"
    elif remembered or options.trials != "auto":
        mode = remembered or options.trials
        reason = f"{trials} trials, {mode} as {'before' if remembered else 'asked for'}"
    else:
        x = data.sources[0][0] if data.target is None else data.target
        shape = ", ".join(map(str, x.shape[1:]))
        sizes = "+".join(map(str, dict.fromkeys(config.batches)))
        described = f"{config.network}, {config.precision}, batch {sizes} of {shape}"
        decide = lambda: choose(described, lambda mode: built(mode)[1:], task.starts(), data, steps=task.job.steps)
        mode, reason = agreed(options.agreed, f"{trials} trials of {task.job.steps} steps, {described}", decide)
    # The sets where they lie while it trains: on the devices, or window by window.
    recipe, ready, placement = built(mode)
    if windows is None:
        data = placement.data(data)
        feed: Feed = lambda step: (one for one in [(task.job.steps, data)])
    else:
        reason = f"{reason}; {streaming.described(windows, data, options.workers)}"
        data = streaming.settled(windows, data, placement.data)
        feed = lambda step: streaming.feed(windows, data, placement.data, step=step, workers=options.workers)
    return Execution(recipe, data, placement, mode, reason, feed, factors, ready)


def make_recipe(task: Task, mode: str, placement: Placement) -> Recipe:
    """How a job trains."""
    config, method = task.config, task.job.method
    return Recipe(
        network=make_network(config, task.problem, task.job, mode),
        method=method,
        plan=config.forward_plan,
        optimizer=optimizer_call(config)(),
        total=task.job.steps,
        batch_size=config.batch_size,
        target_batch_size=config.target_batch_size,
        accumulate=config.accumulate,
        labelling=labelling(task),
        options=compiler_options(config.remat),
        lengths=lengths(task),
        lam_schedule=config.lam_schedule or method.lam_schedule,
        lr_schedule=config.lr_schedule,
        clip_norm=config.clip_norm,
        ema=config.ema if averages(method) else 0.0,
        place_batch=placement.batch(),
    )


def check_bytes(task: Task, options: Options) -> None:
    """Raises UserError where a job and the one that it begins from do not fit in --device_bytes, or cannot stream."""
    if options.device_bytes or any(isinstance(x, Pictures) for x in streaming.named(task.data).values()):
        streaming.plan(task.data, draws(task), options.device_bytes)
    if task.start is not None:
        check_bytes(task.start, options)


def draws(task: Task) -> streaming.Draws:
    """What decides which rows a job's trials draw."""
    seeds = np.array([seed for seed, _ in task.job.trials], np.uint32)
    method, labelled = task.job.method, len(task.data.sources) - 1
    whole = {"target": task.job.name} if method.refresh is not None else {}
    whole |= {f"source{labelled}": task.job.name} if method.survey is not None else {}
    return streaming.Draws(seeds, task.rows, task.config.batches, task.job.steps, whole)
