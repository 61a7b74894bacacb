"""What there is by name, and what each asks for, read off the methods themselves."""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from tl_jax import methods
from tl_jax.methods.contract import Method
from tl_jax.run.report.table import Table

FAMILIES: Mapping[str, Mapping[str, Callable[..., Method]]] = {
    "adaptation": methods.ADAPTATION,
    "fine-tuning": methods.FINE_TUNING,
    "without labels": {**methods.SELF_SUPERVISION, **methods.BASELINES},
    "generalisation": methods.GENERALISATION,
    "test time": methods.TEST_TIME,
}
LABELS = {"source": "source", "target": "target", "both": "source, target", "none": "none"}
PAPER = re.compile(r"(?<!\w)([A-Z][\w'-]+(?: et al\.| & [A-Z][\w'-]+)? (?:19|20)\d\d)(?=,| \()")
LIBRARY = re.compile(r"form=[\"'](\w+)[\"']")


class Entry(NamedTuple):
    """A method by name.

    call: with its defaults; paper: the first that its docstring names with its place, "" for none; labels: of which
    domains; needs: what else it asks of a run; values: whether labels may be numbers; forms: calls that are another
    library's or paper's; text: its docstring.
    """

    name: str
    family: str
    call: str
    paper: str
    labels: str
    needs: tuple[str, ...]
    values: bool
    forms: tuple[str, ...]
    text: str


def entries() -> list[Entry]:
    """Every method once, in the order of the tables."""
    return [_entry(name, family, make) for family, table in FAMILIES.items() for name, make in table.items()]


def _entry(name: str, family: str, make: Callable[..., Method]) -> Entry:
    given = inspect.signature(make).parameters.values()
    call = f"{name}({', '.join(f'{p.name}={p.default!r}' for p in given)})" if given else name
    text, method = inspect.getdoc(make) or "", make()
    papers = PAPER.findall(" ".join(text.split()))
    default = next((p.default for p in given if p.name == "form"), None)
    forms = [f"{name}(form='{form}')" for form in dict.fromkeys(LIBRARY.findall(text)) if form != default]
    asked = needs(method, make)
    return Entry(
        name, family, call, next(iter(papers), ""), LABELS[method.labels], asked, method.regression, tuple(forms), text
    )


def needs(method: Method, make: Callable[..., Method]) -> tuple[str, ...]:
    """What a method asks of a run beside batches of its domains."""
    views = method.views.values()
    said = {
        "a source model": method.start is not None,
        "views": any(view.augment != "none" for view in views),
        "another network's view": any(view.weights is not None for view in views),
        "memory": method.after is not None,
        "all targets now and then": method.refresh is not None,
        "all labelled targets once": method.survey is not None,
        "phases": bool(method.phases),
        "second derivatives": bool(re.search(r"lookahead|jax\.grad\(", inspect.getsource(inspect.unwrap(make)))),
        "moved inputs": "own.moved" in inspect.getsource(inspect.unwrap(make)),
        "the source's head": method.source_head,
        "a trunk": method.trunk,
    }
    return tuple(name for name, so in said.items() if so)


def table(found: list[Entry]) -> Table:
    """The methods as a table."""
    head = ["method", "family", "paper", "labels", "needs", "values"]
    cells = [[e.name, e.family, e.paper, e.labels, ", ".join(e.needs), "yes" if e.values else ""] for e in found]
    note = (
        f"{len(found)} methods. labels: of which domains; values: works with labels that are numbers. A method with"
        " its equation and defaults: tl-jax methods NAME."
    )
    return Table([head, *cells], note)


def told(entry: Entry) -> str:
    """One method, whole."""
    lines = [entry.call, "", entry.text, "", f"family: {entry.family}; labels: {entry.labels}"]
    lines += [f"needs: {', '.join(entry.needs)}"] * bool(entry.needs)
    lines += [f"other forms: {', '.join(entry.forms)}"] * bool(entry.forms)
    return "\n".join(lines)
