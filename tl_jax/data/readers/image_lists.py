"""Lists of image files with their labels and splits: a table with the columns file, label and perhaps split."""

import csv
import io
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tl_jax.core.errors import UserError, unknown
from tl_jax.data.domain import UNKNOWN
from tl_jax.data.files.containers import Files, counted
from tl_jax.data.files.marks import MARKS, spelled
from tl_jax.data.readers.assemble import numbered
from tl_jax.data.spec import Spec, choice
from tl_jax.data.splits import SPLITS

OPTIONS = ("unlabelled",)
POLICIES = ("ask", "keep", "drop")
"""?unlabelled=: images without a label are asked about, kept (label -1), or left out."""
_COLUMNS = ("file", "label", "split")
_NUMBER = re.compile(r"[-+]?\d*\.?\d+([eE][-+]?\d+)?")


class Listed(NamedTuple):
    """Names of files, their class numbers y [n], class names, splits [n] (0, 1, 2) or None, and notes."""

    names: list[str]
    y: np.ndarray
    classes: tuple[str, ...]
    part: np.ndarray | None
    notes: tuple[str, ...]


class _Line(NamedTuple):
    number: int
    file: str
    label: str
    split: str


def read(spec: Spec, files: Files, table: Path) -> Listed:
    """The files that a list names, each once. Raises UserError for a line that cannot be followed, with its number.

    Blanks around entries mean nothing. Where the column label is not there, or empty, no label is known.
    """
    lines, columns = _lines(table)
    policy = choice(spec, "unlabelled", POLICIES)
    names, notes = _found(files, table, [line.file for line in lines], [line.number for line in lines])
    lines = [line._replace(file=name) for line, name in zip(lines, names, strict=True)]
    lines, doubled = _once(table, lines)
    bare = [line for line in lines if line.label in MARKS]
    if bare and len(bare) < len(lines):
        if policy == "ask":
            raise UserError(
                f"{table}: {len(bare)} of {len(lines)} labels are missing (line {bare[0].number}: {bare[0].label!r}). "
                "Fill them in, or say ?unlabelled=keep (&unlabelled=keep after another option) to keep these images "
                "without a label, or unlabelled=drop to leave them out."
            )
        lines = [line for line in lines if line.label not in MARKS] if policy == "drop" else lines
        done = "left out" if policy == "drop" else "kept without one"
        notes += counted(len(bare), f"images have no label and are {done}", [line.file for line in bare])
    elif bare:
        notes += ("no label is known: " + ("the labels are missing" if "label" in columns else "no column label"),)
    y, classes = _labels(spec.text, [line.label for line in lines])
    part, said = _parts(table, lines) if "split" in columns else (None, ())
    return Listed([line.file for line in lines], y, classes, part, (*notes, *doubled, *said))


def _lines(table: Path) -> tuple[list[_Line], Sequence[str]]:
    """The lines of a list and its columns. Raises UserError where it is no such table, or a line is too short."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{table} cannot be read as text in UTF-8 ({error}).") from None
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        table_rows = [(rows.line_num, [field.strip() for field in row]) for row in rows if any(map(str.strip, row))]
    except csv.Error as error:
        raise UserError(f"{table}, line {rows.line_num}: {error}.") from None
    columns = [name.lower() for name in table_rows[0][1]] if table_rows else []
    others = [name for name in columns if name not in _COLUMNS]
    needs = f"{table} needs the columns file and label (and may have split), each once."
    for column in ("file", *(("label",) if others else ())):
        if column not in columns:
            raise UserError(f"{needs} {unknown('column', column, columns)}")
    if doubled := [name for name in _COLUMNS if columns.count(name) > 1]:
        raise UserError(f"{needs} There are {columns.count(doubled[0])} columns {doubled[0]}.")
    for number, row in table_rows[1:]:
        if len(row) != len(columns):
            raise UserError(
                f"{table}, line {number}: {len(row)} fields, where the first line names {len(columns)} columns."
            )
    if len(table_rows) < 2:
        raise UserError(f"{table} names no file.")
    at = {name: columns.index(name) for name in _COLUMNS if name in columns}
    field = lambda row, name: row[at[name]] if name in at else ""
    fields = lambda row: (field(row, "file"), spelled(field(row, "label")), field(row, "split"))
    return [_Line(number, *fields(row)) for number, row in table_rows[1:]], columns


def _found(files: Files, table: Path, wanted: list[str], numbers: list[int]) -> tuple[list[str], tuple[str, ...]]:
    """The names that are meant: with '/' for '\\\\', below the folder, or in another case where one alone fits."""
    known, folded = set(files.names), {}
    fold = lambda name: unicodedata.normalize("NFC", name).casefold()
    for name in files.names:
        folded.setdefault(fold(name), []).append(name)
    names, other_case = [], []
    top = os.path.basename(files.root) + "/"
    for number, text in zip(numbers, wanted, strict=True):
        plain = os.path.normpath(text.replace("\\", "/")) if text not in known else text
        plain = os.path.relpath(plain, os.path.abspath(files.root)) if os.path.isabs(plain) else plain
        plain = plain if plain in known else plain.removeprefix(top)
        same = folded.get(fold(plain), [])
        if plain not in known and len(same) == 1:
            other_case.append(text)
            plain = same[0]
        if plain not in known:
            raise UserError(f"{table}, line {number}: there is no {text or 'name of a file'} under {files.root}.")
        names.append(plain)
    return names, counted(
        len(other_case), "names are spelled in another case or Unicode form than their files", other_case
    )


def _once(table: Path, lines: list[_Line]) -> tuple[list[_Line], tuple[str, ...]]:
    """Each file once. Raises UserError where two lines give one file two labels or two splits."""
    kept: dict[str, _Line] = {}
    doubled = []
    for line in lines:
        first = kept.setdefault(line.file, line)
        if (first.label, first.split.lower()) != (line.label, line.split.lower()):
            raise UserError(
                f"{table}: {line.file} has two entries, {first.label!r} {first.split} in line {first.number} and "
                f"{line.label!r} {line.split} in line {line.number}. Leave one of them out."
            )
        if first is not line:
            doubled.append(line.file)
    return list(kept.values()), counted(len(doubled), "lines repeat a file and are left out", doubled)


def _labels(name: str, labels: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class numbers, -1 where a label is missing, and class names."""
    y = np.full(len(labels), UNKNOWN, np.int32)
    rows = [i for i, label in enumerate(labels) if label not in MARKS]
    if not rows:
        return y, ()
    known = [labels[i] for i in rows]
    if all(_NUMBER.fullmatch(label) for label in known) and (parts := [label for label in known if float(label) % 1]):
        raise UserError(
            f"{name}: labels such as {parts[0]} are values, and a list gives classes. Images with values are read from "
            "arrays, npz:PATH; ranges of values that are classes need names."
        )
    y[rows], classes = numbered(name, np.array(known), None, "classes")
    return y, classes


def _parts(table: Path, lines: Sequence[_Line], names: Mapping[str, int] = SPLITS) -> tuple[np.ndarray, tuple]:
    """Splits [n]; without a test split, validation is the test, which is noted."""
    for line in lines:
        if line.split.lower() not in names:
            raise unknown(f"split in {table}, line {line.number}:", line.split, names)
    part = np.array([names[line.split.lower()] for line in lines])
    if 2 in part or 1 not in part:
        return part, ()
    return np.where(part == 1, 2, part), (
        "there is no test split: validation is the test, and a tenth of train is held out for validation",
    )
