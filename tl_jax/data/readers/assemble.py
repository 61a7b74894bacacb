"""From arrays and labels of any kind to a checked domain: class numbers, splits, and what is wrong in words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.domain import UNKNOWN, Domain, Examples, changed, known
from tl_jax.data.files.columns import counters
from tl_jax.data.files.marks import ask, is_nan, missing, same_number, stripped
from tl_jax.data.splits import FRACTIONS, HELD_OUT, Rows, given, hold_out, split

TASKS = ("auto", "classes", "regression")
Pair = tuple[np.ndarray, np.ndarray | None]


def is_regression(labels: np.ndarray, task: str = "auto") -> bool:
    """Whether labels are values: `task` says so, or they are floats with fractions."""
    if task != "auto":
        return task == "regression"
    return np.issubdtype(labels.dtype, np.floating) and not np.array_equal(labels, np.round(labels))


def class_names(labels: np.ndarray) -> tuple[str, ...]:
    """The distinct labels as text, numbers in order of value and names in order of spelling."""
    found = np.unique(labels)
    return tuple(str(int(v)) if found.dtype.kind in "fiub" else str(v) for v in found)


def numbered(name: str, labels: np.ndarray, classes: Sequence[str] | None, task: str) -> tuple[np.ndarray, tuple]:
    """Labels [n] (numbers or names) -> class numbers int32 [n] and class names, or float32 values and ().

    classes: names that whole-number labels count off; without them the distinct labels are the classes.
    Raises UserError for labels that are not finite, labels that look like values, or a label outside `classes`.
    """
    if labels.dtype.kind not in "fiubUS":
        raise UserError(f"{name}: labels of type {labels.dtype}; numbers or names are needed.")
    if np.issubdtype(labels.dtype, np.floating) and not np.isfinite(labels).all():
        row = int(np.flatnonzero(~np.isfinite(labels))[0])
        raise UserError(f"{name}: the label of row {row} is {labels[row]}; {_count(~np.isfinite(labels))} such labels.")
    if is_regression(labels, task):
        if labels.dtype.kind in "US":
            raise UserError(f"{name}: a regression needs numbers as labels, and '{labels[0]}' is a name.")
        return labels.astype(np.float32), ()
    if np.issubdtype(labels.dtype, np.floating) and np.abs(labels).max(initial=0) >= 2**53:
        raise UserError(f"{name}: labels as large as {np.abs(labels).max():.3g} are no class numbers.")
    if classes is not None and labels.dtype.kind in "fiub":
        y = labels.astype(np.int64)
        if len(y) and not (y.min() >= 0 and y.max() < len(classes)):
            hint = " Count them from 0." if y.min() == 1 and y.max() == len(classes) else ""
            raise UserError(
                f"{name}: labels run from {y.min()} to {y.max()}, but {len(classes)} classes are named.{hint}"
            )
        return y.astype(np.int32), tuple(map(str, classes))
    names = class_names(labels) if classes is None else tuple(map(str, classes))
    if classes is None and labels.dtype.kind in "US" and (twins := same_number(names)):
        raise UserError(f"{name}: the labels {twins} are one number written in two ways. Write them alike.")
    if task == "auto" and classes is None and len(names) > max(10, len(labels) / 2):
        what = "whole numbers" if labels.dtype.kind in "fiu" else "names"
        raise UserError(
            f"{name}: {len(names)} different {what} label {len(labels)} examples: are they values, not classes? "
            "Say ?task=regression (&task=regression after another option), or ?task=classes if they are classes."
        )
    as_text = labels.astype(np.int64).astype(str) if labels.dtype.kind in "fb" else labels.astype(str)
    place = {label: number for number, label in enumerate(names)}
    if strange := sorted(set(as_text.tolist()) - set(place)):
        raise UserError(f"{name}: the label '{strange[0]}' is not one of its classes ({', '.join(names[:8])}...).")
    return np.array([place[label] for label in as_text.tolist()], np.int32), names


def _count(mask: np.ndarray) -> str:
    return f"{int(mask.sum())} of {mask.size}"


def check_arrays(
    name: str, x: np.ndarray, labels: np.ndarray | None, ids: np.ndarray, features: Sequence[str] = ()
) -> None:
    """Raises UserError if there are no examples, the lengths differ, or x holds NaN or infinity."""
    if x.ndim < 2 or (labels is not None and (labels.ndim != 1 or len(x) != len(labels))):
        shape = "none" if labels is None else labels.shape
        raise UserError(f"{name}: x has shape {x.shape} and y {shape}; x [n, ...] and y [n] are needed.")
    if x.size == 0:
        raise UserError(f"{name}: there is not one example (x has shape {x.shape}).")
    if np.issubdtype(x.dtype, np.floating) and not np.isfinite(x).all():
        bad = ~np.isfinite(x.reshape(len(x), -1))
        column = int(np.argwhere(bad)[0, 1])
        raise UserError(
            f"{name}: {int(bad.any(1).sum())} of {len(x)} rows hold NaN or infinity (first: "
            f"{ids[int(np.flatnonzero(bad.any(1))[0])]}, feature {repr(features[column]) if features else column}; "
            f"{int(bad.any(0).sum())} features are concerned). Fill in or leave out what is missing."
        )


def examples(x: np.ndarray, y: np.ndarray, rows: np.ndarray) -> Examples:
    """Those rows, in that order."""
    return Examples(x[rows], y[rows])


def make(
    name: str,
    x: np.ndarray,
    labels: np.ndarray | None,
    *,
    rows: Rows | None = None,
    part: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    validation: Pair | None = None,
    test: Pair | None = None,
    classes: Sequence[str] | None = None,
    task: str = "auto",
    unlabelled: str = "",
    modality: str = "image",
    rate: int = 0,
    vocabulary: int = 0,
    features: Sequence[str] = (),
    ids: np.ndarray | None = None,
    texts: Sequence[str] | None = None,
    notes: Sequence[str] = (),
    whole: bool = False,
) -> Domain:
    """One domain from x [n, ...] and labels [n] (None where nobody knows them), checked.

    Split as `rows` say, or as `part` [n] (0, 1, 2); else, with a `validation` or `test` split (x, labels), what is
    given of them stands and the rest is held out; else by groups; else at random within each class. classes, task:
    see `numbered`. unlabelled: one of POLICIES, or '' where there is no option to name. ids [n]: what the examples of
    x are called; texts [n]: what they were read from; notes: what the reader left out, changed or guessed.
    whole: see `Spec`; each split is then all of an array, x where it has none of its own.
    """
    parts = {role: pair for role, pair in (("", (x, labels)), ("validation", validation), ("test", test)) if pair}
    called = {role: _ids(role, len(pair[0])) for role, pair in parts.items()} | ({} if ids is None else {"": ids})
    for role, (some, some_labels) in parts.items():
        check_arrays(f"{name} ({role})" if role else name, some, some_labels, called[role], features)
    if groups is not None and len(groups) != len(x):
        raise UserError(f"{name}: {len(groups)} groups for {len(x)} examples.")
    groups = None if groups is None else stripped(np.asarray(groups))[0]
    y, names, lost, said = _known(name, {r: pair[1] for r, pair in parts.items()}, called, (classes, task, unlabelled))
    said = [*notes, *said, *(counters(x, features) if modality == "vector" else [])]
    if groups is not None and part is not None and (both := np.intersect1d(groups[part == 0], groups[part == 2])).size:
        said.append(f"{len(both)} groups are in train and in test ({both[0]}, ...), as the given splits have them")
    kept = {r: np.flatnonzero(~lost[r] if unlabelled == "drop" else np.ones(len(y[r]), bool)) for r in parts}
    if whole:
        held = [
            (role if role in kept else "", kept[role if role in kept else ""]) for role in ("", "validation", "test")
        ]
    else:
        held = (("", rows[0]), ("", rows[1]), ("", rows[2])) if rows else _rows(name, y[""], kept, part, groups)
    taken = [Examples(_taken(parts[role][0], numbers), y[role][numbers]) for role, numbers in held]
    named = {split: called[role][numbers] for split, (role, numbers) in zip(Rows._fields, held, strict=True)}
    extra: dict[str, Any] = {"modality": modality, "rate": rate, "vocabulary": vocabulary, "features": tuple(features)}
    if texts is not None:
        written = np.array(texts, object)
        extra["texts"] = {split: written[rows] for split, (_, rows) in zip(Rows._fields, held, strict=True)}
    kept = {**extra, "ids": named, "notes": tuple(said)}
    return to_predict(name, names, *taken, **kept) if whole else checked(Domain(name, names, *taken, **kept))


def to_predict(name: str, classes: tuple[str, ...], *parts: Examples, **kept: Any) -> Domain:
    """A domain of examples that are predicted: they may all be of one class."""
    if len(classes) != 1:
        return Domain(name, classes, *parts, **kept)
    bare = Domain(name, (), *(Examples(part.x) for part in parts), **kept)
    numbered = {split: Examples(one.x, part.y) for (split, one), part in zip(bare.splits.items(), parts, strict=True)}
    return changed(bare, classes=classes, **numbered)


def _ids(role: str, n: int) -> np.ndarray:
    return np.array([f"{role} row {i}".strip() for i in range(n)], dtype=np.str_)


def _taken(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Those rows; x itself where they are all of it in order."""
    return x if len(rows) == len(x) and np.array_equal(rows, np.arange(len(x))) else x[rows]


