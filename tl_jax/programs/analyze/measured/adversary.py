"""How well a method's own discriminator tells the domains apart, on examples that no step was trained on."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.batching import in_batches, some
from tl_jax.core.errors import UserError
from tl_jax.core.types import Array, Model, Tree
from tl_jax.evaluation.label_free.record import Seen
from tl_jax.kinds.predicting.observe import SHOWN_IN_EMBEDDING
from tl_jax.losses import mlp
from tl_jax.methods.cdan import joined
from tl_jax.naming.sums import names
from tl_jax.programs.analyze.measured.found import Told
from tl_jax.programs.analyze.measured.read import Run, Written
from tl_jax.run.execute.execution import make_recipe
from tl_jax.run.finished import restored
from tl_jax.run.plan.devices import place
from tl_jax.run.plan.types import Task
from tl_jax.training.forward import stats_of
from tl_jax.training.state import model_of

Judge = Callable[[Tree, Tree, Seen], Array]
"""(own parameters, memory, what the network says) -> scores [n], above zero for the source."""


def _of_features(name: str) -> Judge:
    return lambda own, memory, seen: mlp.apply(own[name], jnp.asarray(seen.features))[:, 0]


def _of_cdan(own: Tree, memory: Tree, seen: Seen) -> Array:
    p = jax.nn.softmax(jnp.asarray(seen.logits))
    return mlp.apply(own["discriminator"], joined(jnp.asarray(seen.features), p, memory))[:, 0]


def _of_gvb(own: Tree, memory: Tree, seen: Seen) -> Array:
    both = mlp.apply(own["discriminator"], jax.nn.softmax(jnp.asarray(seen.logits)))
    return both[:, 0] - both[:, 1]


ON_FEATURES = ("dann", "adda", "bsp", "sdat", "spa", "vada", "pada", "ba3us", "etn", "iwan", "uan")
JUDGES: Mapping[str, Judge] = {
    **dict.fromkeys(ON_FEATURES, _of_features("discriminator")),
    "daan": _of_features("whole"),
    "mdan": _of_features("discriminator0"),
    "cdan": _of_cdan,
    "gvb": _of_gvb,
}
"""How the discriminator of a method is asked: of several sources it is the first's, of several classes the whole's."""


def judged_by(job: str) -> tuple[str, str] | None:
    """The method of a job, or of a sum, that has a discriminator, and where in the sum its own stand ("": no sum)."""
    called = names(job)
    found = next((name for name in called if name in JUDGES), None)
    return None if found is None else (found, found if len(called) > 1 else "")


def told(run: Run, job: Written, newest: Mapping[str, np.ndarray], diverged: str) -> Told | str | None:
    """What it says of the examples whose features were stored at the job's end; why not, where it cannot be asked.

    newest: the last evaluation; diverged: why the first trial is no model. None: the method has none that is known.
    """
    named = judged_by(job.name)
    if named is None:
        return None
    if "source" not in job.features or "target" not in job.features:
        return "its own discriminator is asked at the end of the job."
    if run.setup is None:
        return "its own discriminator stands in a checkpoint, which cannot be opened without the data."
    if diverged:
        return f"its own discriminator is not asked: the first trial diverged ({diverged})."
    task = next(task for task in run.setup.tasks if task.job.name == job.name)
    try:
        step, states = restored(run.root, task, run.setup.weights)
        if step != task.job.steps:
            return f"its own discriminator is not asked: of the last step there is no whole checkpoint ({step})."
        model = model_of(jax.tree.map(lambda x: x[0], states._replace(opt={})))
        return _asked(task, model, named, (_seen(job, newest, "source"), _seen(job, newest, "target")), step)
    except (UserError, KeyError, ValueError) as error:
        return f"its own discriminator cannot be asked: {error}"


def _asked(task: Task, model: Model, named: tuple[str, str], sides: tuple[Seen, Seen], step: int) -> Told:
    (name, key), (source, target) = named, sides
    own, memory = (model.own[key], model.memory[key]) if key else (model.own, model.memory)
    if name == "adda":  # its source is what the source model says, not the network that left it
        source = source._replace(features=_by_source_model(task, memory))
    s, t = (np.asarray(JUDGES[name](own, memory, side)) for side in (source, target))
    return Told(step, float((s > 0).mean()), float((t <= 0).mean()), above(s, t))


def above(s: np.ndarray, t: np.ndarray) -> float:
    """P(s_i > t_j) of scores [n] and [m], ties by half: the area under the curve, wherever the threshold lies."""
    order = np.sort(t)
    below = np.searchsorted(order, s, "left") + np.searchsorted(order, s, "right")
    return float(below.mean() / 2 / len(t))


def _seen(job: Written, newest: Mapping[str, np.ndarray], side: str) -> Seen:
    """Features and logits of the first trial, row by row of the same examples."""
    logits = newest["source0_val/logits" if side == "source" else "target_test/logits"][0]
    return Seen(logits[np.sort(some(len(logits), SHOWN_IN_EMBEDDING))], job.features[side])


def _by_source_model(task: Task, memory: Tree) -> np.ndarray:
    """Features of the source's examples by the weights that ADDA keeps."""
    network = make_recipe(task, "map", place(1, 1, task.config.batches, False)).network
    x = task.problem.sources[0].validation.x
    stats = stats_of(memory["stats"], "source")
    features = lambda part: network.apply(memory["params"], stats, part)[0].features
    return np.asarray(in_batches(features, jnp.asarray(x[np.sort(some(len(x), SHOWN_IN_EMBEDDING))])))
