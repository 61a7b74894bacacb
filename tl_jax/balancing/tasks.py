"""The tasks of multi-task training: what each reads of the logits, and its loss where labels may be missing."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.types import Array
from tl_jax.losses.classes import cross_entropies

LABELS = ("classes", "binary", "values")


class TaskHead(NamedTuple):
    """One task: its labels are column `column` of the y [n, K] of input `input`, its logits columns [begin, end).

    labels: "classes" (a logit each), "binary" (one logit, that of classes[1]) or "values" (one output).
    Values are trained as (y - center) / scale.
    """

    name: str
    labels: str
    classes: tuple[str, ...]
    input: int
    column: int
    begin: int
    end: int
    center: float = 0.0
    scale: float = 1.0

    @property
    def width(self) -> int:
        """How many outputs of the network are the task's."""
        return self.end - self.begin

    @property
    def group(self) -> str:
        """The name as one part of a parameter's path: 'office31/amazon' -> 'office31.amazon'."""
        return self.name.replace("/", ".")

    def outputs(self, logits: Any) -> Any:
        """Of the network's logits [n, C] the task's [n, classes], 0 and its own of two classes; or values [n] in the
        unit of its labels."""
        z = logits[:, self.begin : self.end]
        if self.labels == "values":
            return self.center + self.scale * z[:, 0]
        return z * np.array([[0, 1]], np.float32) if self.labels == "binary" else z


def task_loss(labels: str, logits: Array, y: Array) -> Array:
    """Mean loss over the labelled rows, 0 if there is none.

    L = sum_i m_i l_i / max(sum_i m_i, 1),   m_i = [y_i is not NaN]
    l = -log softmax(z)_y  |  log(1 + e^z) - y z  |  (z - y)^2   for classes | binary | values

    Args: logits [n, c] (c = 1 for binary and values); y [n] float. Returns a scalar, whose gradient is that of
    the labelled rows alone.
    """
    known = ~jnp.isnan(y)
    y = jnp.where(known, y, 0.0)
    if labels == "classes":
        losses = cross_entropies(logits, y.astype(jnp.int32))
    elif labels == "binary":
        losses = jax.nn.softplus(logits[:, 0]) - y * logits[:, 0]
    else:
        losses = jnp.square(logits[:, 0] - y)
    return jnp.where(known, losses, 0.0).sum() / jnp.maximum(known.sum(), 1)
