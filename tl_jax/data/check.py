"""What is in a domain, and what is wrong with it or with a pair of domains, in words."""

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data import images
from tl_jax.data.domain import Domain
from tl_jax.data.folder import Listing
from tl_jax.data.match import alike, fitting

IMBALANCE = 10.0
_SHOWN = 12


class Findings(NamedTuple):
    """facts: what is there; warnings: what may spoil a result, each with its fix."""

    facts: list[str]
    warnings: list[str]


def unreadable(found: Listing) -> list[str]:
    """'NAME: reason' of every image that cannot be decoded."""
    with ThreadPoolExecutor(images.workers()) as pool:
        reasons = list(pool.map(lambda name: images.failure(found.files, name), found.files.names, chunksize=32))
    return [f"{name}: {why}" for name, why in zip(found.files.names, reasons, strict=True) if why]


def single(domain: Domain, found: Listing | None = None) -> Findings:
    """Counts, balance, doubles and dead features of one domain; with its listing, doubles are named by file."""
    facts, warnings = _counts(domain)
    names = {}
    if found is not None:
        names = {s: [found.files.names[i] for i in rows] for s, rows in found.rows._asdict().items()}
    warnings += [*_balance(domain), *_doubles(domain, names), *_dead(domain)]
    return Findings(facts, warnings)


def pair(source: Domain, target: Domain) -> Findings:
    """How source and target fit: classes and their order, shared examples, scale, and class proportions."""
    facts, warnings = _classes(source, target)
    try:
        source, target = alike([source, target])
    except UserError as error:
        return Findings(facts, [*warnings, str(error)])
    warnings += _shared(source, target)
    warnings += _scale(source, target)
    if source.classes and set(source.classes) == set(target.classes):
        p, q = (_proportions(domain, source.classes) for domain in (source, target))
        facts.append(f"class proportions differ by {np.abs(p - q).sum() / 2:.0%} (total variation)")
    return Findings(facts, warnings)


def hashes(x: np.ndarray) -> list[bytes]:
    """A content hash of each example [n, ...]."""
    return [hashlib.blake2b(row.tobytes(), digest_size=12).digest() for row in x]


def _counts(domain: Domain) -> tuple[list[str], list[str]]:
    parts = domain.splits
    shape = "x".join(map(str, domain.train.x.shape[1:]))
    facts = [
        f"{domain.name}: {domain.modality} {shape} {domain.train.x.dtype}"
        + (f" at {domain.rate} Hz" if domain.rate else "")
        + (f", {len(domain.classes)} classes" if domain.classes else ", regression")
        + "; "
        + ", ".join(f"{len(part.y)} {name}" for name, part in parts.items())
        + f"; largest batch {len(domain.train.y)}"
    ]
    if not domain.classes:
        y = domain.train.y
        return [*facts, f"values from {y.min():.4g} to {y.max():.4g}, mean {y.mean():.4g}, deviation {y.std():.4g}"], []
    table = np.stack([np.bincount(part.y, minlength=len(domain.classes)) for part in parts.values()], axis=1)
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


def _balance(domain: Domain) -> list[str]:
    if not domain.classes:
        return []
    n = np.bincount(domain.train.y, minlength=len(domain.classes))
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
            if label != y and domain.classes:
                quarrel.append(f"{where}: {domain.classes[int(label)]} and {domain.classes[int(y)]}")
    n = sum(len(part.y) for part in domain.splits.values())
    out = []
    if within:
        out.append(f"{domain.name}: {len(within)} of {n} examples are copies within their split ({_first(within)}).")
    if across:
        why = "the test is not independent of what was trained on. Remove them, or split by group=."
        if domain.name.endswith(("@all", "-all")):
            why = "this protocol tests on every example, so its target_only means nothing."
        out.append(f"{domain.name}: {len(across)} examples stand in two splits ({_first(across)}): {why}")
    if quarrel:
        out.append(f"{domain.name}: {len(quarrel)} equal examples have different labels ({_first(quarrel)}).")
    return out


