"""Methods that are added: 'cdan + mcc(temperature=2.5) + entropy_minimisation(lam=0.1)' is one method."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.keys import named
from tl_jax.core.schedules import LAM_SCHEDULES
from tl_jax.core.types import Array, At, Batch, Model, Network, Outputs, Tree
from tl_jax.methods.contract import Example, Method, Own, Rate, Restored, RestoreFn, SurveyFn, Terms, View

ONCE = ("adapt", "restore", "predict", "between", "survey", "start")
"""What two of the methods cannot both bring."""


class _Part(NamedTuple):
    """One of the methods: what the sum calls its values (lam too) and views; draws names its keys ("": none)."""

    name: str
    method: Method
    values: Mapping[str, str]
    views: Mapping[str, str]
    draws: str

    def at(self, at: At) -> At:
        """Where it stands: its own trade-off and schedule, below those of the sum; its own draws."""
        values = dict(at.values)
        for inner, outer in self.values.items():
            values[inner] = at.values[outer] * at.values["lam"] if inner == "lam" else at.values[outer]
        lam = jnp.zeros(())
        if "lam" in self.values:
            lam = at.lam * at.values[self.values["lam"]] * LAM_SCHEDULES[self.method.lam_schedule](at.progress)
        keys = {inner: at.view_keys[outer] for inner, outer in self.views.items() if outer in at.view_keys}
        return at._replace(lam=lam, values=values, key=self.key(at.key), view_keys=keys)

    def key(self, key: Array) -> Array:
        """The key of its draws."""
        return named(key, self.draws) if self.draws else key

    def out(self, out: Outputs) -> Outputs:
        """The outputs of its views, by its own names."""
        return {inner: out[outer] for inner, outer in self.views.items()}

    def model(self, model: Model) -> Model:
        """The model as the method alone would see it."""
        return model._replace(memory=model.memory[self.name], own=model.own.get(self.name, {}))


def added(methods: Mapping[str, Method], lams: Mapping[str, float]) -> Method:
    """L = L_1 + lam * sum_i lam_i s_i(p) L_i: the first method whole, and of the others every term but "source".

    lams: lam_i by the method's name, where it is not the method's own; s_i are the methods' schedules. lam = 1 weighs
    all of them, and its schedule comes on top. Swept values are called as the methods call them, with the method's name
    before it where two share one ("mcc_temperature"), and "lam_mcc". A term is logged unweighted as "mcc/confusion", a
    method's weighted terms together as "mcc". Equal views are passed once. Raises UserError for methods that cannot be
    added: alternating ones, those with other labels, and two that predict, or change the network, in their own way.
    """
    _check(methods, lams)
    parts = _parts(methods)
    first = parts[0]
    names = [part.name for part in parts]

    def init(key: Array, example: Example, model: Model) -> Own:
        made = {part.name: part.method.init(part.key(key), example, model) for part in parts}
        params = {name: own.params for name, own in made.items() if own.params}
        return Own(params, {name: own.memory for name, own in made.items()})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        losses, logged = {}, {}
        for part in parts:
            inner = part.at(at)
            found = part.method.terms(_own(own, part), part.out(out), batch, inner)
            kept = {term: loss for term, loss in found.losses.items() if part is first or term != "source"}
            weighed = part.method.weighed(kept, inner)
            if "source" in weighed:
                losses["source"] = weighed.pop("source")
            losses[part.name] = sum(weighed.values(), jnp.zeros(()))
            raw = {**kept, **found.metrics}
            logged |= {f"{part.name}/{name}": value for name, value in raw.items() if name != "source"}
        return Terms(losses, logged)

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        memory = dict(model.memory)
        for part in parts:
            if part.method.after is not None:
                memory[part.name] = part.method.after(part.model(model), part.out(out), batch, part.at(at))
        return memory

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        memory = dict(model.memory)
        for part in parts:
            if part.method.refresh is not None:
                memory[part.name] = part.method.refresh(network, part.model(model), x_t, part.at(at))
        return memory

    each = [part.method for part in parts]
    return Method(
        terms,
        init,
        views=_views(parts),
        weights=lambda at: dict.fromkeys(names, 1.0),
        values=_values(parts, lams),
        after=after if any(m.after for m in each) else None,
        refresh=refresh if any(m.refresh for m in each) else None,
        refresh_every=max(m.refresh_every for m in each if m.refresh) if any(m.refresh for m in each) else 0,
        freeze=tuple(dict.fromkeys(rule for m in each for rule in m.freeze)),
        labels=first.method.labels,
        source_head=any(m.source_head for m in each),
        trunk=any(m.trunk for m in each),
        regression=all(m.regression for m in each),
        **_of_one(parts),
    )


def _own(own: Own, part: _Part) -> Own:
    """What belongs to one of the methods, which looks ahead and moves inputs by its own views."""

    def lookahead(loss: Callable[[Outputs], Array], rate: Rate) -> Outputs:
        return part.out(own.lookahead(lambda out: loss(part.out(out)), rate))

    def moved(change: Mapping[str, Callable[[Array], Array]]) -> Outputs:
        return part.out(own.moved({part.views[inner]: f for inner, f in change.items()}))

    return Own(own.params.get(part.name, {}), own.memory[part.name], own.network, lookahead, moved)


def _check(methods: Mapping[str, Method], lams: Mapping[str, float]) -> None:
    said = " + ".join(methods)
    for name, method in methods.items():
        if method.phases or method.balancing is not None:
            raise UserError(f"'{said}': {name} alternates between objectives, and nothing can be added to one of them.")
        if not method.trained:
            raise UserError(f"'{said}': {name} is not trained, so it has no term to add.")
        if name in lams and method.lam is None:
            raise UserError(f"'{said}': {name} has no lam. Leave it out.")
    first = next(iter(methods))
    for name, method in methods.items():
        if method.labels != methods[first].labels:
            raise UserError(
                f"'{said}': {first} is trained on labels of '{methods[first].labels}', {name} on those of "
                f"'{method.labels}'. Add methods that are given the same."
            )
    for hook in ONCE:
        if len(have := [name for name, method in methods.items() if getattr(method, hook) is not None]) > 1:
            raise UserError(f"'{said}': {' and '.join(have)} each bring their own `{hook}`; one of them can.")
    if len(every := {method.refresh_every for method in methods.values() if method.refresh}) > 1:
        raise UserError(
            f"'{said}': their memories are renewed at different steps ({', '.join(map(str, sorted(every)))})."
        )


def _parts(methods: Mapping[str, Method]) -> list[_Part]:
    """The methods with the names that the sum has for what is theirs."""
    count = Counter(name for method in methods.values() for name in method.values)
    views: dict[str, View] = {}
    found = []
    for name, method in methods.items():
        values = {value: f"{name}_{value}" if count[value] > 1 else value for value in method.values}
        if method.lam is not None:
            values["lam"] = f"lam_{name}"
        mine = {}
        for view, how in method.views.items():
            same = next((outer for outer, other in views.items() if other == how), "")
            mine[view] = same or (view if view not in views else f"{view} of {name}")
            views[mine[view]] = how
        found.append(_Part(name, method, values, mine, name if found else ""))
    return found


def _views(parts: list[_Part]) -> dict[str, View]:
    """Every view once; one through weights of a method's memory finds them there."""
    views: dict[str, View] = {}
    for part in parts:
        for inner, outer in part.views.items():
            view, name = part.method.views[inner], part.name
            if (weights := view.weights) is not None:
                view = view._replace(weights=lambda memory, of=weights, name=name: of(memory[name]))
            views.setdefault(outer, view)
    return views


