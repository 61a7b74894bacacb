"""The state of one trial as a pytree, and how it begins."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from tl_jax.core.trees import flatten, unflatten
from tl_jax.core.types import Array, Labeled, Model, Network, Tree
from tl_jax.data.views.augment import to_float
from tl_jax.methods.contract import Example, Method
from tl_jax.training.forward import initial_stats, stats_of, stream
from tl_jax.training.freezing import in_group
from tl_jax.training.objective import split_params
from tl_jax.training.optimizer import optimizer

SOURCE_HEAD = "source_head/"


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

    The last of the sources is the target itself where its labels are trained on. others: further unlabelled domains
    (x [k, ...], ...), of which every batch has as many examples as of the target, after them. lists: for every source
    the rows that are drawn, some perhaps more than once, or None for each once; empty: None for every source.
    """

    sources: tuple[tuple[Array, Array], ...]
    target: Array
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


def accepting_bytes(network: Network) -> Network:
    """The network with uint8 images allowed as input."""
    return Network(
        lambda key, x: network.init(key, to_float(x)),
        lambda params, stats, x, **how: network.apply(params, stats, to_float(x), **how),
    )


def domains_of(data: Data) -> list[str]:
    """The domains that statistics may tell apart."""
    return [f"source{i}" for i in range(len(data.sources))] + ["target"]


def create(network: Network, method: Method, plan: str, data: Data, start: Start) -> State:
    """The state before step 0, without its optimiser (see `with_optimizer`)."""
    key = jax.random.key(start.seed)
    example = data.target[jnp.arange(2)]
    params, fresh = network.init(stream(key, "network"), example)
    stats: Mapping[str, Tree] = initial_stats(plan, fresh, domains_of(data))
    source_head: dict[str, Array] = {}
    if start.model is not None:
        pretrained, stats = start.model
        source_head = {path: x for path, x in pretrained.items() if path.startswith(SOURCE_HEAD)}
        params = unflatten(flatten(params) | {path: x for path, x in pretrained.items() if path not in source_head})
    head = unflatten(source_head)[SOURCE_HEAD[:-1]] if source_head else params["head"]
    model = Model(params, stats, {}, {"head": head})
    shown, _ = network.apply(params, stats_of(stats, "target"), example, train=False)
    own = method.init(stream(key, "method"), Example(*shown, example), model)
    memory = own.memory
    if method.refresh is not None:
        memory = method.refresh(network, target_model(Model(params, stats, memory, own.params)), data.target)
    if method.survey is not None:
        x, y = data.sources[-1]
        listed = data.list_of(len(data.sources) - 1) if start.rows is None else start.rows
        rows = jnp.arange(len(x)) if listed is None else listed
        seen = Labeled(x[rows], y[rows], rows)
        memory = method.survey(network, target_model(Model(params, stats, memory, own.params)), seen)
    flat = flatten(params) | flatten(own.params, "method")
    step = jnp.zeros((), jnp.int32)
    seed = jnp.asarray(start.seed, jnp.uint32)
    return State(step, seed, flat, stats, {}, memory, dict(start.values), start.rows)


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


def with_optimizer(state: State, method: Method, name: str, factors: Mapping[str, float]) -> State:
    """Fresh optimiser state for the trained parameters only: frozen ones cost no memory."""
    groups = trained_by_group(state.params, method, factors)
    opt = {group: optimizer(name).init(params) for group, params in groups.items()}
    if method.balancing is not None:
        opt["balance"] = method.balancing.balance.init(len(method.balancing.terms), shared(groups["all"]))
    return state._replace(opt=opt)