def _first(found: Sequence[str]) -> str:
    return "; ".join(found[:3]) + (", ..." if len(found) > 3 else "")


def _dead(domain: Domain) -> list[str]:
    """Features without information, and examples without content."""
    x = domain.train.x
    if domain.modality == "vector":
        fixed = int((x.max(0) == x.min(0)).sum())
        out = [f"{domain.name}: {fixed} of {x.shape[1]} features are constant in the training split."] if fixed else []
        scale = x.std(0)[x.std(0) > 0]
        if len(scale) and scale.max() > 1e3 * scale.min():
            out.append(
                f"{domain.name}: the features' deviations differ by a factor of {scale.max() / scale.min():.0e}: "
                "standardise them."
            )
        return out
    flat = x.reshape(len(x), -1)
    empty = int((flat == flat[:, :1]).all(1).sum())
    what = {"image": "images of one colour", "sound": "silent waves", "text": "texts without a known word"}
    kind = what.get(domain.modality, "constant series")
    return [f"{domain.name}: {empty} of {len(x)} training examples are {kind}."] if empty else []


def _classes(source: Domain, target: Domain) -> tuple[list[str], list[str]]:
    """The overlap and order of the classes."""
    if not (source.classes and target.classes):
        return [], [] if source.classes == target.classes else ["one has classes, the other values (regression)."]
    ours, theirs = set(source.classes), set(target.classes)
    both = len(ours & theirs)
    same = source.classes == target.classes
    facts = [f"classes: {len(ours)} and {len(theirs)}, {both} in common"]
    if ours == theirs:
        order = "in the same order" if same else "in another order (labels are matched by name, so that is safe here)"
        return [f"{facts[0]}, {order}"], []
    near = [
        f"'{name}' and '{match[0]}'"
        for name in sorted(ours - theirs)
        if (match := difflib.get_close_matches(name.lower(), [t.lower() for t in theirs - ours], 1, 0.8))
    ]
    space = fitting(source.classes, target.classes)
    fix = {"partial": "use --label_space=partial", "open": "use --label_space=open"}.get(space, "rename the classes")
    spelling = f" Spelled differently? {'; '.join(near[:5])}." if near else ""
    warning = (
        f"the class sets differ. Only in {source.name}: {sorted(ours - theirs)[:5]}. Only in {target.name}: "
        f"{sorted(theirs - ours)[:5]}. Closed-set training needs equal sets; {fix}, or fix the folders.{spelling}"
    )
    return facts, [warning]


def _shared(source: Domain, target: Domain) -> list[str]:
    theirs: Mapping[bytes, str] = {
        code: f"{split} {row}" for split, part in target.splits.items() for row, code in enumerate(hashes(part.x))
    }
    found = [
        f"{split} {row} = {theirs[code]}"
        for split, part in source.splits.items()
        for row, code in enumerate(hashes(part.x))
        if code in theirs
    ]
    if not found:
        return []
    return [
        f"{len(found)} examples are in both domains (source {_first(found)}): the target's labels reach training "
        "through them. Remove them from one of the two."
    ]


def _scale(source: Domain, target: Domain) -> list[str]:
    """Brightness or scale so different that the preparation may differ rather than the domains."""
    if source.modality == "text":
        return []
    a, b = (np.asarray(domain.train.x[:1000], np.float64) for domain in (source, target))
    if source.modality == "image":
        if abs(a.mean() - b.mean()) > 127 and abs(a.mean() - (255 - b.mean())) < 40:
            return [
                f"mean brightness {a.mean():.0f} and {b.mean():.0f} of 255: is one dark on light, the other inverted?"
            ]
        return []
    if max(a.std(), b.std()) > 10 * min(a.std(), b.std()):
        return [f"deviations {a.std():.3g} and {b.std():.3g}: was only one of the two normalised?"]
    return []


def _proportions(domain: Domain, classes: Sequence[str]) -> np.ndarray:
    n = np.bincount(domain.train.y, minlength=len(domain.classes)) / len(domain.train.y)
    return np.array([n[domain.classes.index(name)] for name in classes])