def _values(parts: list[_Part], lams: Mapping[str, float]) -> dict[str, float]:
    """The swept values of all, by the sum's names."""
    found = {}
    for part in parts:
        own = {**part.method.values, "lam": lams.get(part.name, part.method.lam)}
        found |= {outer: own[inner] for inner, outer in part.values.items()}
    return found


def _of_one(parts: list[_Part]) -> dict[str, Any]:
    """The hooks that one of the methods brings, seeing what is its own."""
    found: dict[str, Any] = {}
    for part in parts:
        method, model = part.method, part.model
        if (adapt := method.adapt) is not None:
            found["adapt"] = lambda network, batch, at, f=adapt, p=part: f(network, batch, p.at(at))
        if method.start is not None:
            found["start"] = method.start
        if (predict := method.predict) is not None:
            found["predict"] = lambda network, of, x, domain, f=predict, m=model: f(network, m(of), x, domain)
            found["plain"] = (plain := method.plain) and (lambda of, domain, f=plain, m=model: f(m(of), domain))
        if (between := method.between) is not None:
            found["between"] = lambda of, share, domain, f=between, m=model: f(m(of), share, domain)
        if method.survey is not None:
            found["survey"] = _survey(part, method.survey)
        if method.restore is not None:
            found["restore"] = _restore(part, method.restore)
    return found


def _survey(part: _Part, own: SurveyFn) -> SurveyFn:
    return lambda network, of, seen: {**of.memory, part.name: own(network, part.model(of), seen)}


def _restore(part: _Part, own: RestoreFn) -> RestoreFn:
    def restore(of: Model, logged: Mapping[str, Array], at: At) -> Restored:
        mine = {name.removeprefix(f"{part.name}/"): value for name, value in logged.items()}
        put = own(part.model(of), mine, part.at(at))
        return put._replace(memory={**of.memory, part.name: put.memory})

    return restore
