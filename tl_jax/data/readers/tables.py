"""Tables: csv:PATH?label=COLUMN, whose other columns are numbers, or whose column ?text=COLUMN is text."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from tl_jax.core.errors import UserError, unknown
from tl_jax.data.domain import Domain
from tl_jax.data.files.columns import narrowed
from tl_jax.data.files.lines import HEADERS, SEPARATORS, Table, read
from tl_jax.data.files.marks import MARKS, POLICIES, some, stripped
from tl_jax.data.readers import text
from tl_jax.data.readers.assemble import TASKS, make
from tl_jax.data.spec import Spec, accept, choice, data_file, whole
from tl_jax.data.splits import SPLITS
from tl_jax.data.texts import CUT

OPTIONS = ("label", "text", "form", "buckets", "length", "split", "group", "drop", "task", "separator", "header")
NONE = "none"


def load(spec: Spec, data_dir: str) -> Domain:
    """A table with a line of column names. Options: label (needed, but of texts with one other column or none;
    'none' where nobody knows the labels), and

    text=COLUMN, form=tokens (default: word numbers int32 [n, t], at most `length`) or form=counts (unit rows of
    hashed words and pairs, float32 [n, buckets]); without text every other column is a feature.
    split=COLUMN (train, validation, test), group=COLUMN (kept together), drop=A,B, task=classes|regression,
    separator=, header=none, unlabelled= (see `marks`).
    """
    accept(spec, (*OPTIONS, "unlabelled"))
    path = data_file(spec, spec.path, data_dir)
    table = read(path, _separator(spec, path), choice(spec, "header", HEADERS), spec.options.get("label", ""))
    used, dropped = _roles(spec, path, table.names)
    _refuse_two_roles(spec, used, dropped)
    column = lambda name: [row[table.names.index(name)] for row in table.rows]
    ids = np.array([f"line {line}" for line in table.lines], dtype=np.str_)
    task, notes = choice(spec, "task", TASKS), list(table.notes)
    labels = None
    if "label" in used:
        labels, said = _labels(path, column(used["label"]), table.lines, task)
        notes += said
    finish = partial(
        make,
        spec.text,
        labels=labels,
        ids=ids,
        part=_parts(path, column(used["split"]), table.lines) if "split" in used else None,
        groups=np.array(column(used["group"])) if "group" in used else None,
        task=task,
        unlabelled=choice(spec, "unlabelled", POLICIES),
        whole=spec.whole,
    )
    if "text" in used:
        if others := [name for name in table.names if name not in (*used.values(), *dropped)]:
            notes.append(f"{len(others)} columns beside the text are not read: {some(others, 5)}")
        if "label" not in spec.options:
            notes.append(
                f"label: '{used['label']}', the only other column" if "label" in used else "no column of labels"
            )
        return _of_text(spec, column(used["text"]), finish, notes)
    features = _features(path, table, [*used.values(), *dropped], notes)
    x, said = _numbers(path, features, [column(name) for name in features], table.lines)
    return finish(x=x, modality="vector", features=features, notes=notes + said)


def _separator(spec: Spec, path: Path) -> str:
    """The separator by name or as it is; by default a tab where the file is called .tsv."""
    tabs = bool({".tsv", ".tab"} & {suffix.lower() for suffix in path.suffixes})
    asked = spec.options.get("separator", "tab" if tabs else "comma")
    if asked not in SEPARATORS and len(asked) != 1:
        raise UserError(f"{spec.text}: separator={asked}; one character is needed, or a name: {', '.join(SEPARATORS)}.")
    return SEPARATORS.get(asked, asked)


def _roles(spec: Spec, path: Path, names: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """{role: column} and the columns to leave out. Raises UserError for one that is not there."""
    without = "where nobody knows the labels (a target to be labelled), say label=none"
    if "label" not in spec.options and (only := _only(spec, names)) is not None:
        spec = spec._replace(options={**spec.options, "label": only})
    if "label" not in spec.options:
        raise UserError(
            f"{spec.text}: which column is the label? Add ?label=COLUMN; columns: {', '.join(names)}. "
            f"{without.capitalize()}."
        )
    used = {role: spec.options[role] for role in ("label", "text", "split", "group") if role in spec.options}
    if used["label"] == NONE and NONE not in names:
        del used["label"]
    dropped = [name for name in spec.options.get("drop", "").split(",") if name]
    for role, column in (*used.items(), *(("drop", name) for name in dropped)):
        if column not in names:
            hint = f" {without.capitalize()}." if role == "label" else ""
            raise UserError(f"{unknown(f'column of {path}:', column, names)}{hint}")
    return used, dropped


def _refuse_two_roles(spec: Spec, used: Mapping[str, str], dropped: Sequence[str]) -> None:
    """Raises UserError for a column that is to be two things: a label that is its own text, for instance."""
    seen: dict[str, str] = {}
    for role, column in (*used.items(), *(("drop", name) for name in dropped)):
        if seen.setdefault(column, role) != role:
            raise UserError(f"{spec.text}: the column '{column}' is both {seen[column]}= and {role}=. Choose one.")


def _only(spec: Spec, names: Sequence[str]) -> str | None:
    """The label of a table of texts with one other column, NONE where there is none; None: it has to be said."""
    if "text" not in spec.options:
        return None
    used = {
        *(spec.options.get(role, "") for role in ("text", "split", "group")),
        *spec.options.get("drop", "").split(","),
    }
    others = [name for name in names if name not in used]
    return None if len(others) > 1 else (others or [NONE])[0]


def _of_text(spec: Spec, texts: Sequence[str], finish: partial, notes: list[str]) -> Domain:
    """Texts as word numbers or counts, with a note of those that are empty or cut."""
    buckets = whole(spec, "buckets", text.BUCKETS, 2, text.MOST)
    lengths = np.array([len(text.words(one)) for one in texts])
    if empty := int((lengths == 0).sum()):
        notes.append(f"{empty} of {len(texts)} texts have no word")
    if choice(spec, "form", ("tokens", "counts")) == "counts":
        return finish(x=text.counts(texts, buckets), modality="vector", notes=notes)
    length = whole(spec, "length", text.LENGTH)
    if cut := int((lengths > length).sum()):
        notes.append(f"{cut} of {len(texts)} texts have more than {length} words and {CUT}")
    x = text.tokens(texts, buckets, length)
    return finish(x=x, modality="text", vocabulary=buckets, texts=texts, notes=notes)


def _features(path: Path, table: Table, others: Sequence[str], notes: list[str]) -> list[str]:
    """The columns that are features: an index without a name and an empty last column are left out, with a note."""
    out = []
    for place, name in enumerate(table.names):
        if name in others and name:
            continue
        unnamed = not name or re.fullmatch(r"Unnamed: \d+", name)
        values = [row[place].strip() for row in table.rows]
        if unnamed and not any(values):
            notes.append(f"column {place + 1}, which is empty and has no name, was left out")
        elif unnamed and (place == 0 or len(set(values)) == len(values)):
            notes.append(f"column {place + 1} has no name and was left out as an index ({', '.join(values[:3])}, ...)")
        elif unnamed:
            raise UserError(f"{path}: column {place + 1} has no name. Name it in the first line.")
        else:
            out.append(name)
    return out


_LIKE_NUMBERS = re.compile(r"[-+(]?[$€£]?\s?\d[\d.,' \u00a0]*\s?[%€$£)]?")


def _labels(path: Path, values: Sequence[str], lines: Sequence[int], task: str) -> tuple[np.ndarray, list[str]]:
    """Numbers if all that are known are, else names; and notes. Raises UserError where some are and some are not."""
    names, notes = stripped(np.array(values, dtype=np.str_))
    known = [(value, line) for value, line in zip(names.tolist(), lines, strict=True) if value not in MARKS]
    strange = [(value, line) for value, line in known if not is_number(value)]
    if not strange and all(abs(float(value)) < 2**53 for value, _ in known) and len(known):
        return np.array([np.nan if value in MARKS else float(value) for value in names.tolist()]), notes
    mixed = 0 < len(strange) <= len(known) / 2
    written = bool(strange) and all(_LIKE_NUMBERS.fullmatch(value) for value, _ in strange)
    if strange and task != "classes" and (task == "regression" or mixed or written):
        value, line = strange[0]
        raise UserError(
            f"{path}, line {line}: the label '{value[:40]}' is not a number ({len(strange)} of {len(known)} are not). "
            "Values are written like 1234.5, without another sign; if they are names of classes, say &task=classes."
        )
    return names, notes


def _numbers(
    path: Path, names: Sequence[str], columns: Sequence[Sequence[str]], lines: Sequence[int]
) -> tuple[np.ndarray, list[str]]:
    """float32 [n, d] and notes. Raises UserError that names the first column that is not all numbers."""
    out, notes = [], []
    for name, values in zip(names, columns, strict=True):
        if {value.strip().lower() for value in values} == {"true", "false"}:
            notes.append(f"column '{name}': true and false were read as 1 and 0")
            out.append(np.array([float(value.strip().lower() == "true") for value in values]))
            continue
        bare = ["nan" if value.strip() in MARKS else value for value in values]
        strange = next(
            ((v, line) for v, line in zip(bare, lines, strict=True) if v != "nan" and not is_number(v)), None
        )
        if strange is not None:
            raise UserError(
                f"{path}, line {strange[1]}: the column '{name}' is not all numbers (it holds '{strange[0][:40]}'). "
                f"Leave it out with &drop={name}, or read it as text with &text={name}; numbers are "
                "written like 1234.5."
            )
        out.append(np.array(bare, np.float64))
    if not out:
        raise UserError(f"{path}: no column is left for the features.")
    x, said = narrowed(str(path), np.stack(out, axis=1), names)
    return x, notes + said


def is_number(value: str) -> bool:
    """Whether a field is a number; 1_000 is none, though Python reads it."""
    try:
        float(value)
    except ValueError:
        return False
    return "_" not in value


def _parts(path: Path, values: Sequence[str], lines: Sequence[int]) -> np.ndarray:
    """The split (0, 1, 2) of each line."""
    for line, value in zip(lines, values, strict=True):
        if value.strip().lower() not in SPLITS:
            raise unknown(f"split in {path}, line {line}:", value, SPLITS)
    return np.array([SPLITS[value.strip().lower()] for value in values])
