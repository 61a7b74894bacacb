"""The contract of an adaptation method: pure functions over an explicit state.

A method says what it adds to the source loss. It never sees the step, the optimiser, the trial or the
kind of transfer; what those need to know of it is declared here as values.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax.numpy as jnp

from tl_jax.balancing.contract import Balance
from tl_jax.core.types import Array, At, Batch, Labeled, Model, Network, Output, Tree


class Own(NamedTuple):
    """What belongs to the method: trained parameters and memory that no gradient touches.

    network: in `terms`, the network's parameters, for penalties on them; `init` leaves it out.
    """

    params: Tree
    memory: Tree
    network: Tree = None


class Example(NamedTuple):
    """What `init` sees of the data: two targets x [2, ...] as stored, and the network's outputs on them."""

    features: Array
    logits: Array
    x: Array


class View(NamedTuple):
    """One pass through the network.

    domain: "source" or "target"; augment: "none", "weak", "strong" or another of data/views/augment.py;
    weights: None for the network in training, or memory -> (params, stats) for another one (a teacher),
    whose outputs carry no gradient. train: whether it is a pass of training, or one of inference: without dropout,
    with the stored statistics.
    """

    domain: str
    augment: str = "none"
    weights: Callable[[Tree], tuple[Tree, Tree]] | None = None
    train: bool = True


class Terms(NamedTuple):
    """The named scalars of the objective, and scalars that are only logged."""

    losses: dict[str, Array]
    metrics: Mapping[str, Array] = MappingProxyType({})


TermsFunction = Callable[[Own, Mapping[str, Output], Batch, At], Terms]


class Phase(NamedTuple):
    """One gradient step of an alternating algorithm: its terms, the parameter groups it moves, how often."""

    terms: TermsFunction
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
NO_VALUES: Mapping[str, float] = MappingProxyType({})
ONE_GROUP: Mapping[str, tuple[str, ...]] = MappingProxyType({"all": ("*",)})


def nothing(key: Array, example: Example, model: Model) -> Own:
    """No parameters and no memory."""
    return Own({}, {})


class Method(NamedTuple):
    """An adaptation method.

    terms(own, outputs by view, batch, at) -> Terms. The objective is sum_k w_k L_k with w = 1 for the term
      named "source" and w = at.lam for every other, unless `weights` names it.
    init(key, example, model) -> Own: see Example; model.memory is empty, model.own["head"] is the head of the source
      task.
    views: the passes through the network, by name.
    weights(at) -> {term: weight}: pure in (step, progress, values).
    values: the method's own scalars, readable as at.values[name] and sweepable without recompiling.
    lam, lam_schedule: its default trade-off (None: it has none) and the schedule of it (core/schedules.py).
    after(model, outputs by view, batch, at) -> memory: after each step (moving averages, banks, queues). The model is
      the one after the update, the outputs those that the last gradient of the step was taken of.
    refresh(network, model, x_t [m, ...], at) -> memory: over the whole unlabelled target, every
      `refresh_every` steps, the first time before step 0. Zero: once per pass over the target. With a
      `predict` of its own, also before each evaluation. at.key is apart from the step's.
    survey(network, model, labelled) -> memory: once, before step 0, over the labelled target [n, ...].
    adapt(network, at) -> the network as a step trains it.
    phases, groups: for algorithms that truly alternate. A group is a tuple of path patterns, first match
      wins; the network's paths are bare ("head/kernel"), the method's own begin with "method/".
    freeze: rules put before the user's, e.g. (("head/*", "frozen"),).
    predict(network, model, x, domain) -> Output: inference where it is not the plain head; model.stats is
      already the one of `domain` ("source0", "source1", ... or "target").
    plain(model, domain) -> (params, stats): with what the network alone predicts as `predict` does, up to a constant a
      row of logits; None where it is what is trained, or where there is none.
    between(model, a, domain) -> (params, stats): the network at a share a in [0, 1] of the way from where it began.
    start: the method that trains the source model this one begins from (source-free adaptation).
    labels: which domains are given with labels, as the sources of a batch: "source"; "target" (fine-tuning and
      the supervised bound); "both" (the target is the last of the sources); "none" (self-supervision).
    trained: False for a baseline that no step changes: one step is run, and no value is swept.
    balancing: a strategy for the terms' gradients in place of the weighted sum (multi-task training).
    source_head: whether it makes no sense without the head of the source task.
    trunk: whether it makes no sense where the features of the examples are computed once and a head alone is trained.
    regression: whether labels may also be values, the head then having one output (see `losses.supervised`).
    """

    terms: TermsFunction
    init: Callable[[Array, Example, Model], Own] = nothing
    views: Mapping[str, View] = SOURCE_AND_TARGET
    weights: Callable[[At], Mapping[str, Any]] = lambda at: {}
    values: Mapping[str, float] = NO_VALUES
    lam: float | None = 1.0
    lam_schedule: str = "constant"
    after: Callable[[Model, Mapping[str, Output], Batch, At], Tree] | None = None
    refresh: Callable[[Network, Model, Array, At], Tree] | None = None
    refresh_every: int = 0
    survey: Callable[[Network, Model, Labeled], Tree] | None = None
    adapt: Callable[[Network, At], Network] | None = None
    phases: tuple[Phase, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = ONE_GROUP
    freeze: tuple[tuple[str, str], ...] = ()
    predict: Callable[[Network, Model, Array, str], Output] | None = None
    plain: Callable[[Model, str], tuple[Tree, Tree]] | None = None
    between: Callable[[Model, Array, str], tuple[Tree, Tree]] | None = None
    start: "Method | None" = None
    labels: str = "source"
    trained: bool = True
    balancing: Balancing | None = None
    source_head: bool = False
    trunk: bool = False
    regression: bool = False

    def steps(self) -> tuple[Phase, ...]:
        """The phases of one training step; most methods have one, over all parameters."""
        return self.phases or (Phase(self.terms, tuple(self.groups)),)


NOTHING_LEARNT = Method(
    terms=lambda own, out, batch, at: Terms({"nothing": jnp.zeros(())}),
    weights=lambda at: {"nothing": 1.0},
    values={"lr": 0.0, "weight_decay": 0.0},
    lam=None,
    trained=False,
)
"""What methods that only predict have in common: L = 0, and no step changes a parameter."""
