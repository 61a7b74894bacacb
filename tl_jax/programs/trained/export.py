"""A trained model of a run as files that others can load: weights, class names, preprocessing, a StableHLO program."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.core.files import write_atomically
from tl_jax.core.types import Array, Model, Network, Tree
from tl_jax.kinds.multitask.tasks import answering
from tl_jax.kinds.table import prepare
from tl_jax.kinds.test_time.jobs import Streaming
from tl_jax.models.files.pretrained import load, save
from tl_jax.models.networks import pixels_of
from tl_jax.programs.trained.program import met_as, program, saying, shown
from tl_jax.run.finished import config_of, plain_weights, restored, task_of
from tl_jax.run.plan.setup import make_network, plain
from tl_jax.run.plan.types import Options, Task
from tl_jax.run.plan.words import brought
from tl_jax.run.settings.config import network_call
from tl_jax.run.store.rundir import write_json
from tl_jax.training.state import model_of


class Choice(NamedTuple):
    """Which model of a run: its job (empty: the only one), its trial, and the naming of its weights."""

    job: str = ""
    trial: int = 0
    naming: str = "plain"


def export(root: Path, choice: Choice, out: Path, data_dir: str = "") -> list[Path]:
    """Write weights.safetensors, model.json and model.stablehlo of a run's last checkpoint; returns their paths.

    weights.safetensors is there only where the plain network with them predicts as the model does: low-rank pairs are
    merged, WiSE-FT's two models interpolated, a teacher or a target's statistics taken. model.json says why if not.

    model.json: class names, shape and scale of the input, job, seed, step; where the method has a rule of its own for
    unknown classes, that it is in no file. model.stablehlo: a serialised
    jax.export of x [b, ...] (as the domain stores it, uint8 for images) -> logits [b, classes], with b free; of a
    regression -> values [b, 1] in the labels' own units, center + scale * (what the weights give), both in model.json.
    Of several tasks it gives {task: these}, and model.json has the classes or units of each under "tasks".
    The weights take standardised features, the program takes them as they are; center and spread are in model.json.
    Raises UserError for a directory that is no run, an unknown job or trial, or a job without a checkpoint.
    """
    config = config_of(root)
    setup = prepare(config, Options(data_dir=data_dir, devices=1), {})
    task = task_of(root, setup, choice.job)
    if not 0 <= choice.trial < len(task.job.trials):
        raise UserError(f"--trial={choice.trial}: {task.job.name} has trials 0 to {len(task.job.trials) - 1}.")
    if isinstance(task.job, Streaming) and not task.job.plain:
        raise UserError(f"{task.job.name} adapts to a stream as it predicts: no file does. Use tl-jax predict.")
    step, state = restored(root, task, setup.weights)
    one = jax.tree.map(lambda x: jnp.asarray(x[choice.trial]), state)
    return write(out, task, (choice, step), model_of(one))


def write(out: Path, task: Task, about: tuple[Choice, int], model: Model) -> list[Path]:
    """The files of `export`, of a model that is at hand."""
    choice, step = about
    seed, values = task.job.trials[choice.trial]
    heads = answering(task.problem.tasks, dict(values))
    domain, *others = dict.fromkeys(met_as(model.stats, head) for head in heads) or ["target"]
    said = saying(task, shown(model, domain))
    features, stored = task.problem.scale, task.problem.target.train.x
    out.mkdir(parents=True, exist_ok=True)
    files = [out / name for name in (WEIGHTS, "model.json", "model.stablehlo")]
    why = "each task goes by the statistics of its own examples" if others else ""
    lacking = _save_weights(files[0], (task, choice.naming, why), (shown(model, domain), lambda x: said(x).logits))
    write_atomically(files[2], bytes(program(task, model, dict(values)).serialize()))
    write_json(
        files[1],
        {
            "network": task.config.network,
            "job": task.job.name,
            "seed": seed,
            "values": {name: value for name, value in values if name != "task"},
            "step": step,
            **_answers(task, dict(values)),
            "input": {
                "shape": list(stored.shape[1:]),
                "dtype": stored.dtype.name,
                "pixels": pixels_of(network_call(task.config)),
                **({"pieces": of._asdict()} if (of := brought(task.config)) and of.vocabulary else {}),
            },
            **({"standardise": {k: v.tolist() for k, v in features._asdict().items()}} if features else {}),
            "naming": choice.naming,
            "weights": None if lacking else WEIGHTS,
            **({"no weights because": lacking} if lacking else {}),
            **({"unknown": NO_RULE} if jax.eval_shape(said, stored[:1]).unknown is not None else {}),
        },
    )
    return files[1:] if lacking else files


def _answers(task: Task, values: Mapping[str, float]) -> dict[str, Any]:
    """The classes of what comes out, or the unit of values; of several tasks each one's."""
    units = lambda center, scale: {"units": {"center": center, "scale": scale}}
    if not task.problem.tasks:
        of_values = units(*task.problem.units) if task.problem.values else {}
        return {"classes": list(task.problem.target.classes), **of_values}
    of = lambda head: {"classes": list(head.classes)} if head.classes else units(head.center, head.scale)
    return {"tasks": {head.name: of(head) for head in answering(task.problem.tasks, values)}}


