"""A trained model as a function of x alone, as any platform computes it, and as a StableHLO program of it."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from tl_jax.balancing.tasks import TaskHead
from tl_jax.core.types import Array, Model, Output, Tree
from tl_jax.data.standardise import FURTHEST, Scale
from tl_jax.kinds.multitask.tasks import answering
from tl_jax.models.parts.masks import valid
from tl_jax.run.plan.setup import make_network
from tl_jax.run.plan.types import Task
from tl_jax.training.forward import stats_of

Values = Mapping[str, float]


def standardised(x: Array, scale: Scale) -> Array:
    """x [b, d] or [b, t, c] as data/standardise.py has it, on the device."""
    center, spread = (jnp.expand_dims(v, range(x.ndim - 1)) for v in scale)
    found = jnp.clip((x - center) / spread, -FURTHEST, FURTHEST)
    return found if x.ndim == 2 else found * valid(x)[:, :, None]


def saying(task: Task, model: Model) -> Callable[[Array], Output]:
    """What a model says of standardised x [b, ...] by the statistics that it has."""
    network = make_network(task.config, task.problem, task.job, "map", form="lax")
    predict = task.job.method.predict
    return lambda x: predict(network, model, x, "target") if predict else network.apply(model.params, model.stats, x)[0]


def shown(model: Model, domain: str = "target") -> Model:
    """The model as examples of a domain meet it."""
    return model._replace(stats=stats_of(model.stats, domain))


def program(task: Task, model: Model, values: Values) -> jax.export.Exported:
    """x [b, ...], as the domain stores it, b free -> logits [b, classes], or values [b, 1] in the labels' own units.

    Of several tasks {task: these}, each by the statistics of its own examples; values: those of the trial, which say
    that it is a model of one.
    """
    features, stored = task.problem.scale, task.problem.target.train.x
    (batch,) = jax.export.symbolic_shape("b")
    say = _of_tasks(task, model, values) if task.problem.tasks else _of_one(task, model)
    whole = lambda x: say(standardised(x, features) if features else x)
    example = jax.ShapeDtypeStruct((batch, *stored.shape[1:]), stored.dtype)
    return jax.export.export(jax.jit(whole), platforms=("cpu", "cuda", "tpu"))(example)


def _of_one(task: Task, model: Model) -> Callable[[Array], Array]:
    said, (center, scale) = saying(task, shown(model)), task.problem.units
    return lambda x: center + scale * said(x).logits if task.problem.values else said(x).logits


def _of_tasks(task: Task, model: Model, values: Values) -> Callable[[Array], dict[str, Array]]:
    heads = answering(task.problem.tasks, values)
    said = {
        domain: saying(task, shown(model, domain)) for domain in dict.fromkeys(met_as(model.stats, h) for h in heads)
    }

    def outputs(x: Array) -> dict[str, Array]:
        logits = {domain: say(x).logits for domain, say in said.items()}
        each = {head.name: head.outputs(logits[met_as(model.stats, head)]) for head in heads}
        return {name: out if out.ndim == 2 else out[:, None] for name, out in each.items()}

    return outputs


def met_as(stats: Mapping[str, Tree], head: TaskHead) -> str:
    """The domain by whose statistics a task predicts: that of its own examples, where there are several."""
    return f"source{head.input}" if "all" not in stats and jax.tree.leaves(stats) else "target"
