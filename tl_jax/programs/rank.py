"""Which pretrained model for a target: every transferability score of every candidate, and how far to trust them."""

import math
import os
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.batching import sent_in_batches
from tl_jax.core.errors import UserError
from tl_jax.core.inputs import accepting_bytes
from tl_jax.core.trees import flatten, unflatten
from tl_jax.core.types import Network
from tl_jax.data import domain
from tl_jax.data.domain import Domain, Examples
from tl_jax.data.pipeline.rows import labelled_rows
from tl_jax.evaluation.transferability.ranking import Interval, agreement, chance, interval, regret
from tl_jax.evaluation.transferability.scores import SCORES, Sample
from tl_jax.models.files.pretrained import load
from tl_jax.models.networks import build
from tl_jax.models.networks import network as named
from tl_jax.models.parts.conv import conv_form
from tl_jax.models.parts.recipe import as_recipe
from tl_jax.run.report.table import Table


class Candidate(NamedTuple):
    """A file of weights and its network; prior: its place in a ranking without the target, higher is better;
    truth: its accuracy after transfer, where that is known."""

    network: str
    path: str
    prior: float | None = None
    truth: float | None = None


class Scored(NamedTuple):
    """A candidate and the interval of every score it has data for."""

    candidate: Candidate
    scores: dict[str, Interval]


def labelled(target: Domain, per_class: int, seed: int) -> Examples:
    """What the scores may see: the target's training split, or so many examples of each class; none without a label.

    Raises UserError where there are no classes, or no training example has a label.
    """
    if target.values:
        raise UserError(f"{target.name} has values, not classes: the scores here rank models for classification.")
    seen = domain.labelled(target.train)
    if not target.classes or not len(seen.y):
        raise UserError(f"{target.name}: no training example has a label, and the scores rank models by labels.")
    if not per_class:
        return seen
    rows = labelled_rows(seen.y, per_class=per_class, fraction=0.0, seed=seed)
    return Examples(seen.x[rows], seen.y[rows])


def score_all(candidates: Sequence[Candidate], seen: Examples, resamples: int, seed: int) -> list[Scored]:
    """Intervals of all scores of all candidates on the same examples. Raises UserError for a bad file."""
    if len({(c.network, c.path) for c in candidates}) < max(2, len(candidates)):
        raise UserError("Ranking needs at least two --init_from, each only once.")
    found = []
    for candidate in candidates:
        sample = look(candidate, seen)
        names = [name for name, rule in SCORES.items() if getattr(sample, rule.data) is not None]
        key = jax.random.key(seed)
        found.append(Scored(candidate, {n: interval(n, sample, key, resamples=resamples) for n in names}))
    return found


def look(candidate: Candidate, seen: Examples) -> Sample:
    """A model's features and, where the file has the head, its probabilities for the source's classes."""
    call = named(candidate.network)
    if (of := as_recipe(call()).pretrained) and of.vocabulary:
        raise UserError(
            f"--network={call.text}: candidates are ranked on examples that all read alike, and from= brings "
            "word pieces of its own. Rank the features of runs, or networks without from=."
        )
    form = conv_form(jax.default_backend(), False)
    x = jnp.asarray(seen.x[:1])

    def made(classes: int, **changed) -> tuple[Network, tuple]:
        network = accepting_bytes(build(call.changed(**changed)(), classes, jnp.float32, form))
        params = jax.eval_shape(network.init, jax.random.key(0), x)[0]
        return network, load(candidate.path, params, jax.jit(lambda: network.init(jax.random.key(0), x)[1])())

    network, (params, stats, report) = made(2)
    changed = {"bottleneck": 0} if any(p.startswith("bottleneck/") for p in report.reinitialised) else {}
    old, _ = report.reinitialised.get("head/kernel", (None, ()))
    classes = old[-1] if old else 2
    if changed or classes != 2:
        network, (params, stats, report) = made(classes, **changed)
    whole = "head/kernel" in report.loaded
    # A head that the file lacks is called with zeros: its logits are not read.
    shapes = flatten(params).items()
    filled = unflatten({p: v if isinstance(v, jax.Array) else jnp.zeros(v.shape, v.dtype) for p, v in shapes})
    apply = jax.jit(lambda x: network.apply(filled, stats, x)[0])
    out = jax.tree.map(jnp.asarray, sent_in_batches(apply, seen.x))
    return Sample(jnp.asarray(seen.y), out.features, jax.nn.softmax(out.logits) if whole else None, candidate.prior)


def table(scored: Sequence[Scored], seen: Examples, target: str) -> Table:
    """One row a model, one column a score; then agreement, chance and, where the truth is given, regret."""
    names = [name for name in SCORES if all(name in one.scores for one in scored)]
    values = {name: [one.scores[name].value for one in scored] for name in names}
    truth = [one.candidate.truth for one in scored]
    known = [float(t) for t in truth if t is not None]
    head = ["model", *names, *(["accuracy"] if len(known) == len(scored) else []), ""]
    labels = _short([one.candidate for one in scored])
    body = []
    for i, one in enumerate(scored):
        cells = [_cell(one.scores[n], values[n][i] == max(values[n])) for n in names]
        body.append([labels[i], *cells, *([f"{truth[i]:.3f}"] if len(known) == len(scored) else []), ""])
    if len(known) == len(scored):
        lost = [f"{regret(values[n], known):.3f}" for n in names]
        body.append(["accuracy lost by its choice", *lost, "", ""])
    return Table([head, *body], _note(values, scored, f"{target}, {len(seen.y)} labelled examples"))


def _short(candidates: Sequence[Candidate]) -> list[str]:
    """Paths without what they share, and the network where they differ in it."""
    paths = [c.path for c in candidates]
    shared = os.path.commonpath(paths) if all(map(os.path.isabs, paths)) else ""
    plain = [os.path.relpath(path, shared) if shared else path for path in paths]
    same = len({c.network for c in candidates}) == 1
    return plain if same else [f"{c.network} {path}" for c, path in zip(candidates, plain, strict=True)]


def _cell(found: Interval, best: bool) -> str:
    between = f" [{found.low:.3f}, {found.high:.3f}]" if found.low < found.high else ""
    return f"{found.value:.3f}{between}{' *' if best else ''}"


def _note(values: dict[str, list[float]], scored: Sequence[Scored], what: str) -> str:
    rows = {name: v for name, v in values.items() if len(set(v)) > 1}
    found = agreement(rows) if len(rows) > 1 else None
    lines = [f"{what}. Higher is better; * is the best; in brackets the 95 % interval over half-samples of them."]
    if found is not None:
        pairs = found.tau[np.triu_indices(len(found.names), 1)]
        mean = float(np.nanmean(pairs)) if not all(map(math.isnan, pairs)) else math.nan
        by_chance = chance(len(scored), jax.random.key(0))[1]
        lines.append(
            f"Agreement between scores (weighted Kendall tau, mean over pairs): {mean:.2f}; unrelated rankings of "
            f"{len(scored)} models reach {by_chance:.2f} in one of twenty."
        )
    if "static" not in values:
        lines.append("Without --prior there is no static baseline, which on common benchmarks beats most scores.")
    missing = sorted({n for one in scored for n in ("leep", "nce") if n not in one.scores})
    if missing:
        lines.append(f"{', '.join(missing)} need the head of the source task in every file.")
    return "\n".join(lines)
