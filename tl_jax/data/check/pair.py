"""How a source and a target fit, and what is wrong with the pair, in words."""

import difflib
from collections.abc import Mapping, Sequence

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.check.domain import Findings
from tl_jax.data.domain import Domain, known
from tl_jax.data.match.classes import fitting
from tl_jax.data.match.copies import first_of, hashes
from tl_jax.data.match.shapes import alike

BEYOND = 0.05
"""The share of the target's values outside the source's range from which a warning is due."""


def pair(source: Domain, target: Domain) -> Findings:
    """How source and target fit: classes and their order, shared examples, scale, and class proportions."""
    facts, warnings = _classes(source, target)
    told = target.notes
    try:
        source, target = alike([source, target])
    except UserError as error:
        return Findings(facts, [*warnings, str(error)])
    warnings += [f"{target.name}: {note}." for note in target.notes if note not in told]
    warnings += _shared(source, target)
    warnings += _scale(source, target) + _values(source, target)
    if source.classes and set(source.classes) == set(target.classes):
        p, q = (_proportions(domain, source.classes) for domain in (source, target))
        facts.append(f"class proportions differ by {np.abs(p - q).sum() / 2:.0%} (total variation)")
    return Findings(facts, warnings)


def _classes(source: Domain, target: Domain) -> tuple[list[str], list[str]]:
    """The overlap and order of the classes."""
    bare = [domain.name for domain in (source, target) if not domain.labelled and not domain.classes]
    if bare:
        missing = f"{source.name} is the source and has no labels: they are what is learnt from. Give them."
        return [f"classes: those of {' and '.join(bare)} are unknown"], [missing] if source.name in bare else []
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
    fix = f"use --label_space={space}" if space else "rename the classes"
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
        f"{len(found)} examples are in both domains (source {first_of(found)}): the target's labels reach training "
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


def _values(source: Domain, target: Domain) -> list[str]:
    """Values of which the source says nothing: another unit, or another range."""
    if source.classes or target.classes or not (source.labelled and target.labelled):
        return []
    a, b = (domain.train.y[known(domain.train.y)] for domain in (source, target))
    beyond = float(((b < a.min()) | (b > a.max())).mean())
    if beyond <= BEYOND:
        return []
    return [
        f"{beyond:.0%} of {target.name}'s values are outside the range of {source.name}'s ({a.min():.4g} to "
        f"{a.max():.4g}): what was not seen is extrapolated. Is the unit the same?"
    ]


def _proportions(domain: Domain, classes: Sequence[str]) -> np.ndarray:
    y = domain.train.y[known(domain.train.y)]
    n = np.bincount(y, minlength=len(domain.classes)) / max(len(y), 1)
    return np.array([n[domain.classes.index(name)] for name in classes])
