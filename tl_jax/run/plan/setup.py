"""From a config to everything its jobs need, before anything is trained or written."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.batching import ladder
from tl_jax.core.errors import UserError
from tl_jax.core.inputs import accepting_bytes
from tl_jax.core.types import Labelling, Network
from tl_jax.data.pipeline.rows import balanced, balanced_weights, labelled_rows, repeated
from tl_jax.data.views.augment import VIEWS
from tl_jax.fine_tuning.layout import Layout, layout
from tl_jax.methods.contract import augmented
from tl_jax.models.context import with_context
from tl_jax.models.networks import build
from tl_jax.models.parts.conv import conv_form
from tl_jax.models.parts.recipe import as_recipe
from tl_jax.models.parts.remat import recomputing
from tl_jax.models.sharing import SHARING, build_tasks, of_one_trunk
from tl_jax.naming.calls import parse
from tl_jax.run.plan.effects import as_published, faster
from tl_jax.run.plan.jobs import Job
from tl_jax.run.plan.problem import Problem, check_batches, rows_known
from tl_jax.run.plan.types import Part, Task
from tl_jax.run.settings.config import AMOUNTS, AUGMENTS, Config, network_call
from tl_jax.run.settings.forms import BALANCED
from tl_jax.training.create import create
from tl_jax.training.freezing import matches, resolve
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import State


def make_task(part: Part) -> Task:
    """A job's task. Raises UserError for strategies and batches that do not fit.

    Its rules are those of the user's that match any of its parameters (see run/plan/effects.py); the hidden job that
    trains the model it begins from has none of them.
    """
    config, problem, job, before, loaded = part
    job = _varied(job, config, problem)
    start = None
    if job.start is not None:
        start = make_task(Part(dataclasses.replace(config, freeze=()), before or problem, job.start, loaded=loaded))
    rows = _rows(problem, job, config)
    check_batches(problem, config.batches, job.method, partly=rows is not None)
    net = make_network(config, problem, job, "map")
    blocks = _blocks(config, problem, job)
    task = Task(job, config, problem, {}, (), rows, start)
    begin = lambda one, data: create(Recipe(net, job.method, config.forward_plan), data, one)
    state: State = jax.eval_shape(begin, jax.tree.map(lambda x: x[0], task.starts()), task.data)
    mine = tuple(rule for rule in config.freeze if matches(rule, state.params))
    task = task._replace(shapes=state.params)
    task = task._replace(new=_new(task, loaded))
    kept = as_published(task) if loaded is not None else ()
    rules = (*job.rules(dataclasses.replace(config, freeze=(*mine, *kept)), blocks), *faster(task))
    resolve(rules, state.params)
    labelling(task)
    return task._replace(rules=rules)


def _varied(job: Job, config: Config, problem: Problem) -> Job:
    """The job with its plain passes augmented as --augment says, unless the trunk sees every example once.

    Raises UserError where the examples have no such view.
    """
    views = VIEWS[problem.target.modality]
    if config.augment not in ("none", *views):
        raise UserError(
            f"--augment={config.augment}: {problem.target.name} holds {problem.target.modality}, which has the views "
            f"{', '.join(view for view in AUGMENTS if view == 'none' or view in views)}."
        )
    how = "none" if job.strategy.cached else config.augment
    return dataclasses.replace(job, method=augmented(job.method, how))


def _new(task: Task, loaded: frozenset[str] | None) -> tuple[str, ...] | None:
    """The parameters that the task begins at random, in order; None where all are."""
    given = taken_over(task) if task.start is not None else loaded if task.job.strategy.pretrained else None
    return None if given is None else tuple(path for path in task.shapes if of_one_trunk(path) not in given)


def taken_over(task: Task) -> frozenset[str]:
    """The parameters that a task takes over from its start: the head only where the classes are the same."""
    assert task.start is not None
    same = task.start.problem.target.classes == task.problem.target.classes
    shared = task.start.shapes.keys() & task.shapes.keys()
    return frozenset(path for path in shared if same or not path.startswith("head/"))


def _blocks(config: Config, problem: Problem, job: Job) -> Layout:
    """The network's blocks. Raises UserError where the examples are of a size that it cannot have."""
    x = example(problem)
    try:
        return layout(make_network(config, problem, plain(job), "map"), x)
    except (ArithmeticError, IndexError, TypeError, ValueError) as error:
        raise UserError(
            f"--network={config.network} cannot take examples {list(x.shape[1:])} of {problem.target.name} ({error}). "
            "Choose another network or other arguments, or resize the examples."
        ) from None


