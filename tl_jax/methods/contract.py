"""The contract of an adaptation method: pure functions over an explicit state.

A method says what is minimised and what it remembers. It takes no step itself: where the run stands is handed to it
(`At`), the optimiser and the other trials it never sees, and what the run needs to know of it is declared here as
values, such as the domains whose labels it is given.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import jax.numpy as jnp

from tl_jax.balancing.contract import Balance
from tl_jax.core.errors import UserError
from tl_jax.core.trees import flatten
from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.losses import mlp
from tl_jax.losses.classes import supervised
from tl_jax.methods.hooks import (
    AdaptFn,
    AfterFn,
    BeforeFn,
    BetweenFn,
    Example,
    InitFn,
    Own,
    PlainFn,
    PredictFn,
    RefreshFn,
    RestoreFn,
    SurveyFn,
    Terms,
    TermsFn,
    WeightsFn,
)
from tl_jax.methods.hooks import Rate as Rate
from tl_jax.methods.hooks import Restored as Restored
from tl_jax.methods.hooks import Slope as Slope


class View(NamedTuple):
    """One pass through the network.

    domain: "source" or "target"; augment: "none", "weak", "strong" or another of data/views/augment.py;
    weights: None for the network in training, or memory -> (params, stats) for another one (a teacher),
    whose outputs carry no gradient. train: whether it is a pass of training, or one of inference: without dropout,
    with the stored statistics. drawn: the name by which its augmentation is drawn, where it is not its own. examples:
    memory -> x [k, ...] as stored, which pass in the place of the batch's (a bank).
    """

    domain: str
    augment: str = "none"
    weights: Callable[[Tree], tuple[Tree, Tree]] | None = None
    train: bool = True
    drawn: str = ""
    examples: Callable[[Tree], Array] | None = None


class Phase(NamedTuple):
    """One gradient step of an alternating algorithm: its terms, the parameter groups it moves, how often."""

    terms: TermsFn
    groups: tuple[str, ...]
    repeats: int = 1


SOURCE_AND_TARGET: Mapping[str, View] = MappingProxyType({"source": View("source"), "target": View("target")})


def two_views(augment: str) -> Mapping[str, View]:
    """Two views of each target, "one" and "two", with draws of their own."""
    return {"one": View("target", augment), "two": View("target", augment)}


class Balancing(NamedTuple):
    """How the terms share a step: the strategy, the terms in its order, and their names by the input that they read.

    A term's gradient is taken for its own input alone. Parameters under "head/" belong to one term each.
    present(batch) -> [k] bool: which terms have a label in the batch; None: all, always.
    """

    balance: Balance
    terms: tuple[str, ...]
    inputs: tuple[tuple[str, ...], ...]
    present: Callable[[Batch], Array] | None = None


HEAD_FROZEN = (("head/*", "frozen"),)
NORMALISATION_ALONE = (("*[nN]orm*", "1"), ("*", "frozen"))
"""Scales and biases of normalisation (batch, group or layer), by "norm" in their paths, are what moves."""


def normalising(params: Tree) -> dict[str, Array]:
    """{path: parameter} of those of normalisation: what `NORMALISATION_ALONE` leaves to train."""
    return {path: x for path, x in flatten(params).items() if "norm" in path.lower()}


NO_VALUES: Mapping[str, float] = MappingProxyType({})
ONE_GROUP: Mapping[str, tuple[str, ...]] = MappingProxyType({"all": ("*",)})


def nothing(key: Array, example: Example, model: Model) -> Own:
    """No parameters and no memory."""
    return Own({}, {})


class Method(NamedTuple):
    """An adaptation method: what the run asks it for (hooks, see methods/hooks.py), and what it must know of it.

    views: the passes through the network, by name.
    values: the method's own scalars, readable as at.values[name] and sweepable without recompiling.
    lam, lam_schedule: its default trade-off (None: it has none) and the schedule of it (core/schedules.py).
    refresh_every: steps from one `refresh` to the next; zero: once per pass over the target.
    phases, groups: for algorithms that truly alternate. A group is a tuple of path patterns, first match
      wins; the network's paths are bare ("head/kernel"), the method's own begin with "method/".
    freeze: rules put before the user's, e.g. (("head/*", "frozen"),).
    plain: None where it is what is trained, or where there is none.
    start: the method that trains the source model this one begins from (source-free adaptation).
    labels: which domains are given with labels, as the sources of a batch: "source"; "target" (fine-tuning and
      the supervised bound); "both" (the target is the last of the sources); "none" (self-supervision).
    trained: False for a baseline that no step changes: one step is run, and no value is swept.
    episodic: whether at test time each example is learnt from before it is predicted, and forgotten after.
    balancing: a strategy for the terms' gradients in place of the weighted sum (multi-task training).
    source_head: whether it makes no sense without the head of the source task.
    trunk: whether it makes no sense where the features of the examples are computed once and a head alone is trained.
    regression: whether labels may also be values, the head then having one output (see `losses.supervised_each`).
    """

    terms: TermsFn
    init: InitFn = nothing
    views: Mapping[str, View] = SOURCE_AND_TARGET
    weights: WeightsFn = lambda at: {}
    values: Mapping[str, float] = NO_VALUES
    lam: float | None = 1.0
    lam_schedule: str = "constant"
    before: BeforeFn | None = None
    after: AfterFn | None = None
    restore: RestoreFn | None = None
    refresh: RefreshFn | None = None
    refresh_every: int = 0
    survey: SurveyFn | None = None
    adapt: AdaptFn | None = None
    phases: tuple[Phase, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = ONE_GROUP
    freeze: tuple[tuple[str, str], ...] = ()
    predict: PredictFn | None = None
    plain: PlainFn | None = None
    between: BetweenFn | None = None
    start: "Method | None" = None
    labels: str = "source"
    trained: bool = True
    episodic: bool = False
    balancing: Balancing | None = None
    source_head: bool = False
    trunk: bool = False
    regression: bool = False

    def weighed(self, losses: Mapping[str, Array], at: At) -> dict[str, Array]:
        """Every term times its weight. Raises UserError for one that nothing weighs."""
        weights = {"source": 1.0, **self.weights(at)}
        if self.lam is None and (idle := sorted(set(losses) - set(weights))):
            raise UserError(
                f"Nothing weighs the term {', '.join(map(repr, idle))}: the method has no lam. "
                "Give it a lam, or name the term in its `weights`."
            )
        return {name: weights.get(name, at.lam) * loss for name, loss in losses.items()}

    def steps(self) -> tuple[Phase, ...]:
        """The phases of one training step; most methods have one, over all parameters."""
        return self.phases or (Phase(self.terms, tuple(self.groups)),)


PLAIN = "plain"
"""The name by which plain views are drawn, where they are augmented: all those of one domain see the same."""


def augmented(method: Method, how: str) -> Method:
    """The method with its plain views augmented; those that it augments by itself stay as they are."""
    if how == "none" or not method.trained:
        return method
    change = lambda view: view._replace(augment=how, drawn=PLAIN) if view.augment == "none" else view
    return method._replace(views={name: change(view) for name, view in method.views.items()})


def source_model(smoothing: float = 0.0) -> Method:
    """L = CE_s with label smoothing (the run's, if it has any): what source-free adaptation begins from."""

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        return Terms({"source": supervised(out["source"].logits, batch.y, at, smoothing)})

    return Method(terms, views={"source": View("source")}, lam=None)


def remembered(kept: Tree, domain: str) -> tuple[Tree, Tree]:
    """For a `plain`: weights that a memory keeps as {"params", "stats"}, with the statistics of the domain."""
    return kept["params"], kept["stats"].get("all", kept["stats"].get(domain))


def by_plain(plain: PlainFn) -> PredictFn:
    """A `predict`: by the weights that `plain` gives."""
    return lambda network, model, x, domain: network.apply(*plain(model, domain), x)[0]


def by_own_batch(network: Network, model: Model, x: Array, domain: str) -> Output:
    """A `predict`: batch normalisation uses the statistics of x [n, ...] itself, as in training."""
    return network.apply(model.params, model.stats, x, train=True)[0]


def by_one_more_class(network: Network, model: Model, x: Array, domain: str) -> Output:
    """A `predict`: rejected is where the linear unit model.own["unknown"] says more than every class."""
    out, _ = network.apply(model.params, model.stats, x)
    return out._replace(unknown=mlp.apply(model.own["unknown"], out.features)[:, 0] - out.logits.max(1))


NOTHING_LEARNT = Method(
    terms=lambda own, out, batch, at: Terms({"nothing": jnp.zeros(())}),
    weights=lambda at: {"nothing": 1.0},
    values={"lr": 0.0, "weight_decay": 0.0},
    lam=None,
    trained=False,
)
"""What methods that only predict have in common: L = 0, and no step changes a parameter."""
