"""What a run would do, without training: --dry_run and --list_params."""

import json

import jax
import jax.numpy as jnp

from tl_jax.core.trees import size_of
from tl_jax.run.execute.execution import execution
from tl_jax.run.plan.types import Setup, Task
from tl_jax.training.freezing import resolve
from tl_jax.training.trials import programs


def _megabytes(count: int) -> str:
    return f"{count / 2**20:.2f} MiB"


def parameters(setup: Setup) -> str:
    """Every parameter's path, shape and learning-rate factor ("frozen" for 0), method by method."""
    parts = []
    for task in setup.tasks:
        factors = resolve(task.rules, task.shapes)
        lines = [
            f"  {path:<40} {'x'.join(map(str, s.shape)):<14} {f'x{factors[path]:g}' if factors[path] else 'frozen'}"
            for path, s in task.shapes.items()
        ]
        parts.append("\n".join([f"{task.job.name}: {len(task.shapes)} parameters", *lines]))
    return "\n".join(parts)


def dry_run(setup: Setup) -> str:
    """The resolved configuration, parameter counts, frozen and trained lists, steps and bytes on the device."""
    config = setup.config
    head = json.dumps(config.to_json(), indent=1)
    head += f"\n{setup.weights.report}" if setup.weights else ""
    return "\n".join([head, *(_job(setup, task) for task in setup.tasks), "Nothing was trained or written."])


def _job(setup: Setup, task: Task) -> str:
    job = task.job
    factors = resolve(task.rules, task.shapes)
    lists = []
    for title, keep in (("trained", True), ("frozen", False)):
        chosen = {path: s for path, s in task.shapes.items() if bool(factors[path]) == keep}
        count, size = size_of(chosen)
        lists.append(f"  {title}: {len(chosen)} arrays, {count} parameters, {_megabytes(size)}")
        lists += [f"    {path}" for path in chosen]
    head = f"{job.name}: {len(job.trials)} trials of {job.steps} steps"
    if job.start:
        head += f", after {job.start.steps} steps of '{job.start.name}' ({len(job.start.trials)} trials)"
    return "\n".join([head, *lists, f"  {_bytes(setup, task)}"])


def _bytes(setup: Setup, task: Task) -> str:
    """What the compiled program of a job asks of the device, as the compiler counts it."""
    mode = (
        setup.options.trials
        if setup.options.trials != "auto"
        else ("map" if jax.default_backend() == "cpu" else "vmap")
    )
    how = execution(task, setup.options, mode)
    built = programs(how.recipe, resolve(task.rules, task.shapes), mode)
    states = jax.eval_shape(built.begin, task.starts(), how.data)
    memory = built.run.lower(states, jnp.int32(1), how.data).compile().memory_analysis()  # pyright: ignore
    data = size_of(how.data)[1]
    arguments, temporary = memory.argument_size_in_bytes, memory.temp_size_in_bytes
    return (
        f"on the device: {_megabytes(arguments + temporary)} (training data {_megabytes(data)}, states of all trials "
        f"{_megabytes(arguments - data)}, temporaries of a step {_megabytes(temporary)}; trials: {mode})"
    )