def plain(job: Job) -> Job:
    """The job with the network as it is."""
    return dataclasses.replace(job, strategy=Job.strategy)


def example(problem: Problem) -> jax.Array:
    """Two examples of zeros, for shapes."""
    x = problem.target.train.x
    return jnp.zeros((2, *x.shape[1:]), x.dtype)


def labelling(task: Task) -> Labelling:
    """How labels count in the supervised loss of a task. Raises UserError for values and for too few weights."""
    config, problem = task.config, task.problem
    asked = config.class_weights
    if config.label_smoothing is None and not asked:
        return Labelling()
    if problem.values:
        given = "--class_weights" if asked else "--label_smoothing"
        raise UserError(f"{problem.target.name} has values as labels (a regression): {given} is of classes.")
    classes = len(problem.target.classes)
    if asked == (BALANCED,):
        labels = [np.asarray(y) for _, y in task.data.sources]
        lists = [None if rows is None else np.asarray(rows) for rows in task.data.lists]
        weights = balanced_weights(labels, lists, task.rows, classes)
    elif asked and len(asked) != classes:
        names = ", ".join(map(str, problem.target.classes[:10]))
        raise UserError(f"--class_weights has {len(asked)} numbers, there are {classes} classes: {names}.")
    else:
        weights = tuple(map(float, asked))
    return Labelling(config.label_smoothing, weights)


def _rows(problem: Problem, job: Job, config: Config) -> np.ndarray | None:
    """Labelled rows of the target for every trial [T, L]; every trial's are repeated up to the longest."""
    amounts = [{name: value for name, value in values if name in AMOUNTS} for _, values in job.trials]
    if not any(amounts):
        return None
    y, known = problem.target.train.y, rows_known(problem.target)
    chosen = []
    for (seed, _), a in zip(job.trials, amounts, strict=True):
        share = {"per_class": a.get("labels_per_class", 0), "fraction": a.get("label_fraction", 0)}
        rows = known[labelled_rows(y[known], **share, seed=seed)]
        chosen.append(balanced(y, rows) if config.balanced else rows)
    longest = max(config.batch_size, *(len(rows) for rows in chosen))
    return np.stack([repeated(rows, longest) for rows in chosen])


def lengths(task: Task) -> tuple[int, ...]:
    """The lengths to which evaluation may cut the examples; none where the network needs all of them."""
    x = task.problem.target.train.x
    waves_or_ids = x.ndim == 2 and np.issubdtype(x.dtype, np.signedinteger)  # and no features of a trunk passed once
    return ladder(x.shape[1]) if waves_or_ids and as_recipe(network_call(task.config)()).trims else ()


def make_network(config: Config, problem: Problem, job: Job, mode: str, *, form: str = "") -> Network:
    """The config's network for the job's classes; its convolutions suit the platform and the mode unless given."""
    call = network_call(config)
    form = form or conv_form(jax.default_backend(), mode != "map")
    dtype = jnp.dtype(config.precision)
    if problem.tasks:
        widths = {task.group: task.width for task in problem.tasks}
        built = build_tasks(call(), widths, parse(config.sharing, SHARING, "sharing")(), dtype, form)
    else:
        built = build(call(), max(1, len(problem.target.classes)), dtype, form)
    if words := job.strategy.context:
        built = with_context(built, (call.name, as_recipe(call())), problem.target.classes, words)
    return accepting_bytes(job.strategy.adapt(recomputing(built) if config.remat else built))
