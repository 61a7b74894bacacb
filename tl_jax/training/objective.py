"""The one equation: min over theta of sum_k w_k(step) L_k(theta), usually L_S + lambda L_T."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.keys import named, of_view
from tl_jax.core.trees import unflatten
from tl_jax.core.types import Array, At, Batch, Output, Outputs, Tree
from tl_jax.data.views.augment import augment
from tl_jax.methods.contract import Method, Own, View
from tl_jax.methods.hooks import Rate, TermsFn
from tl_jax.training.forward import Entry, Forward, Weights, joined, stats_of


class Surroundings(NamedTuple):
    """What the objective reads but does not differentiate."""

    kept: Mapping[str, Array]
    stats: Mapping[str, Tree]
    memory: Tree
    batch: Batch
    at: At


class Found(NamedTuple):
    """What an objective says beside its value: the next statistics, every term and metric, the outputs by view."""

    stats: Mapping[str, Tree]
    logged: dict[str, Array]
    outputs: Outputs


def split_params(params: Mapping[str, Array]) -> tuple[Tree, Tree]:
    """Flat parameters -> nested ones of the network and of the method."""
    tree = unflatten(params)
    own = tree.pop("method", {})
    return tree, own


def unweighted(method: Method, forward: Forward, terms: TermsFn) -> Callable:
    """f(trained, surroundings) -> ({term: loss}, Found): what the objective sums.

    trained and surroundings.kept are disjoint flat parameter dicts.
    """
    views = method.views

    def found(trained: Mapping[str, Array], around: Surroundings) -> tuple[Mapping[str, Array], Found]:
        passes = _Passes(method, forward, around, {name: _entries(name, view, around) for name, view in views.items()})
        if method.adapt is not None:
            adapted = method.adapt(forward.network, around.batch, around.at)
            passes = passes._replace(forward=forward._replace(network=adapted))
        network, own = split_params({**around.kept, **trained})
        outputs, stats = passes(network)

        def lookahead(loss: Callable[[Outputs], Array], rate: Rate) -> Outputs:
            here = {path: x for path, x in trained.items() if not path.startswith("method/")}
            at = lambda moved: passes(split_params({**around.kept, **here, **moved})[0])[0]
            slope = jax.grad(lambda moved: loss(at(moved)))(here)
            move = rate(slope) if callable(rate) else {path: -rate * g for path, g in slope.items()}
            return at({path: x + move[path] for path, x in here.items()})

        def moved(change: Mapping[str, Callable[[Array], Array]]) -> Outputs:
            there = {name: _changed(name, of, change.get(name)) for name, of in passes.entries.items()}
            return passes._replace(entries=there)(network)[0]

        at = around.at._replace(
            view_keys={name: _keys(views[name], of, around.at) for name, of in passes.entries.items()}
        )
        losses, metrics = terms(Own(own, around.memory, network, lookahead, moved), outputs, around.batch, at)
        return losses, Found(stats, {**losses, **metrics}, outputs)

    return found


def objective(method: Method, forward: Forward, terms: TermsFn) -> Callable:
    """f(trained, surroundings) -> (total, Found): differentiate it in `trained` alone.

    Raises UserError while tracing for a term that nothing weighs.
    """
    each = unweighted(method, forward, terms)

    def total(trained: Mapping[str, Array], around: Surroundings):
        losses, found = each(trained, around)
        value = sum(method.weighed(losses, around.at).values())
        return value, found._replace(logged={**found.logged, "total": value})

    return total


def accumulated(
    method: Method, total: Callable, parts: int, sizes: tuple[int, int], place: Callable[[Batch], Batch]
) -> Callable:
    """f(trained, surroundings) -> (gradient, Found) of an objective, the batch in so many parts, one after the other.

    sizes: of a batch, of each source and of the target. The gradient and what is logged are means over the parts, each
    of a share of every domain; statistics go on from part to part, outputs are those of the whole batch in its order.
    With means over examples, no statistics of batches and nothing drawn it is the gradient of the whole batch.
    """

    def one(trained: Mapping[str, Array], around: Surroundings) -> tuple[dict[str, Array], Found]:
        (_, found), grads = jax.value_and_grad(total, has_aux=True)(trained, around)
        return grads, found

    def whole(trained: Mapping[str, Array], around: Surroundings) -> tuple[dict[str, Array], Found]:
        def step(carry: tuple[Any, Any], given: tuple[Batch, Array]):
            (grads, stats), (batch, i) = carry, given
            at = around.at._replace(key=jax.random.fold_in(named(around.at.key, "part"), i))
            more, found = one(trained, around._replace(stats=stats, batch=place(batch), at=at))
            return (jax.tree.map(jnp.add, grads, more), found.stats), (found.logged, found.outputs)

        # [k * whole, ...] of k domains <-> [parts, k * share, ...]: every part has its share of each domain.
        share = {"source": sizes[0] // parts, "target": sizes[1] // parts}

        def cut(of: str, tree: Any) -> Any:
            one = lambda x: x.reshape(-1, parts, share[of], *x.shape[1:]).swapaxes(0, 1)
            return jax.tree.map(lambda x: one(x).reshape(parts, -1, *x.shape[1:]), tree)

        def back(of: str, tree: Any) -> Any:
            one = lambda x: x.reshape(parts, -1, share[of], *x.shape[2:]).swapaxes(0, 1)
            return jax.tree.map(lambda x: one(x).reshape(-1, *x.shape[2:]), tree)

        begin = jax.tree.map(jnp.zeros_like, dict(trained)), dict(around.stats)
        batch = Batch(cut("source", around.batch.sources), cut("target", around.batch.target))
        (grads, stats), (logged, outputs) = jax.lax.scan(step, begin, (batch, jnp.arange(parts)))
        mean = jax.tree.map(lambda x: x.mean(0), logged)
        outputs = {name: back(method.views[name].domain, of) for name, of in outputs.items()}
        return jax.tree.map(lambda g: g / parts, grads), Found(stats, mean, outputs)

    return one if parts == 1 else whole


class _Passes(NamedTuple):
    """Every view's pass through a network whose parameters are still open, on inputs that are drawn."""

    method: Method
    forward: Forward
    around: Surroundings
    entries: Mapping[str, list[Entry]]

    def __call__(self, params: Tree) -> tuple[dict[str, Output], dict[str, Tree]]:
        """The trained network's outputs under the forward plan, with its next statistics, then the others'."""
        forward, around, views = self.forward, self.around, self.method.views
        moving = [name for name, view in views.items() if view.weights is None and view.train]
        trained = [entry for name in moving for entry in self.entries[name]]
        outputs, stats = forward(Weights(params, around.stats, around.at.key), trained)
        for name, view in views.items():
            if view.weights is not None:
                outputs[name] = jax.lax.stop_gradient(_teacher(forward, view, self.entries[name], around))
            elif not view.train:
                outputs[name] = _inference(forward, (params, around.stats), self.entries[name])
        return outputs, stats


