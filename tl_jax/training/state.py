"""The state of one trial as a pytree, what it is trained on and from where it begins."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tl_jax.core.types import Array, Model, Tree
from tl_jax.methods.contract import Method
from tl_jax.training.forward import stats_of
from tl_jax.training.freezing import in_group
from tl_jax.training.objective import split_params
from tl_jax.training.optimizer import Optimizer


class State(NamedTuple):
    """One trial: params {path: array}, stats {domain: tree}, opt {group: state}, values {name: scalar}.

    opt["balance"] is the memory of a multi-task strategy: like moments, it exists for what is trained alone.

    rows: the labelled rows of the target [L], where it is labelled in part (see data/pipeline/rows.py).
    """

    step: Array
    seed: Array
    params: dict[str, Array]
    stats: Mapping[str, Tree]
    opt: dict[str, Tree]
    memory: Tree
    values: dict[str, Array]
    rows: Array | None = None


class Data(NamedTuple):
    """Training examples on the device: ((x_s [n, ...], y_s [n]), ...) and the unlabelled x_t [m, ...].

    target: None where it is met in the test alone (generalisation): no batch then has one. The last of the sources is
    the target itself where its labels are trained on. others: further unlabelled domains (x [k, ...], ...), of which
    every batch has as many examples as of the target, after them. lists: for every source the rows that are drawn, some
    perhaps more than once, or None for each once; empty: None for every source.
    """

    sources: tuple[tuple[Array, Array], ...]
    target: Array | None
    others: tuple[Array, ...] = ()
    lists: tuple[Array | None, ...] = ()

    def list_of(self, i: int) -> Array | None:
        """The rows that are drawn from source i, or None for all."""
        return self.lists[i] if self.lists else None


class Start(NamedTuple):
    """Where a trial begins: its seed, its values, labelled rows, and pretrained (params, stats) or None.

    Parameters that the model lacks (a new head) are drawn at random; those under "source_head/" are the head of the
    source task, which no network has.
    """

    seed: Array
    values: Mapping[str, Array]
    model: tuple[Mapping[str, Array], Mapping[str, Tree]] | None = None
    rows: Array | None = None


def domains_of(data: Data) -> list[str]:
    """The domains that statistics may tell apart; a target that nothing is trained on has those of the sources."""
    return [f"source{i}" for i in range(len(data.sources))] + ["target"]


def model_of(state: State) -> Model:
    """The model in a state, with the statistics of every domain."""
    params, own = split_params(state.params)
    return Model(params, state.stats, state.memory, own)


def target_model(model: Model) -> Model:
    """The model with the target's batch statistics."""
    return model._replace(stats=stats_of(model.stats, "target"))


def trained_by_group(state_params: Mapping[str, Array], method: Method, factors: Mapping[str, float]):
    """{group: {path: array}} of the parameters that may move."""
    groups: dict[str, dict[str, Array]] = {group: {} for group in method.groups}
    for path, value in state_params.items():
        if factors[path]:
            groups[in_group(path, method.groups)][path] = value
    return groups


def shared(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that every task reads: all but the heads."""
    return {path: x for path, x in params.items() if not path.startswith("head/")}


def with_optimizer(state: State, method: Method, optimizer: Optimizer, factors: Mapping[str, float]) -> State:
    """Fresh optimiser state for the trained parameters only: frozen ones cost no memory."""
    groups = trained_by_group(state.params, method, factors)
    opt = {group: optimizer.init(params) for group, params in groups.items()}
    if method.balancing is not None:
        opt["balance"] = method.balancing.balance.init(len(method.balancing.terms), shared(groups["all"]))
    return state._replace(opt=opt)
