"""The rows of the table: each a method or a strategy, the runs that it is made of, and the labels it is given."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tl_jax.balancing.table import STRATEGIES as BALANCING
from tl_jax.core.errors import UserError
from tl_jax.data.views.augment import VIEWS
from tl_jax.fine_tuning.strategies import STRATEGIES
from tl_jax.kinds.table import KINDS
from tl_jax.kinds.unsupervised.observe import trunk_path
from tl_jax.methods import ADAPTATION, FINE_TUNING, SELF_SUPERVISION, TEST_TIME
from tl_jax.naming.calls import parse
from tl_jax.run.plan.problem import Problem
from tl_jax.run.settings.config import Config
from tl_jax.run.store.names import readable
from tl_jax.run.store.rundir import RunDirectory

ALL, NONE = "all", "0"
"""Labels a class: every one that there is, and none."""
ROWS = (
    "scratch",
    "source_only",
    "linear_probe",
    "last_k",
    "full",
    "lp_ft",
    "joint",
    "adabn",
    "dan",
    "deep_coral",
    "dann",
    "bnm",
    "mcc",
    "shot",
    "tent",
    "equal",
    "simclr",
    "target_only",
)
"""The rows of the table without flags."""
SHARED = ("source", "target", "network", "seeds", "lr", "lr_schedule", "weight_decay", "optimizer", "clip_norm")
SHARED = (*SHARED, "batch_size", "precision", "standardise")
"""What every row has in common."""


class Asked(NamedTuple):
    """What the table is to show.

    base: the pair, the network by its name and the whole budget of steps, pretrain_steps of them for a model that is
    begun from; labels: numbers, in the order of the columns, and "all"; lams: trade-offs of the joint rows.
    """

    base: Config
    rows: tuple[str, ...] = ROWS
    labels: tuple[str, ...] = (NONE, "1", "5", ALL)
    lams: tuple[float, ...] = (0.3, 3.0)

    @property
    def few(self) -> tuple[int, ...]:
        """The numbers of labels between none and all."""
        return tuple(int(n) for n in self.labels if n not in (NONE, ALL))

    @property
    def rest(self) -> int:
        """Steps that are left after pretraining."""
        return self.base.steps - self.base.pretrain_steps


class Part(NamedTuple):
    """A run of a kind of transfer; labels: "" where its trials say how many they have."""

    name: str
    config: Config
    labels: str


class Row(NamedTuple):
    """parts: the runs whose records it shows, before: those that they begin from; job: what it is called in them.

    lam: of its trials, where they are one row of several; score: under which its records have the accuracy;
    stream: whether it is what came of a stream, instead of the runs before it; chosen: whether a step can be chosen
    without labels that it is not given.
    """

    sort: str
    name: str
    job: str
    parts: tuple[Part, ...]
    before: tuple[Part, ...] = ()
    lam: float | None = None
    score: str = "target/accuracy"
    stream: bool = False
    chosen: bool = True


class Place(NamedTuple):
    """Where the runs lie, and what they are of."""

    root: Path
    problem: Problem

    def run(self, part: Part) -> Path:
        """A run's directory."""
        return self.root / "runs" / part.name


def check(asked: Asked) -> None:
    """Raises UserError for an unknown row and for labels and steps that make no table; nothing is read."""
    base = asked.base
    known = {name: table[name] for _, table, _ in SORTS for name in table}
    named = [parse(text, known, "row").text for text in asked.rows]
    if not named or len(set(named)) != len(named):
        raise UserError(f"--row={named}: name at least one, each only once.")
    if not asked.labels or len(set(asked.labels)) != len(asked.labels) or not all(map(_is_amount, asked.labels)):
        raise UserError(
            f"--labels={','.join(asked.labels)}: give numbers of labels a class and 'all', as in 0,1,5,all."
        )
    if not 1 <= base.pretrain_steps < base.steps:
        raise UserError(
            f"--pretrain_steps={base.pretrain_steps}: they are a part of --steps={base.steps}, the whole budget. "
            "Leave at least one step to each part."
        )


def _is_amount(text: str) -> bool:
    return text == ALL or (text.isdecimal() and str(int(text)) == text)


def rows(asked: Asked, place: Place) -> list[Row]:
    """The rows in the order in which they were asked for, but for those that no column shows."""
    found = []
    for text in asked.rows:
        name = parse(text, {n: t[n] for _, t, _ in SORTS for n in t}, "row").name
        title, make = next((title, make) for title, table, make in SORTS if name in table)
        found += [row._replace(sort=title) for row in make(asked, place, text) if row.parts or row.stream]
    if not found:
        raise UserError(f"--labels={','.join(asked.labels)}: no row is given such numbers of labels.")
    return found


def _part(config: Config, labels: str) -> Part:
    said = "-".join(filter(None, (config.kind, *map(readable, (*config.methods, *config.strategies)), labels or "few")))
    return Part(f"{said[:80]}-{config.digest()}", config, labels)


