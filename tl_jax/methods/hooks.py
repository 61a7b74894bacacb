"""What a method may be asked for, one Protocol a hook: pure functions of arrays, traced inside the run's programs.

Arguments are positional; a method may call them what it likes.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from tl_jax.core.types import Array, At, Batch, Labeled, Model, Network, Output, Outputs, Tree

Slope = Mapping[str, Array]
"""A derivative, or a move, by path of the parameter."""
Rate = float | Array | Callable[[Slope], Slope]


class LookaheadFn(Protocol):
    """What a network would say after an inner step: for second derivatives, and for sharpness."""

    def __call__(self, loss: Callable[[Outputs], Array], rate: Rate, /) -> Outputs:
        """Outputs by view at theta - rate * d loss / d theta, theta the trained parameters of the network.

        rate: or what makes a move of the derivative: the outputs are at theta + rate(d loss / d theta). The same batch
        and draws; differentiable, the inner derivative too, unless `rate` stops it.
        """
        ...


class MovedFn(Protocol):
    """What a network would say of other inputs: for virtual adversarial training."""

    def __call__(self, change: Mapping[str, Callable[[Array], Array]], /) -> Outputs:
        """Outputs by view where the named views are passed as change[view](x), the others as they are.

        x [n, ...]: what the view passes, as floats, the domains of a source view joined. The same weights, draws and
        forward plan; differentiable in what changes x. Running statistics are those of the first pass. Raises
        UserError for token ids, which cannot be moved.
        """
        ...


def nowhere(*_: Any) -> Outputs:
    """Raises ValueError: outside of `terms` there is no network to pass anything through."""
    raise ValueError("A method passes other weights or inputs in its terms alone.")


class Own(NamedTuple):
    """What belongs to the method: trained parameters and memory that no gradient touches.

    network: in `terms`, the network's parameters, for penalties on them; lookahead: there, what the network says after
    an inner step; moved: what it says of other inputs. `init` leaves all of them out.
    """

    params: Tree
    memory: Tree
    network: Tree = None
    lookahead: LookaheadFn = nowhere
    moved: MovedFn = nowhere


class Example(NamedTuple):
    """What `init` sees of the data: two examples x [2, ...] as stored, and the network's outputs on them.

    domains: how many labelled domains a batch has, the length of its `sources`; labelled: how many examples of the
    last of them `survey` sees.
    """

    features: Array
    logits: Array
    x: Array
    domains: int
    labelled: int = 0


class Terms(NamedTuple):
    """The named scalars of the objective, and scalars that are only logged."""

    losses: Mapping[str, Array]
    metrics: Mapping[str, Array] = MappingProxyType({})


class TermsFn(Protocol):
    """What is minimised."""

    def __call__(self, own: Own, out: Outputs, batch: Batch, at: At, /) -> Terms:
        """The terms L_k of sum_k w_k L_k, each a scalar.

        w = 1 for the term named "source" and w = at.lam for every other, unless `weights` names it; one that nothing
        weighs is an error. out: what the network says of every view, differentiable but for another network's.
        """
        ...


class WeightsFn(Protocol):
    """What the terms weigh."""

    def __call__(self, at: At, /) -> Mapping[str, Any]:
        """{term: weight} of the terms whose weight is not the default one; of (step, progress, values) alone."""
        ...


class InitFn(Protocol):
    """What a method begins with."""

    def __call__(self, key: Array, example: Example, model: Model, /) -> Own:
        """Its parameters and its memory before step 0.

        model: the network as training begins; model.memory is empty, model.own["head"] is the head of the source task.
        """
        ...


class AfterFn(Protocol):
    """What a method remembers of a step: moving averages, banks, queues."""

    def __call__(self, model: Model, out: Outputs, batch: Batch, at: At, /) -> Tree:
        """The next memory, of one structure with model.memory.

        model: after the update; out: the outputs that the last gradient of the step was taken of, before the update.
        """
        ...


class Restored(NamedTuple):
    """What a step ends with: the network's parameters, the memory; renewed: whether the optimiser begins anew."""

    params: Tree
    memory: Tree
    renewed: Array | bool = False


class RestoreFn(Protocol):
    """What a method puts back after a step: at test time there is nobody who would stop it."""

    def __call__(self, model: Model, logged: Mapping[str, Array], at: At, /) -> Restored:
        """The parameters and the memory that the step ends with, of one structure with the model's.

        model: after the update, with the memory of `after`; logged: the step's terms and metrics.
        """
        ...


class RefreshFn(Protocol):
    """What a method computes over the whole target now and then: pseudo-labels, clusters, statistics."""

    def __call__(self, network: Network, model: Model, x_t: Array, at: At, /) -> Tree:
        """The next memory, from all unlabelled targets x_t [m, ...] as stored.

        Every `refresh_every` steps, the first time before step 0 (zero: once per pass over the target); with a
        `predict` of the method's own also before each evaluation. model.stats are the target's. at: where the step
        that follows stands, with a key of its own. At test time it is computed once, before the stream, over
        examples of the source.
        """
        ...


class SurveyFn(Protocol):
    """What a method computes once over all labelled examples of the target."""

    def __call__(self, network: Network, model: Model, seen: Labeled, /) -> Tree:
        """The memory before step 0, from the labelled target x [n, ...]; model.stats are the target's."""
        ...


class AdaptFn(Protocol):
    """What a method changes of the network while it is trained."""

    def __call__(self, network: Network, batch: Batch, at: At, /) -> Network:
        """The network as a step trains it on this batch, with the parameters of the one it is made of."""
        ...


class PredictFn(Protocol):
    """Inference where it is not the plain head."""

    def __call__(self, network: Network, model: Model, x: Array, domain: str, /) -> Output:
        """Outputs on x [n, ...]; model.stats are those of `domain` ("source0", "source1", ... or "target").

        Output.unknown [n] is the method's own rule for examples of no known class: above zero it rejects.
        """
        ...


class PlainFn(Protocol):
    """The weights with which the network alone predicts as `predict` does: what is exported."""

    def __call__(self, model: Model, domain: str, /) -> tuple[Tree, Tree]:
        """(params, stats) with the same predictions, up to a constant a row of logits."""
        ...


class BetweenFn(Protocol):
    """The way from where a method began to where it stands, in the space of weights."""

    def __call__(self, model: Model, share: Array, domain: str, /) -> tuple[Tree, Tree]:
        """(params, stats) of the network at a share in [0, 1] of that way."""
        ...