def _entries(name: str, view: View, around: Surroundings) -> list[Entry]:
    """One entry per domain of the view, augmented with a draw of its own. Raises UserError without a target."""
    batch, at = around.batch, around.at
    if view.domain == "target" and batch.target is None:
        raise UserError(f"The view {name!r} is one of the target, and training is given nothing of a target here.")
    if view.examples is not None:
        x = view.examples(around.memory)
        return [Entry(name, view.domain, augment(view.augment, of_view(at.key, view.drawn or name, view.domain), x))]
    of_sources = dict(zip(batch.domains, batch.sources, strict=True))
    parts = of_sources if view.domain == "source" else {"target": batch.target}
    return [
        Entry(name, domain, augment(view.augment, of_view(at.key, view.drawn or name, domain), part.x))
        for domain, part in parts.items()
    ]


def _changed(name: str, entries: list[Entry], change: Callable[[Array], Array] | None) -> list[Entry]:
    """The entries of a view with other inputs. Raises UserError for token ids."""
    if change is None:
        return entries
    x = jnp.concatenate([one.x for one in entries])
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise UserError(f"The method moves the inputs of the view {name!r} a little: token ids cannot be moved.")
    parts = jnp.split(change(x), list(itertools.accumulate(len(one.x) for one in entries))[:-1])
    return [one._replace(x=part) for one, part in zip(entries, parts, strict=True)]


def _keys(view: View, entries: list[Entry], at: At) -> tuple[Array, ...]:
    """The keys that they were drawn by."""
    return tuple(of_view(at.key, view.drawn or entry.view, entry.domain) for entry in entries)


def _teacher(forward: Forward, view: View, entries: list[Entry], around: Surroundings) -> Output:
    """Passes through the weights a view names, frozen where the student is; their statistics are thrown away."""
    assert view.weights is not None
    params, stats = view.weights(around.memory)
    if not view.train:
        return _inference(forward, (params, stats), entries)
    weights = Weights(params, stats, around.at.key)
    name = lambda i, one: f"teacher {one.view}{one.domain if i else ''}"
    passed = lambda i, one: forward.one_pass(weights, stats_of(stats, one.domain), one.x, name(i, one))[0]
    return joined([passed(i, one) for i, one in enumerate(entries)])


def _inference(forward: Forward, model: tuple[Tree, Mapping[str, Tree]], entries: list[Entry]) -> Output:
    """Each entry as the model predicts it, with the statistics of its domain; several are joined."""
    params, stats = model
    return joined([forward.network.apply(params, stats_of(stats, one.domain), one.x)[0] for one in entries])
