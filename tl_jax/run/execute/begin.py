"""What a job begins from: a trained model, whole or as features computed once."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.batching import sent_by_length
from tl_jax.core.errors import UserError
from tl_jax.core.files import keep_in_cache, say, user_cache
from tl_jax.core.processes import on_host
from tl_jax.data.domain import Examples, Pictures, changed
from tl_jax.fine_tuning.strategies import full
from tl_jax.models.sharing import in_each_trunk, of_one_trunk
from tl_jax.run.plan.problem import Problem
from tl_jax.run.plan.setup import lengths, make_network, make_task, taken_over
from tl_jax.run.plan.types import Part, Task
from tl_jax.run.plan.weights import Weights, for_trials
from tl_jax.run.settings.config import network_call
from tl_jax.run.store.rundir import packed, unpacked
from tl_jax.training.forward import initial_stats, stats_of
from tl_jax.training.objective import split_params
from tl_jax.training.state import domains_of

HEAD_ALONE = "mlp(bottleneck=0, hidden=())"
"""With the head of the network whose features it takes."""


def pretrained(task: Task, model: Any) -> Any:
    """The (params, stats) [T, ...] that the task's trials begin from; the head only where the classes are the same.

    model: of the trials of the task's start, or of one trial, which all then share. The head of other classes goes
    along under "source_head/".
    """
    assert task.start is not None
    params, stats = on_host(model)
    kept = {path: params[path] for path in sorted(taken_over(task))}
    if task.job.method.source_head:
        kept |= {f"source_{path}": x for path, x in params.items() if path.startswith("head/")}
    if "all" not in stats:  # a domain that the first model was not trained on begins where its target stood
        stats = {domain: stats.get(domain, stats["target"]) for domain in domains_of(task.data)}
    return for_trials(len(task.job.trials), (kept, stats))


def from_file(task: Task, weights: Weights | None) -> Any:
    """The (params, stats) [T, ...] of --init_from for a task that does not begin at random, else None."""
    if weights is None or not task.job.strategy.pretrained:
        return None
    given = weights.params
    params = {path: given[of] for path in task.shapes if (of := of_one_trunk(path)) in given}
    if task.job.method.source_head:
        if not weights.source_head:
            raise UserError(
                f"{task.job.name} needs a linear head of the source task, which {weights.report.path} lacks."
            )
        params |= weights.source_head
    stats = in_each_trunk(weights.stats, task.shapes)
    model = params, initial_stats(task.config.forward_plan, stats, domains_of(task.data))
    return for_trials(len(task.job.trials), jax.tree.map(lambda x: np.asarray(x)[None], model))


def head_of(task: Task, model: Any) -> Any:
    """The (params, stats) [T, ...] that a task on features begins from: a head of the names of its classes, else None.

    model: what the task would begin from as a whole.
    """
    head = {path: x for path, x in model[0].items() if path.startswith("head/")} if task.start is None else {}
    return (head, initial_stats(task.config.forward_plan, {}, domains_of(task.data))) if head else None


def on_features(task: Task, model: Any) -> Task:
    """The task with the trunk's features in the place of the examples and the head in the place of the network.

    model: stacked (params, stats), the same for all trials. Features are kept between runs, by the content of
    weights and examples. Its head is new, as it was above the trunk, or what `head_of` finds.
    """
    head = head_of(task, model)
    params, stats = jax.tree.map(lambda x: x[0], model)
    target = task.problem.target
    splits = {name: getattr(target, name) for name in ("train", "validation", "test")}
    cache = user_cache() / "features" / f"{_digest(task, params, stats, splits)}.npz"
    kept = _kept(cache, {name: len(part.x) for name, part in splits.items()})
    if kept is None:
        kept = _features(task, (params, stats), splits)
        keep_in_cache(cache, packed(kept))
    seen = {name: Examples(kept[name], part.y) for name, part in splits.items()}
    network = f"{HEAD_ALONE[:-1]}, head='{network_call(task.config)().head}')"
    config = dataclasses.replace(task.config, network=network, augment="none")
    job = dataclasses.replace(task.job, strategy=full(), start=None)
    problem = Problem((), changed(target, **seen), units=task.problem.units)
    return make_task(Part(config, problem, job, loaded=frozenset(head[0] if head else ())))


def _kept(cache: Path, sizes: dict[str, int]) -> dict[str, np.ndarray] | None:
    """The features that were kept, of as many examples; None where they are not there or not whole."""
    try:
        found = unpacked(cache.read_bytes())
    except OSError:
        return None
    except Exception:  # zip, zlib and NumPy each raise their own
        found = {}
    if {name: len(x) for name, x in found.items() if x.ndim == 2} == sizes:
        return found
    say(f"{cache} is damaged: the features are computed again.")
    return None


def _features(task: Task, model: Any, splits: dict[str, Examples]) -> dict[str, np.ndarray]:
    flat, stats = model
    network = make_network(task.config, task.problem, task.job, "map")
    example = jnp.asarray(splits["train"].x[:2])
    head = jax.eval_shape(lambda x: network.init(jax.random.key(0), x)[0]["head"], example)
    params = {**split_params(flat)[0], "head": jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), head)}
    apply = jax.jit(lambda x: network.apply(params, stats_of(stats, "target"), x)[0].features)
    return {name: sent_by_length(apply, part.x, lengths(task)) for name, part in splits.items()}


def _digest(task: Task, params: Any, stats: Any, splits: dict[str, Examples]) -> str:
    made = hashlib.sha256(f"{task.config.network} {task.config.precision}".encode())
    trunk = {path: x for path, x in params.items() if not path.startswith("head/")}
    for leaf in jax.tree.leaves((trunk, stats, {name: part.x for name, part in splits.items()})):
        if isinstance(leaf, Pictures):
            made.update(leaf.digest.encode())
            continue
        array = np.ascontiguousarray(leaf)
        made.update(f"{array.shape} {array.dtype}".encode())
        made.update(array.data)
    return made.hexdigest()[:24]