def _config(asked: Asked, kind: str, steps: int, **more: Any) -> Config:
    """A kind's own defaults with what all rows share; evaluated four times."""
    shared = {name: getattr(asked.base, name) for name in SHARED}
    every = asked.base.eval_every or max(1, steps // 4)
    return dataclasses.replace(KINDS[kind].defaults, **{**shared, "steps": steps, "eval_every": every, **more})


def _labelled(asked: Asked, steps: int, **more: Any) -> tuple[Part, ...]:
    """Runs of inductive transfer: one with few labels, whose trials they are, and one with all."""
    config = _config(asked, "inductive", steps, **{"select": asked.base.select, "labels_per_class": (), **more})
    few = [_part(dataclasses.replace(config, labels_per_class=asked.few), "")] if asked.few else []
    return (*few, *([_part(config, ALL)] if ALL in asked.labels else []))


def _scratch(asked: Asked, place: Place, text: str) -> list[Row]:
    parts = _labelled(asked, asked.base.steps, strategies=(text,), pretrain_steps=0)
    return [Row("", text, text, parts)]


def _tuned(asked: Asked, place: Place, text: str) -> list[Row]:
    """Strategies share a run: it pretrains once for all of them."""
    together = tuple(one for one in asked.rows if one.partition("(")[0] in FROM_A_MODEL)
    parts = _labelled(asked, asked.rest, strategies=together, pretrain_steps=asked.base.pretrain_steps)
    return [Row("", text, text, parts)]


def _joint(asked: Asked, place: Place, text: str) -> list[Row]:
    sweep = (("lam", asked.lams),)
    parts = _labelled(asked, asked.base.steps, methods=(text,), strategies=("scratch",), sweep=sweep, pretrain_steps=0)
    return [Row("", f"{text}, lambda {lam:g}", "scratch", parts, lam=lam) for lam in asked.lams]


def _adapted(asked: Asked, place: Place, text: str) -> list[Row]:
    steps = asked.base.steps
    config = _config(asked, "transductive", steps, methods=(text,), select=asked.base.select)
    if parse(text, ADAPTATION, "row")().start is not None:
        config = dataclasses.replace(config, steps=asked.rest, pretrain_steps=asked.base.pretrain_steps)
    return [Row("", text, text, (_part(config, NONE),) if NONE in asked.labels else ())]


def _bound(asked: Asked, place: Place, text: str) -> list[Row]:
    config = _config(asked, "transductive", asked.base.steps, methods=(text,), select=asked.base.select)
    return [Row("", text, text, (_part(config, ALL),) if ALL in asked.labels else ())]


def _streamed(asked: Asked, place: Place, text: str) -> list[Row]:
    if NONE not in asked.labels:
        return []
    steps = asked.base.pretrain_steps
    config = _config(asked, "transductive", steps, methods=("source_only",), select=asked.base.select)
    return [Row("", text, text, (), before=(_part(config, NONE),), stream=True, chosen=False)]


def _several(asked: Asked, place: Place, text: str) -> list[Row]:
    if ALL not in asked.labels:
        return []
    tasks = {"source": (*asked.base.source, asked.base.target), "target": "", "strategies": (text,)}
    config = dataclasses.replace(_config(asked, "multitask", asked.base.steps), **tasks)
    score = f"{place.problem.target.name}/accuracy"
    return [Row("", f"tasks, {text}", text, (_part(config, ALL),), score=score, chosen=False)]


def _self_supervised(asked: Asked, place: Place, text: str) -> list[Row]:
    """A trunk from the unlabelled target, and the nearest class mean of its features with labels.

    Not a linear probe: a new head on features that nothing has centred is not trained after a few hundred steps.
    """
    view = "distorted" if "distorted" in VIEWS[place.problem.target.modality] else "strong"
    seed, steps = asked.base.seeds[:1], asked.base.pretrain_steps
    config = _config(asked, "unsupervised", steps, methods=(text,), view=view, pretrain_on="target")
    trunk = _part(dataclasses.replace(config, seeds=seed, eval_every=steps), NONE)
    weights = trunk_path(RunDirectory(place.run(trunk)), text)
    parts = _labelled(asked, asked.rest, **MEANS, init_from=str(weights))
    return [Row("", f"{text}, class means", "prototypical", parts, before=(trunk,) if parts else ())]


MEANS = {"strategies": ("prototypical",), "source": (), "pretrain_steps": 0}
FROM_A_MODEL = {name: make for name, make in STRATEGIES.items() if name != "scratch"}
Sort = tuple[str, Mapping[str, Callable[..., Any]], Callable[[Asked, Place, str], list[Row]]]
SORTS: Sequence[Sort] = (
    ("target alone", {"scratch": STRATEGIES["scratch"]}, _scratch),
    ("source alone", {"source_only": ADAPTATION["source_only"]}, _adapted),
    ("fine-tuning", FROM_A_MODEL, _tuned),
    ("joint training", {"joint": FINE_TUNING["joint"]}, _joint),
    ("bound", {"target_only": ADAPTATION["target_only"]}, _bound),
    ("source-free", {name: make for name, make in ADAPTATION.items() if make().start is not None}, _adapted),
    ("transductive", ADAPTATION, _adapted),
    ("test time", TEST_TIME, _streamed),
    ("multi-task", BALANCING, _several),
    ("self-supervision", SELF_SUPERVISION, _self_supervised),
)
"""(title, names, rows of a name) of the kinds of transfer: the first that has a name makes its rows."""
