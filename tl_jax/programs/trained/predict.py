"""What a trained model says of new examples: a row each as CSV or Parquet, features, and scores where labels are."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain, known
from tl_jax.data.like import labels_like, like
from tl_jax.data.load import everything
from tl_jax.evaluation.metrics import log_softmax, predictions
from tl_jax.evaluation.open_set import rejected
from tl_jax.kinds.predicting.predictions import columns, plain, texts
from tl_jax.kinds.predicting.scoring import scoring
from tl_jax.kinds.predicting.table import is_open
from tl_jax.programs.trained.model import Outputs, TrainedModel
from tl_jax.run.plan.words import brought, in_pieces
from tl_jax.run.report.table import NAMES

MOST = 20
"""Classes up to which a confusion matrix is shown whole; of more, the most frequent confusions."""


class Predicted(NamedTuple):
    """What is said of n examples: their names, labels as they came and as numbers y of the model, outputs, notes."""

    model: TrainedModel
    names: np.ndarray
    labels: np.ndarray
    y: np.ndarray
    outputs: Outputs
    notes: tuple[str, ...]

    @property
    def labelled(self) -> bool:
        """Whether any label is known."""
        return bool(known(self.y).any())


def predict(model: TrainedModel, text: str, domain: str = "target", data_dir: str = "") -> Predicted:
    """Every example of a spec or a path, in its order. Raises UserError for data that the model cannot take."""
    first = model.task.problem.target
    read = everything(text, data_dir, model.task.config.target, first)
    if of := brought(model.task.config):
        read = in_pieces(read, of, length=first.train.x.shape[1])
    found: Domain = like(read, first)
    y, said = labels_like(found, first)
    outputs = model.outputs(found.train.x, domain)
    labels = np.array([*found.classes, ""], object)[found.train.y] if found.classes else found.train.y
    return Predicted(model, found.ids["train"], labels, y, outputs, (*found.notes, *filter(None, [said])))


def table(found: Predicted, every: bool = False) -> dict[str, np.ndarray]:
    """{column: [n]}: example, label where some are known, class, probability, entropy (nats) and unknown, or value.

    every: the probability of each class besides, under p(CLASS).
    """
    model, logits = found.model, found.outputs.logits
    problem, classes = model.task.problem, model.classes
    cells: dict[str, np.ndarray] = {"example": found.names}
    opened = is_open(model.task.config) and not problem.values
    if found.labelled:
        cells["label"] = found.labels
    cells |= {name: column[0] for name, column in columns(problem, logits[None]).items()}
    if problem.values:
        return cells
    log_p = log_softmax(logits)
    p = np.exp(log_p)
    unknown = {"unknown": rejected(logits, found.outputs.unknown)} if opened else {}
    cells |= {"entropy": -(p * log_p).sum(-1), **unknown}
    return cells | ({f"p({name})": p[:, i] for i, name in enumerate(classes)} if every else {})


def as_csv(cells: dict[str, np.ndarray], classes: Sequence[str]) -> bytes:
    """One line an example, as predictions.csv has them."""
    shown = {name: column for name, column in cells.items() if name not in ("example", "label")}
    label = {"label": cells["label"]} if "label" in cells else {}
    labels = {n: texts({"value": y}, ())["value"] if y.dtype != object else [*map(plain, y)] for n, y in label.items()}
    lines = {"example": [*map(plain, cells["example"])], **labels, **texts(shown, classes)}
    text = io.StringIO()
    sheet = csv.writer(text, lineterminator="\n")
    sheet.writerow(map(plain, lines))
    sheet.writerows(zip(*lines.values(), strict=True))
    return text.getvalue().encode("utf-8", "backslashreplace")


def as_parquet(cells: dict[str, np.ndarray], classes: Sequence[str]) -> bytes:
    """The same in Parquet, the class by its name. Raises UserError without pyarrow."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UserError("Parquet needs pyarrow: pip install pyarrow. Or write --out=FILE.csv.") from None
    named = np.array([*classes, None], object)
    whole = {n: named[x].tolist() if n == "class" else x.tolist() for n, x in cells.items()}
    file = io.BytesIO()
    pq.write_table(pa.table(whole), file)
    return file.getvalue()


FORMATS = {".csv": as_csv, ".parquet": as_parquet}


def written(found: Predicted, path: str, every: bool = False) -> bytes:
    """The rows as the ending of a path says; '' is CSV. Raises UserError for another ending."""
    return FORMATS[ending(path)](table(found, every), found.model.classes)


def ending(path: str) -> str:
    """.csv or .parquet. Raises UserError for a file that would be neither."""
    suffix = Path(path).suffix.lower() if path else ".csv"
    if suffix not in FORMATS:
        raise UserError(f"--out={path}: the ending says the format: {' or '.join(FORMATS)}.")
    return suffix


def embeddings(found: Predicted) -> dict[str, np.ndarray]:
    """{"features" [n, d], "example" [n]} and, where labels are known, "y" [n] and "classes", as npz:PATH reads them."""
    arrays = {"features": found.outputs.features, "example": found.names.astype(np.str_)}
    if not found.labelled:
        return arrays
    return arrays | {"y": found.y, **({"classes": np.array(found.model.classes)} if found.model.classes else {})}


def scores(found: Predicted) -> list[str]:
    """Lines: the metrics of the known labels, and of classes each one's share and who is taken for whom."""
    problem, logits = found.model.task.problem, found.outputs.logits
    opened = is_open(found.model.task.config)
    rows = known(found.y) & (np.isfinite(found.y) if problem.values else (found.y < len(found.model.classes)) | opened)
    if not rows.any():
        return []
    y, logits = found.y[rows], logits[rows]
    unknown = None if found.outputs.unknown is None else found.outputs.unknown[rows]
    metrics = scoring(problem).every(logits, y, unknown)
    shown = ", ".join(f"{NAMES.get(name, name.replace('_', ' '))} {value:.4g}" for name, value in metrics.items())
    lines = [f"{shown} of {len(y)} labelled examples"]
    if problem.values:
        return lines
    got = predictions(logits)
    got = np.where(rejected(logits, unknown), len(found.model.classes), got) if opened else got
    return lines + confusion(y, got, [*found.model.classes, "unknown"])


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
