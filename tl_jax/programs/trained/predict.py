"""What a trained model says of new examples: a row each as CSV or Parquet, features, and scores where labels are."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain
from tl_jax.data.load import everything
from tl_jax.data.match.like import like
from tl_jax.evaluation.metrics import predictions
from tl_jax.programs.trained.answer import Answer, Said
from tl_jax.programs.trained.loaded import Loaded
from tl_jax.programs.trained.rows import FORMATS, ending
from tl_jax.run.plan.words import brought, in_pieces
from tl_jax.run.report.table import NAMES

MOST = 20
"""Classes up to which a confusion matrix is shown whole; of more, the most frequent confusions."""


class Predicted(NamedTuple):
    """What a model says of n examples: their names, and what was noted of the examples and of what is said."""

    names: np.ndarray
    said: Said
    notes: tuple[str, ...]


def predict(model: Loaded, *texts: str, domain: str = "target", data_dir: str = "") -> Predicted:
    """Every example of a spec or a path, in its order. Raises UserError for data that the model cannot take.

    Several texts are one set of examples, with the labels of several tasks.
    """
    found = [_read(model, text, data_dir) for text in texts]
    said = model.said(found, domain)
    notes = dict.fromkeys(note for one in found for note in one.notes)
    return Predicted(found[0].ids["train"], said, (*notes, *said.notes))


def _read(model: Loaded, text: str, data_dir: str) -> Domain:
    read = everything(text, data_dir, model.spec, model.first)
    if of := brought(model.task.config):
        read = in_pieces(read, of, length=model.first.train.x.shape[1])
    return like(read, model.first)


def table(found: Predicted, every: bool = False) -> dict[str, np.ndarray]:
    """{column: [n]}: example, what stands beside, and what is said (see `Answer.columns`)."""
    cells = {"example": found.names, **found.said.beside}
    for answer in found.said.answers:
        cells |= answer.columns(every)
    return cells


def written(found: Predicted, path: str, every: bool = False) -> bytes:
    """The rows as the ending of a path says; '' is CSV. Raises UserError for another ending."""
    return FORMATS[ending(path)](table(found, every))


def embeddings(found: Predicted) -> dict[str, np.ndarray]:
    """{"features" [n, d], "example" [n]} and, where labels of one task are known, "y" [n] and "classes", as npz:PATH
    reads them. Raises UserError where tasks differ in what they read."""
    if found.said.features is None:
        raise UserError(
            "--features: there is not one set of them. Tasks that go by several statistics differ in theirs: --task "
            "names one. At test time a model changes from batch to batch."
        )
    arrays = {"features": found.said.features, "example": found.names.astype(np.str_)}
    labelled = [answer for answer in found.said.answers if answer.labelled]
    if len(labelled) != 1:
        return arrays
    (answer,) = labelled
    return arrays | {"y": answer.y, **({"classes": np.array(answer.classes)} if answer.classes else {})}


def scores(found: Predicted) -> list[str]:
    """Lines: the metrics of the known labels, and of classes each one's share and who is taken for whom."""
    return [line for answer in found.said.answers if answer.metrics for line in _scores(answer)]


def _scores(answer: Answer) -> list[str]:
    shown = ", ".join(f"{NAMES.get(name, name.replace('_', ' '))} {x:.4g}" for name, x in answer.metrics.items())
    rows = answer.scored
    lines = [f"{answer.task}: {shown}" if answer.task else shown]
    lines[0] += f" of {int(rows.sum())} labelled examples"
    if not answer.classes:
        return lines
    got = predictions(answer.outputs)
    got = got if answer.unknown is None else np.where(answer.unknown, len(answer.classes), got)
    return lines + confusion(answer.y[rows], got[rows], [*answer.classes, "unknown"])


def confusion(y: np.ndarray, got: np.ndarray, names: Sequence[str]) -> list[str]:
    """Each class with its share of right ones, and the matrix of those that are there: rows are true."""
    there = np.union1d(y, got[got >= 0])
    counts = np.array([[int(((y == a) & (got == b)).sum()) for b in there] for a in there])
    width = max(len("class"), *(len(names[k]) for k in there))
    head, body = f"{'class':{width}}  examples  right", []
    for i, k in enumerate(there):
        n = int((y == k).sum())
        body.append(f"{names[k]:{width}}  {n:8}  {counts[i, i] / n:.3f}" if n else f"{names[k]:{width}}  {n:8}  -")
    lines = [head, *body]
    if len(there) <= MOST:
        wide = [max(len(names[k]), len(str(counts[:, i].max()))) for i, k in enumerate(there)]
        grid = [" ".join(f"{cell:>{w}}" for cell, w in zip(row, wide, strict=True)) for row in counts]
        top = " ".join(f"{names[k]:>{w}}" for k, w in zip(there, wide, strict=True))
        named = [f"{names[k]:{width}}  {line}" for k, line in zip(there, grid, strict=True)]
        return [*lines, "confusion (rows: true, columns: predicted)", f"{'':{width}}  {top}", *named]
    pairs = sorted(((counts[i, j], i, j) for i in range(len(there)) for j in range(len(there)) if i != j), reverse=True)
    few = [f"  {n} {names[there[i]]} taken for {names[there[j]]}" for n, i, j in pairs[:MOST] if n]
    return [*lines, "most frequent confusions:", *few]
