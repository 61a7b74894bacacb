"""From arrays and labels of any kind to a checked domain: class numbers, splits, and what is wrong in words."""

from collections.abc import Sequence

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain, Examples, known
from tl_jax.data.splits import Rows, hold_out, split

TASKS = ("auto", "classes", "regression")


def is_regression(labels: np.ndarray, task: str = "auto") -> bool:
    """Whether labels are values: `task` says so, or they are floats with fractions."""
    if task != "auto":
        return task == "regression"
    return labels.dtype.kind == "f" and not np.array_equal(labels, np.round(labels))


def class_names(labels: np.ndarray) -> tuple[str, ...]:
    """The distinct labels as text, numbers in order of value and names in order of spelling."""
    found = np.unique(labels)
    return tuple(str(int(v)) if found.dtype.kind in "fiub" else str(v) for v in found)


def numbered(name: str, labels: np.ndarray, classes: Sequence[str] | None, task: str) -> tuple[np.ndarray, tuple]:
    """Labels [n] (numbers or names) -> class numbers int32 [n] and class names, or float32 values and ().

    classes: names that whole-number labels count off; without them the distinct labels are the classes.
    Raises UserError for NaN labels, numbers that look like values, or a label outside `classes`.
    """
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        row = int(np.flatnonzero(~np.isfinite(labels))[0])
        raise UserError(f"{name}: the label of row {row} is {labels[row]}; {_count(~np.isfinite(labels))} such labels.")
    if is_regression(labels, task):
        return labels.astype(np.float32), ()
    if classes is not None and labels.dtype.kind in "fiub":
        y = labels.astype(np.int64)
        if len(y) and not (y.min() >= 0 and y.max() < len(classes)):
            raise UserError(f"{name}: labels run from {y.min()} to {y.max()}, but {len(classes)} classes are named.")
        return y.astype(np.int32), tuple(map(str, classes))
    names = class_names(labels) if classes is None else tuple(map(str, classes))
    if task == "auto" and classes is None and labels.dtype.kind in "fiu" and len(names) > max(10, len(labels) / 2):
        raise UserError(
            f"{name}: {len(names)} different whole numbers label {len(labels)} examples: are they values, not classes? "
            "Say ?task=regression (&task=regression after another option), or ?task=classes if they are classes."
        )
    as_text = labels.astype(np.int64).astype(str) if labels.dtype.kind in "fiub" else labels.astype(str)
    place = {label: number for number, label in enumerate(names)}
    if strange := sorted(set(as_text.tolist()) - set(place)):
        raise UserError(f"{name}: the label '{strange[0]}' is not one of its classes ({', '.join(names[:8])}...).")
    return np.array([place[label] for label in as_text.tolist()], np.int32), names


def _count(mask: np.ndarray) -> str:
    return f"{int(mask.sum())} of {mask.size}"


def check_arrays(name: str, x: np.ndarray, labels: np.ndarray) -> None:
    """Raises UserError if there are no examples, the lengths differ, or x holds NaN or infinity."""
    if x.ndim < 2 or labels.ndim != 1 or len(x) != len(labels):
        raise UserError(f"{name}: x has shape {x.shape} and y {labels.shape}; x [n, ...] and y [n] are needed.")
    if len(x) == 0:
        raise UserError(f"{name}: there is not one example.")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        bad = ~np.isfinite(x.reshape(len(x), -1))
        raise UserError(
            f"{name}: {int(bad.any(1).sum())} of {len(x)} rows hold NaN or infinity (first: row "
            f"{int(np.flatnonzero(bad.any(1))[0])}, feature {int(np.argwhere(bad)[0, 1])}; "
            f"{int(bad.any(0).sum())} features are concerned). Fill in or leave out what is missing."
        )


def examples(x: np.ndarray, y: np.ndarray, rows: np.ndarray) -> Examples:
    """Those rows, in that order."""
    return Examples(x[rows], y[rows])


def make(
    name: str,
    x: np.ndarray,
    labels: np.ndarray,
    *,
    rows: Rows | None = None,
    groups: np.ndarray | None = None,
    test: tuple[np.ndarray, np.ndarray] | None = None,
    classes: Sequence[str] | None = None,
    task: str = "auto",
    modality: str = "image",
    rate: int = 0,
    vocabulary: int = 0,
) -> Domain:
    """One domain from x [n, ...] and labels [n], checked.

    Split as `rows` say; else, with a `test` split (x, labels), a tenth of the rest is for validation; else by
    groups; else at random within each class. classes, task: see `numbered`.
    """
    labels = np.asarray(labels)
    check_arrays(name, x, labels)
    if test is None:
        y, names = numbered(name, labels, classes, task)
        if rows is None and groups is not None and len(np.unique(groups)) < 3:
            raise UserError(
                f"{name}: {len(np.unique(groups))} groups; three splits that share none need at least three."
            )
        rows = rows or split(y, groups=groups)
        parts = [examples(x, y, part) for part in rows]
    else:
        x_test, labels_test = test[0], np.asarray(test[1])
        check_arrays(f"{name} (test)", x_test, labels_test)
        # One numbering for both parts, whichever classes either lacks.
        y, names = numbered(name, np.concatenate([labels, labels_test]), classes, task)
        kept, held = hold_out(y[: len(x)])
        parts = [examples(x, y, kept), examples(x, y, held), Examples(x_test, y[len(x) :])]
    return checked(Domain(name, names, *parts, modality=modality, rate=rate, vocabulary=vocabulary))


def checked(domain: Domain) -> Domain:
    """The domain itself. Raises UserError for an empty split, or fewer than two classes in the training split."""
    for name, part in domain.splits.items():
        if len(part.y) == 0:
            sizes = ", ".join(f"{len(p.y)} {n}" for n, p in domain.splits.items())
            raise UserError(
                f"{domain.name}: the {name} split is empty ({sizes}). Give it examples, or let the splits be drawn: "
                "by default a tenth of each class is for validation and a fifth for test."
            )
    if domain.train.y.dtype.kind == "f" or not domain.labelled:
        return domain
    found = [domain.classes[c] for c in np.unique(domain.train.y[known(domain.train.y)])]
    if len(domain.classes) < 2 or len(found) == 1:
        raise UserError(
            f"{domain.name}: one class ({(*found, *domain.classes)[0]}) in the training split; at least two are needed."
        )
    return domain