Held = tuple[str, np.ndarray]


def _rows(
    name: str, y: np.ndarray, kept: Mapping[str, np.ndarray], part: np.ndarray | None, groups: np.ndarray | None
) -> tuple[Held, Held, Held]:
    """For train, validation and test: which of the arrays ('' is x) and which of its rows."""
    own = kept[""]
    among = lambda rows: None if groups is None else groups[rows]
    if "test" in kept or "validation" in kept:
        rest, held = own, {}
        for role, share in (("test", FRACTIONS[2]), ("validation", HELD_OUT)):
            if role in kept:
                held[role] = role, kept[role]
                continue
            train, out = hold_out(y[rest], share, groups=among(rest))
            rest, held[role] = rest[train], ("", rest[out])
        return ("", rest), held["validation"], held["test"]
    if part is not None:
        rows = given(y[own], part[own], groups=among(own))
    else:
        if groups is not None and (found := len(np.unique(groups[own]))) < 3:
            raise UserError(f"{name}: {found} groups; three splits that share none need at least three.")
        rows = split(y[own], groups=among(own))
    return ("", own[rows.train]), ("", own[rows.validation]), ("", own[rows.test])


def _known(
    name: str,
    labels: Mapping[str, np.ndarray | None],
    called: Mapping[str, np.ndarray],
    how: tuple[Sequence[str] | None, str, str],
) -> tuple[dict[str, np.ndarray], tuple, dict[str, np.ndarray], list[str]]:
    """Class numbers or values of each array, the class names, which labels are missing, and notes.

    There is one numbering of all arrays, whichever classes each lacks. how: (classes, task, unlabelled).
    """
    classes, task, unlabelled = how
    nowhere = {role: np.zeros(len(ids), bool) for role, ids in called.items()}
    blank = lambda kind: {role: np.full(len(ids), kind) for role, ids in called.items()}
    here = {role: np.asarray(some) for role, some in labels.items() if some is not None}
    if not here:
        return blank(np.int32(UNKNOWN)), (), nowhere, []
    if len(worded := {role: some.dtype.kind in "US" for role, some in here.items()}) and len({*worded.values()}) > 1:
        one, other = (f"y {next(role for role in worded if worded[role] is kind)}".strip() for kind in (True, False))
        raise UserError(f"{name}: the labels of {one} are names, those of {other} numbers: write them alike.")
    found, notes = stripped(np.concatenate(list(here.values())))
    lost = np.zeros(len(found), bool)
    if unlabelled != "class":
        lost = missing(found, classes is not None, is_regression(found[~is_nan(found)], task))
        if lost.all():
            notes.append(f"none of the {len(found)} labels is known")
            return blank(np.int32(UNKNOWN)), (), nowhere, notes
        if lost.any() and unlabelled not in ("keep", "drop"):
            raise ask(name, found, lost, np.concatenate([called[role] for role in here]), unlabelled)
        if lost.any():
            what = "left out" if unlabelled == "drop" else "kept without a label"
            notes.append(f"{int(lost.sum())} of {len(found)} labels are missing: these examples were {what}")
    numbers, names = numbered(name, found[~lost], classes, task)
    y = blank(np.float32(np.nan) if np.issubdtype(numbers.dtype, np.floating) else np.int32(UNKNOWN))
    every = np.full(len(found), np.nan if np.issubdtype(numbers.dtype, np.floating) else UNKNOWN, numbers.dtype)
    every[~lost] = numbers
    ends = np.cumsum([len(some) for some in here.values()])[:-1]
    y |= dict(zip(here, np.split(every, ends), strict=True))
    return y, names, nowhere | dict(zip(here, np.split(lost, ends), strict=True)), notes


def checked(domain: Domain) -> Domain:
    """The domain itself. Raises UserError for an empty split, or fewer than two classes in the training split."""
    for name, part in domain.splits.items():
        if len(part.y) == 0:
            sizes = ", ".join(f"{len(p.y)} {n}" for n, p in domain.splits.items())
            raise UserError(
                f"{domain.name}: the {name} split is empty ({sizes}). Give it examples, or let the splits be drawn: "
                "by default a tenth of each class is for validation and a fifth for test."
            )
    if np.issubdtype(domain.train.y.dtype, np.floating) or not domain.labelled:
        return domain
    found = [domain.classes[c] for c in np.unique(domain.train.y[known(domain.train.y)])]
    if len(domain.classes) < 2 or len(found) == 1:
        raise UserError(
            f"{domain.name}: one class ({(*found, *domain.classes)[0]}) in the training split; at least two are needed."
        )
    return domain
