"""What the kinds of transfer have in common that predict classes or values of a target."""

from collections.abc import Callable, Mapping
from functools import partial

from tl_jax.kinds.predicting import observe, predictions
from tl_jax.kinds.predicting.table import Reading
from tl_jax.methods.contract import Method
from tl_jax.run.kind import Kind
from tl_jax.run.plan.types import Planning
from tl_jax.run.settings.config import Config


def predicting(
    question: str, defaults: Config, methods: Mapping[str, Callable[..., Method]], planning: Planning, reading: Reading
) -> Kind:
    """A kind that stores logits and is judged by the target's test split; reading: how its scores are read."""
    return Kind(
        question,
        defaults,
        methods,
        planning,
        observe.observe,
        observe.score,
        observe.finished,
        observe.results,
        partial(observe.table, reading),
        partial(observe.figures, reading),
        criterion=observe.criterion,
        write=predictions.write,
    )
