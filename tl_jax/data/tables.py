"""Tables: csv:PATH?label=COLUMN, whose other columns are numbers, or whose column ?text=COLUMN is text."""

import csv
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from tl_jax.core.errors import UserError, unknown
from tl_jax.data import text
from tl_jax.data.assemble import TASKS, make
from tl_jax.data.domain import Domain
from tl_jax.data.files import refuse_html
from tl_jax.data.spec import Spec, accept, choice, find, whole
from tl_jax.data.splits import SPLITS, given

OPTIONS = ("label", "text", "form", "buckets", "length", "split", "group", "drop", "task", "separator")


def load(spec: Spec, data_dir: str) -> Domain:
    """A table with a line of column names. Options: label (needed), and

    text=COLUMN, form=tokens (default: word numbers int32 [n, t], at most `length`) or form=counts (unit rows of
    hashed words and pairs, float32 [n, buckets]); without text every other column is a feature.
    split=COLUMN (train, validation, test), group=COLUMN (kept together), drop=A,B, task=classes|regression.
    """
    accept(spec, OPTIONS)
    path = find(spec, spec.path, data_dir)
    refuse_html(path)
    names, lines = _read(path, spec.options.get("separator", "\t" if path.suffix == ".tsv" else ","))
    if "label" not in spec.options:
        raise UserError(f"{spec.text}: which column is the label? Add ?label=COLUMN; columns: {', '.join(names)}.")
    used = {role: spec.options[role] for role in ("label", "text", "split", "group") if role in spec.options}
    dropped = [name for name in spec.options.get("drop", "").split(",") if name]
    for column in (*used.values(), *dropped):
        if column not in names:
            raise unknown(f"column of {path}:", column, names)
    column = lambda name: [line[names.index(name)] for line in lines]
    labels = _labels(column(used["label"]))
    rows = None
    if "split" in used:
        rows = given(np.unique(labels, return_inverse=True)[1], _parts(path, column(used["split"])))
    groups = np.array(column(used["group"])) if "group" in used else None
    finish = partial(make, spec.text, labels=labels, rows=rows, groups=groups, task=choice(spec, "task", TASKS))
    if "text" not in used:
        features = [name for name in names if name not in (*used.values(), *dropped)]
        x = _numbers(path, features, [column(name) for name in features])
        return finish(x=x, modality="vector")
    buckets = whole(spec, "buckets", text.BUCKETS, 2)
    if choice(spec, "form", ("tokens", "counts")) == "counts":
        x = text.counts(column(used["text"]), buckets)
        return finish(x=x, modality="vector")
    x = text.tokens(column(used["text"]), buckets, whole(spec, "length", text.LENGTH))
    return finish(x=x, modality="text", vocabulary=buckets)


def _read(path: Path, separator: str) -> tuple[list[str], list[list[str]]]:
    """Column names and lines. Raises UserError where a line has another number of fields than the first."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        try:
            lines = [line for line in csv.reader(file, delimiter=separator) if line]
        except (csv.Error, UnicodeDecodeError) as error:
            raise UserError(f"{path} is not a table in UTF-8 text ({error}).") from None
    if len(lines) < 2:
        raise UserError(f"{path} has {len(lines)} lines: a line of column names and examples are needed.")
    for number, line in enumerate(lines, 1):
        if len(line) != len(lines[0]):
            raise UserError(
                f"{path}, line {number}: {len(line)} fields, but {len(lines[0])} columns. Text that holds the "
                f"separator '{separator}' needs quotes; another separator is given by ?separator=."
            )
    return lines[0], lines[1:]


def _labels(values: Sequence[str]) -> np.ndarray:
    """Numbers if all are, else text."""
    try:
        return np.array(values, np.float64)
    except ValueError:
        return np.array(values)


def _numbers(path: Path, names: Sequence[str], columns: Sequence[Sequence[str]]) -> np.ndarray:
    """float32 [n, d]. Raises UserError that names the first column that is not all numbers."""
    out = []
    for name, values in zip(names, columns, strict=True):
        try:
            out.append(np.array([v if v.strip() else "nan" for v in values], np.float32))
        except ValueError:
            strange = next(v for v in values if not _is_number(v))
            raise UserError(
                f"{path}: the column '{name}' is not all numbers (it holds '{strange[:40]}'). "
                f"Leave it out with &drop={name}, or read it as text with &text={name}."
            ) from None
    if not out:
        raise UserError(f"{path}: no column is left for the features.")
    return np.stack(out, axis=1)


def _is_number(value: str) -> bool:
    try:
        float(value.strip() or "nan")
    except ValueError:
        return False
    return True


def _parts(path: Path, values: Sequence[str]) -> np.ndarray:
    """The split (0, 1, 2) of each line."""
    for number, value in enumerate(values, 2):
        if value.lower() not in SPLITS:
            raise unknown(f"split in {path}, line {number}:", value, SPLITS)
    return np.array([SPLITS[value.lower()] for value in values])
