"""Accuracy along the way from where a model began to where it came, in the space of weights: a whole curve at once."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.batching import in_batches
from tl_jax.core.processes import here
from tl_jax.data.domain import labelled
from tl_jax.run.plan.setup import make_network
from tl_jax.run.plan.types import Task
from tl_jax.run.report.figures import blank
from tl_jax.run.report.plots import band
from tl_jax.run.report.table import mean_std
from tl_jax.training.forward import stats_of
from tl_jax.training.predict import averaged
from tl_jax.training.state import State, model_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHARES = tuple(i / 10 for i in range(11))
SPLITS = ("validation", "test")
TOGETHER = 32
"""Examples in a batch, of which every model of the curve has its own activations."""


def measured(task: Task, states: State) -> dict[str, np.ndarray]:
    """{"interpolation/validation", "interpolation/test"}: accuracy [T, 11] at shares of the way; {} without one.

    Of the examples whose label is known.
    """
    between = task.job.method.between
    parts = {name: labelled(task.problem.target.splits[name]) for name in SPLITS}
    if between is None or not all(len(part.y) for part in parts.values()):
        return {}
    network = make_network(task.config, task.problem, task.job, "vmap")

    def curve(state: State, x: jax.Array, y: jax.Array) -> jax.Array:
        model = model_of(averaged(state))
        model = model._replace(stats=stats_of(model.stats, "target"))

        def accuracy(share: jax.Array) -> jax.Array:
            params, stats = between(model, share, "target")
            logits = in_batches(lambda part: network.apply(params, stats, part)[0].logits, x, TOGETHER)
            return (logits.argmax(1) == y).mean()

        return jax.vmap(accuracy)(jnp.array(SHARES, jnp.float32))

    over = jax.jit(lambda states, x, y: jax.lax.map(lambda state: curve(state, x, y), states))
    states = here(states)
    return {f"interpolation/{name}": np.asarray(over(states, part.x, part.y)) for name, part in parts.items()}


def described(stored: Mapping[str, np.ndarray], trial: int) -> dict[str, Any]:
    """A trial's curve as in results.json, and the share chosen by the target's validation labels (first of equals)."""
    if "interpolation/test" not in stored:
        return {}
    validation, test = ([float(v) for v in stored[f"interpolation/{name}"][trial]] for name in SPLITS)
    best = int(np.argmax(validation))
    chosen = {"alpha": SHARES[best], "target/accuracy": test[best], "criterion": "target_val"}
    return {"interpolation": {"alpha": list(SHARES), "validation": validation, "test": test, "chosen": chosen}}


def groups(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Curves by method and number of labels, those of all seeds."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        if "interpolation" in record:
            amount = [f"{n} {v:g}" for n, v in record["values"].items() if n in ("labels_per_class", "label_fraction")]
            found.setdefault(", ".join([record["method"], *amount]), []).append(record["interpolation"])
    return found


def note(records: Sequence[Mapping[str, Any]]) -> str:
    """One line a curve, for under the table; "" if there is none."""
    lines = []
    for name, curves in groups(records).items():
        mean = np.mean([curve["test"] for curve in curves], 0)
        shown = ", ".join(f"{alpha:g}: {value:.3f}" for alpha, value in zip(SHARES, mean, strict=True))
        chosen = mean_std([curve["chosen"]["target/accuracy"] for curve in curves])
        lines.append(f"{name}: {shown}; alpha chosen by target_val: {chosen}")
    head = " Test accuracy over alpha, from where it began (0) to where it came (1), last step: "
    return head + ". ".join(lines) + "." if lines else ""


def figure(records: Sequence[Mapping[str, Any]]) -> "Figure":
    """Test accuracy over alpha: the mean over seeds, the band from least to greatest."""
    drawn = blank(7, 4.5)
    panel = drawn.subplots()
    for colour, (name, curves) in enumerate(groups(records).items()):
        by_share = dict(zip(SHARES, zip(*(curve["test"] for curve in curves), strict=True), strict=True))
        band(panel, by_share, colour=colour, label=name)
    panel.set(xlabel="alpha: 0 where it began, 1 where it came", ylabel="accuracy on the target's test split")
    panel.grid(alpha=0.3)
    panel.legend(fontsize="small")
    return drawn
