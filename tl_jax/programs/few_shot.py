"""New classes from a few examples: N-way K-shot episodes on the features of a trunk that learnt other classes."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.core.files import write_atomically
from tl_jax.data.domain import Domain, Examples, known, labelled
from tl_jax.data.load import load
from tl_jax.evaluation.few_shot import Shape, episodes
from tl_jax.kinds.inductive.kind import INDUCTIVE
from tl_jax.kinds.table import prepare, run
from tl_jax.run.execute.begin import on_features
from tl_jax.run.finished import began_from
from tl_jax.run.plan.types import Options
from tl_jax.run.report.table import Table
from tl_jax.run.settings.config import Config
from tl_jax.run.store.rundir import write_json

FEW_SHOT = dataclasses.replace(
    INDUCTIVE.defaults,
    source=("digits:handwritten",),
    # The last map as features: layers above it are learnt for the old classes, and new ones are lost in them.
    network="cnn(widths=(16, 48), dense=0, bottleneck=0)",
    strategies=("prototypical",),
    labels_per_class=(),
    seeds=(0,),
    pretrain_steps=150,
    batch_size=64,
    eval_every=0,
)
"""The defaults of few-shot episodes."""


class Asked(NamedTuple):
    """Which episodes: every number of ways with every number of shots; `count` of each."""

    ways: Sequence[int] = (5,)
    shots: Sequence[int] = (1, 5)
    queries: int = 15
    count: int = 600


class Plan(NamedTuple):
    """A run that learns the trunk, with its domains by name, and the episodes to be drawn from its target."""

    config: Config
    options: Options
    domains: Mapping[str, Domain]
    asked: Asked


def plan(config: Config, options: Options, asked: Asked, novel: int = 0) -> Plan:
    """Read the domains and check what is asked for. Raises UserError for the first mistake.

    novel: only the last so many classes of the target are drawn, and the sources lose them; 0: all are new already.
    """
    domains = [load(spec, options.data_dir) for spec in (*config.source, config.target)]
    for domain in domains:
        if not domain.classes or not domain.labelled:
            what = "has values as labels (a regression)" if domain.values else "has no labels"
            raise UserError(f"{domain.name} {what}: episodes are of classes.")
    if novel:
        domains = split_classes(domains, novel)
    check(domains[-1], asked)
    sources = tuple(domain.name for domain in domains[:-1])
    config = dataclasses.replace(config, source=sources, target=domains[-1].name, strategies=FEW_SHOT.strategies)
    return Plan(config, options, {domain.name: domain for domain in domains}, asked)


def few_shot(plan: Plan) -> Table | None:
    """Learn the trunk on the sources (or take it from a file), then episodes on all examples of the target.

    Writes episodes.json and episodes.md into the run directory. None if the user stopped the run.
    """
    config, options, domains, asked = plan
    result = run(config, options, domains)
    if not result.complete:
        return None
    setup = prepare(config, options, domains)
    (task,) = setup.tasks
    seen = on_features(task, began_from(result.run_dir, task, setup.weights)).problem.target
    (trunk, y), target = everything(seen), task.problem.target
    kinds = {"pixels": everything(target)[0], "trunk": trunk, "trunk, length 1": of_length_one(trunk)}
    records = _records(kinds, y, asked, config.seeds[0])
    out = f", {target.unknown} without a label left out" if target.unknown else ""
    what = f"{target.name}: {len(target.classes)} classes, {len(y)} examples{out}"
    table = _table(records, list(kinds), what, asked)
    write_json(result.run_dir / "episodes.json", records)
    write_atomically(result.run_dir / "episodes.md", table.markdown().encode())
    return table


def _records(kinds: Mapping[str, np.ndarray], y: np.ndarray, asked: Asked, seed: int) -> list[dict[str, Any]]:
    """Every kind of features sees the same episodes."""
    records = []
    for ways in asked.ways:
        for shots in asked.shots:
            shape, record = Shape(ways, shots, asked.queries), {"ways": ways, "shots": shots}
            for name, x in kinds.items():
                found = episodes(jnp.asarray(x), jnp.asarray(y), jax.random.key(seed), shape=shape, count=asked.count)
                record |= {name: {"accuracy": found.mean, "half_width": found.half_width}}
            records.append(record)
    return records


def split_classes(domains: Sequence[Domain], novel: int) -> list[Domain]:
    """The target's last `novel` classes for the target alone, the others for the sources. Raises UserError if few."""
    names = domains[-1].classes
    if not 2 <= novel <= len(names) - 2:
        raise UserError(f"--novel={novel}: {domains[-1].name} has {len(names)} classes; use 2 to {len(names) - 2}.")
    new = set(names[-novel:])
    kept = [_only(d, [name not in new for name in d.classes], f"{d.name} without {novel}") for d in domains[:-1]]
    return [*kept, _only(domains[-1], [name in new for name in names], f"{domains[-1].name} last {novel}")]


def _only(domain: Domain, keep: Sequence[bool], name: str) -> Domain:
    number = np.cumsum(keep) - 1
    rows = {split: np.asarray(keep)[part.y] & known(part.y) for split, part in domain.splits.items()}
    kept = lambda told: {split: some[rows[split]] for split, some in told.items()}
    parts = {
        s: Examples(part.x[rows[s]], number[part.y[rows[s]]].astype(np.int32)) for s, part in domain.splits.items()
    }
    classes = tuple(c for c, stays in zip(domain.classes, keep, strict=True) if stays)
    return dataclasses.replace(
        domain, name=name, classes=classes, ids=kept(domain.ids), texts=kept(domain.texts), **parts
    )


def check(target: Domain, asked: Asked) -> None:
    """Raises UserError for episodes that the target cannot give."""
    sizes = np.bincount(everything(target)[1], minlength=len(target.classes))
    for ways in asked.ways:
        need = max(asked.shots) + asked.queries
        there = int((sizes >= need).sum())
        if not 2 <= ways <= there or min(asked.shots) < 1 or asked.queries < 1 or asked.count < 2:
            raise UserError(
                f"--ways={ways} --shots={max(asked.shots)} --queries={asked.queries}: {there} classes of {target.name} "
                f"have {need} examples. Use 2 to {there} ways, at least 1 shot and query, at least 2 episodes."
            )


def everything(domain: Domain) -> tuple[np.ndarray, np.ndarray]:
    """Every labelled example of every split, flat and float32 [n, d], and their labels [n]."""
    parts = [labelled(part) for part in domain.splits.values()]
    x = np.concatenate([part.x for part in parts])
    y = np.concatenate([part.y for part in parts])
    scale = 255 if x.dtype == np.uint8 else 1
    return x.reshape(len(x), -1).astype(np.float32) / scale, y


def of_length_one(x: np.ndarray) -> np.ndarray:
    """Rows [n, d] divided by their Euclidean length; zeros stay."""
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _table(records: Sequence[dict], kinds: Sequence[str], what: str, asked: Asked) -> Table:
    cell = lambda found: f"{found['accuracy']:.3f} ± {found['half_width']:.3f}"
    body = [[f"{r['ways']}-way {r['shots']}-shot", *(cell(r[name]) for name in kinds)] for r in records]
    note = (
        f"{what}, none of them seen in training. Accuracy of the nearest class mean over {asked.count} episodes of "
        f"{asked.queries} queries a class; ± is half the 95 % interval over episodes, of one trunk."
    )
    return Table([["episodes", *kinds], *body], note)