WEIGHTS = "weights.safetensors"
NO_RULE = "The method rejects by a rule of its own, which is not exported: classes alone are."
CHECKED = 16
"""Examples on which the weights must say what the program says."""


def _save_weights(path: Path, asked: tuple[Task, str, str], predicted: tuple[Model, Callable[[Array], Array]]) -> str:
    """Write the weights of a plain network that is the model, as read back from the file; "", or why there are none.

    asked: the task, the naming, and why no such network can be the model, if that is known. Without weights nothing is
    left under their name, of an earlier export neither.
    """
    (model, logits), (task, naming, why) = predicted, asked
    job = task.job
    params, stats = plain_weights(job, model)
    more = sorted(set(params) - {"backbone", "bottleneck", "head"})
    more += ["head/context"] if job.strategy.context else []
    network = make_network(task.config, task.problem, plain(job), "map", form="lax")
    why = f"{job.name} has parameters under {', '.join(more)}" if more else why
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        file = Path(folder) / WEIGHTS
        classes = () if task.problem.values else task.problem.target.classes
        save(str(file), {name: x for name, x in params.items() if name not in more}, stats, naming, classes=classes)
        why = why or _differs(file, (network, params, stats), task, logits)
        if not why:
            file.replace(path)
            return ""
    path.unlink(missing_ok=True)
    return f"weights alone are not this model: {why}. Use model.stablehlo"


def _differs(file: Path, model: tuple[Network, Tree, Tree], task: Task, logits: Callable[[Array], Array]) -> str:
    """What the network with the weights of a file says differently from the program, on a few examples; "" if nothing.

    Of classes it is their probabilities that count: logits may differ by a constant a row.
    """
    network, *trees = model
    if not all(np.isfinite(x).all() for x in jax.tree.leaves(trees)):
        return "they are not finite (a class without a labelled example, or a model that diverged)"
    params, stats, _ = load(str(file), *jax.tree.map(jnp.zeros_like, trees))
    target = task.problem.target
    x = target.test.x if len(target.test.x) else target.train.x
    x = jnp.asarray(x[:: -(-len(x) // CHECKED)])
    scores = lambda z: z if task.problem.values or task.problem.tasks else jax.nn.log_softmax(z)
    got, want = jax.jit(lambda x: (scores(network.apply(params, stats, x)[0].logits), scores(logits(x))))(x)
    gap, size = float(jnp.abs(got - want).max()), float(jnp.abs(want).max())
    tolerance = 1e-3 if task.config.precision == "float32" else 5e-2
    if gap <= tolerance * max(1.0, size):
        return ""
    return f"{task.job.name} predicts by more than its network, whose scores differ by up to {gap:.2g} (of {size:.2g})"
