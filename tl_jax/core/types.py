"""The values that every room exchanges: batches, network outputs and where a run stands."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

Array = jax.Array
Tree = Any
"""A pytree of arrays: parameters, batch statistics, a method's memory."""


class Labeled(NamedTuple):
    """Examples with labels: x [n, ...], y [n] int, index [n] int (rows of the data set).

    With several tasks y is float [n, K], NaN where a label is missing.
    """

    x: Array
    y: Array
    index: Array


class LabeledTarget(NamedTuple):
    """Labelled examples of the target itself, as `Labeled`: for what tells domains apart target, not source."""

    x: Array
    y: Array
    index: Array


class Unlabeled(NamedTuple):
    """Examples without labels: x [m, ...], index [m] int. There is no label field to leak."""

    x: Array
    index: Array


Target = TypeVar("Target", bound=Unlabeled | None)
"""`Unlabeled`, or None where a target is met in the test alone: then a batch has nothing of it to leak."""
Joined = TypeVar("Joined")


class Batch(NamedTuple, Generic[Target]):
    """One step's examples: a tuple of labelled sources and the unlabelled target.

    The last of the sources is a `LabeledTarget` where labels of the target are trained on.
    """

    sources: tuple[Labeled | LabeledTarget, ...]
    target: Target

    @property
    def y(self) -> Array:
        """The labels of all sources, in the order in which the outputs of a source view are joined."""
        return jnp.concatenate([source.y for source in self.sources])

    @property
    def domains(self) -> tuple[str, ...]:
        """The domain of each of the sources: "source0", "source1", ..., and "target" for labelled examples of it."""
        labelled = [isinstance(source, LabeledTarget) for source in self.sources]
        return tuple("target" if own else f"source{i}" for i, own in enumerate(labelled))

    def split(self, joined: Joined) -> tuple[Joined, ...]:
        """What is joined over the sources, such as the outputs of a source view: a part for each of them, in order."""
        ends = itertools.accumulate((len(source.y) for source in self.sources), initial=0)
        return tuple(jax.tree.map(lambda x, i=i, j=j: x[i:j], joined) for i, j in itertools.pairwise(ends))


class Output(NamedTuple):
    """What a network says of n examples: features [n, d], logits [n, c].

    unknown: [n], above zero for an example of no class, where a method's `predict` has a rule of its own for that.
    """

    features: Array
    logits: Array
    unknown: Array | None = None


Outputs = Mapping[str, Output]
"""What a network says of every view of a batch, by the view's name."""


class Network(NamedTuple):
    """A model as two pure functions.

    init(key, x [n, ...]) -> (params, stats)
    apply(params, stats, x, train=False, key=None, frozen=frozenset(), mixed=None, before=None, after=None)
        -> (Output, stats)

    `params` has the top-level groups "backbone", "bottleneck" and "head". With `train` the batch
    normalisation uses and updates batch statistics and dropout draws from `key` (None: no dropout); modules whose path
    ("backbone/norm1") is in `frozen` normalise with their stored statistics and leave them alone. `mixed`, with the
    paths of the stored means, says what share [c] of the others' statistics is the batch's, the rest the stored ones.
    `before(path, args) -> args` may change what a module is given ("backbone/block1"), `after(path, y) -> y` what it
    gives.
    """

    init: Callable[..., tuple[Tree, Tree]]
    apply: Callable[..., tuple[Output, Tree]]


class Model(NamedTuple):
    """Everything needed to predict: the network's parameters and statistics, the method's memory and parameters."""

    params: Tree
    stats: Tree
    memory: Tree
    own: Tree


class Labelling(NamedTuple):
    """How labels that are classes count in the supervised loss (see `losses.supervised`).

    smoothing: in [0, 1), None: as the method does by itself; weights: of each class, above 0 (empty: all alike).
    """

    smoothing: float | None = None
    weights: tuple[float, ...] = ()


class At(NamedTuple):
    """Where the run stands when a term is evaluated.

    progress in [0, 1) is step / total; `lam` is the trade-off after its schedule; `values` holds the
    swept scalars (lam, lr, weight_decay and the method's own); `key` is this step's random key. view_keys: in `terms`,
    the key that each view was drawn by, one for every domain that it passes, in their order. labelling: how labels
    count, the same in the whole run.
    """

    step: Array
    progress: Array
    lam: Array
    values: Mapping[str, Array]
    key: Array
    view_keys: Mapping[str, tuple[Array, ...]] = {}
    labelling: Labelling = Labelling()
