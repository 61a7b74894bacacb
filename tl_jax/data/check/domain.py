"""What is in a domain, and what is wrong with it, in words."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tl_jax.data.domain import Domain, known
from tl_jax.data.match.copies import ALL, first_of, hashes
from tl_jax.data.readers.folder import Listing

IMBALANCE = 10.0
_SHOWN = 12
_AT_ONCE = 256
"""Examples that are looked at together: a set may be larger than the memory."""


class Findings(NamedTuple):
    """facts: what is there; warnings: what may spoil a result, each with its fix."""

    facts: list[str]
    warnings: list[str]


def single(domain: Domain, found: Listing | None = None) -> Findings:
    """Counts, balance, doubles and dead features of one domain; with its listing, doubles are named by file."""
    facts, warnings = _counts(domain)
    warnings = [*(f"{domain.name}: {note}." for note in domain.notes), *warnings]
    names = {}
    if found is not None:
        names = {s: [found.files.names[i] for i in rows] for s, rows in found.rows._asdict().items()}
    warnings += [*_balance(domain), *_doubles(domain, names), *_dead(domain)]
    return Findings(facts, warnings)


def _counts(domain: Domain) -> tuple[list[str], list[str]]:
    parts = domain.splits
    shape = "x".join(map(str, domain.train.x.shape[1:]))
    facts = [
        f"{domain.name}: {domain.modality} {shape} {domain.train.x.dtype}"
        + (f" at {domain.rate} Hz" if domain.rate else "")
        + (
            f", {len(domain.classes)} classes"
            if domain.classes
            else ", regression"
            if domain.labelled
            else ", no labels"
        )
        + "; "
        + ", ".join(f"{len(part.y)} {name}" for name, part in parts.items())
        + f"; largest batch {len(domain.train.y)}"
    ]
    unknown = {name: int((~known(part.y)).sum()) for name, part in parts.items()}
    if any(unknown.values()):
        sizes = zip(parts, unknown.values(), (len(part.y) for part in parts.values()), strict=True)
        facts.append("labels unknown: " + ", ".join(f"{lost} of {n} {name}" for name, lost, n in sizes if lost))
    if not domain.labelled:
        return facts, []
    if not domain.classes:
        y = domain.train.y[known(domain.train.y)]
        return [*facts, f"values from {y.min():.4g} to {y.max():.4g}, mean {y.mean():.4g}, deviation {y.std():.4g}"], []
    table = np.stack([_counted(part.y, len(domain.classes)) for part in parts.values()], axis=1)
    width = max(map(len, domain.classes[:_SHOWN]))
    facts.append("  ".join([" " * width, *(f"{name:>10}" for name in parts)]))
    rows = zip(domain.classes, table, strict=True)
    facts += ["  ".join([f"{name:<{width}}", *(f"{n:>10}" for n in row)]) for name, row in list(rows)[:_SHOWN]]
    if len(table) > _SHOWN:
        facts.append(f"... and {len(table) - _SHOWN} more classes, {table.sum(1).min()} to {table.sum(1).max()} each")
    warnings = []
    for split, column in zip(parts, table.T, strict=True):
        if missing := [name for name, n in zip(domain.classes, column, strict=True) if n == 0]:
            warnings.append(
                f"{domain.name}: {len(missing)} of {len(domain.classes)} classes have no example in the {split} split "
                f"({', '.join(missing[:4])}): per-class figures there leave them out. Add examples of them."
            )
    return facts, warnings


def _counted(y: np.ndarray, classes: int) -> np.ndarray:
    """How many of labels y [n] are of each class; unknown ones are of none."""
    return np.bincount(y[known(y)], minlength=classes)


def _balance(domain: Domain) -> list[str]:
    if not domain.classes or not known(domain.train.y).any():
        return []
    n = _counted(domain.train.y, len(domain.classes))
    low, high = n[n > 0].min(), n.max()
    if high <= IMBALANCE * low:
        return []
    names = domain.classes[int(n.argmax())], domain.classes[int(np.where(n > 0, n, n.max()).argmin())]
    return [
        f"{domain.name}: unbalanced: {names[0]} has {high} training examples, {names[1]} {low}. Look at per-class "
        "accuracy beside the plain one, and consider class-balanced sampling."
    ]


def _doubles(domain: Domain, names: Mapping[str, Sequence[str]]) -> list[str]:
    """The same content twice: within a split, over two splits, or under two labels."""
    call = lambda split, row: f"{split} {names[split][row] if names else row}"
    seen: dict[bytes, tuple[str, int, float]] = {}
    within, across, quarrel = [], [], []
    for split, part in domain.splits.items():
        for row, (code, y) in enumerate(zip(hashes(part.x), part.y.tolist(), strict=True)):
            if code not in seen:
                seen[code] = (split, row, y)
                continue
            other, number, label = seen[code]
            where = f"{call(other, number)} = {call(split, row)}"
            (within if other == split else across).append(where)
            if label != y and domain.classes and min(label, y) >= 0:
                quarrel.append(f"{where}: {domain.classes[int(label)]} and {domain.classes[int(y)]}")
    n = sum(len(part.y) for part in domain.splits.values())
    out = []
    if within:
        out.append(f"{domain.name}: {len(within)} of {n} examples are copies within their split ({first_of(within)}).")
    if across:
        why = "the test is not independent of what was trained on. Remove them, or split by group=."
        if domain.name.endswith(ALL):
            why = "this protocol tests on every example, so its target_only means nothing."
        out.append(f"{domain.name}: {len(across)} examples stand in two splits ({first_of(across)}): {why}")
    if quarrel:
        out.append(f"{domain.name}: {len(quarrel)} equal examples have different labels ({first_of(quarrel)}).")
    return out


def _dead(domain: Domain) -> list[str]:
    """Features without information, and examples without content."""
    x = domain.train.x
    if domain.modality == "vector":
        fixed = np.flatnonzero(x.max(0) == x.min(0))
        called = [domain.features[column] if domain.features else str(column) for column in fixed[:4]]
        what = f"constant in the training split ({', '.join(called)}{', ...' if len(fixed) > 4 else ''})"
        out = [f"{domain.name}: {len(fixed)} of {x.shape[1]} features are {what}."] if len(fixed) else []
        out += _telling(domain)
        scale = x.std(0)[x.std(0) > 0]
        if len(scale) and scale.max() > 1e3 * scale.min():
            out.append(
                f"{domain.name}: the features' deviations differ by a factor of {scale.max() / scale.min():.0e}: "
                "standardise them (--standardise=source, or per_domain)."
            )
        return out
    parts = (x[start : start + _AT_ONCE] for start in range(0, len(x), _AT_ONCE))
    empty = sum(int((flat == flat[:, :1]).all(1).sum()) for flat in (part.reshape(len(part), -1) for part in parts))
    what = {"image": "images of one colour", "sound": "silent waves", "text": "texts without a known word"}
    kind = what.get(domain.modality, "constant series")
    return [f"{domain.name}: {empty} of {len(x)} training examples are {kind}."] if empty else []


def _telling(domain: Domain) -> list[str]:
    """Features that are the label itself, under other numbers."""
    x, y = domain.train.x, domain.train.y
    if not domain.classes:
        same = [column for column in range(x.shape[1]) if domain.labelled and np.array_equal(x[:, column], y)]
    else:
        kinds, first = np.unique(y[known(y)], return_index=True)
        at = x[known(y)][first]  # the values that an example of each class has
        fits = (
            np.zeros(x.shape[1], bool)
            if len(kinds) < 2
            else (x[known(y)] == at[np.searchsorted(kinds, y[known(y)])]).all(0)
        )
        same = [column for column in np.flatnonzero(fits) if len(np.unique(at[:, column])) == len(kinds)]
    names = [f"'{domain.features[column]}'" if domain.features else str(column) for column in same]
    return [f"{domain.name}: feature {name} tells the label alone: leave it out." for name in names]
