"""Classes of several domains: how they are related, in one order, and whether there are labels to learn from."""

from collections.abc import Sequence

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.domain import UNKNOWN, Domain, Examples, changed, known

LABEL_SPACES = ("closed", "partial", "open", "universal")
"""closed: equal sets of classes; partial: the target has some of the source's; open: it has others besides; universal:
it has some of the source's, and may have others."""


def named(domains: Sequence[Domain]) -> list[Domain]:
    """The domains, those that know neither labels nor classes with the classes of the first that does."""
    bare = lambda domain: not domain.labelled and not domain.classes
    first = next((domain for domain in domains if not bare(domain)), None)
    if first is None:
        return list(domains)
    unknown = np.array(np.nan, np.float32) if first.values else np.array(UNKNOWN, np.int32)
    blank = lambda part: Examples(part.x, np.full(len(part.x), unknown))
    fit = lambda domain: {name: blank(part) for name, part in domain.splits.items()}
    return [changed(d, classes=first.classes, **fit(d)) if bare(d) else d for d in domains]


def renamed(domain: Domain, classes: tuple[str, ...]) -> Domain:
    """The domain with labels numbered among `classes`, those that are not there len(classes), unknown ones -1."""
    if domain.classes == classes:
        return domain
    place = np.array([classes.index(c) if c in classes else len(classes) for c in domain.classes] + [UNKNOWN], np.int32)
    parts = {name: Examples(part.x, place[part.y]) for name, part in domain.splits.items()}
    return changed(domain, classes=classes, **parts)


def fitting(source: Sequence[str], target: Sequence[str]) -> str:
    """The strictest label space that allows these classes, or '' if they have none in common."""
    ours, theirs = set(source), set(target)
    if ours == theirs:
        return "closed"
    return "partial" if theirs < ours else "open" if ours < theirs else "universal" if ours & theirs else ""


def check_classes(first: Domain, other: Domain, label_space: str) -> None:
    """Raises UserError unless the class sets are related as the label space says, with the one that would fit."""
    if bool(first.classes) != bool(other.classes):
        kinds = ["classes" if domain.classes else "values (regression)" for domain in (first, other)]
        raise UserError(f"{first.name} has {kinds[0]} as labels, {other.name} {kinds[1]}: they cannot be matched.")
    ours, theirs = set(first.classes), set(other.classes)
    fits = fitting(first.classes, other.classes)
    if label_space == fits or fits == "closed" or (label_space == "universal" and fits):
        return
    only = lambda mine, others: some_of(sorted(mine - others))
    hint = {
        "partial": "Use --label_space=partial",
        "open": "Use --label_space=open",
        "universal": "Use --label_space=universal",
        "": "Their names have nothing in common: is one of them numbers, or spelled otherwise?",
    }[fits]
    needs = {
        "closed": "equal sets",
        "partial": "target classes that the source has",
        "open": "a target with all classes of the source and others",
        "universal": "common classes",
    }
    if shift := _shifted(first.classes, other.classes):
        hint = f"The numbers look shifted by {shift}: count from the same number in both. If they are right: {hint}"
    raise UserError(
        f"{first.name} has {len(ours)} classes, {other.name} has {len(theirs)}. "
        f"Only in {first.name}: {only(ours, theirs)}. Only in {other.name}: {only(theirs, ours)}. "
        f"{label_space.capitalize()}-set adaptation needs {needs[label_space]}; labels are matched by name. {hint}"
        f"{', or rename the classes' if fits else ''}."
    )


def _shifted(source: Sequence[str], target: Sequence[str]) -> int:
    """By how much one set's numbers are those of the other, counted from elsewhere; 0 if they are not."""
    if len(source) != len(target) or not all(name.isdecimal() for name in (*source, *target)):
        return 0
    steps = {b - a for a, b in zip(sorted(map(int, source)), sorted(map(int, target)), strict=True)}
    return abs(steps.pop()) if len(steps) == 1 else 0


def check_labelled(sources: Sequence[Domain]) -> None:
    """Raises UserError for a source without a known label to train on, or with those of one class."""
    for source in sources:
        check_several(source)
        if not known(source.train.y).any():
            raise UserError(
                f"{source.name}: no training example has a label, and a source is what labels are learnt from. Give "
                "its labels, or use it as the target: a domain without labels can be one."
            )


def check_several(domain: Domain) -> None:
    """Raises UserError where the known labels of training are all of one class."""
    found = np.unique(domain.train.y[known(domain.train.y)])
    if domain.classes and len(found) == 1:
        named = [*domain.classes, "one that the source lacks"][int(found[0])]
        raise UserError(
            f"{domain.name}: its training examples with a label are all of one class ({named}); at least two are "
            "needed."
        )


def some_of(names: Sequence[str]) -> str:
    return f"{list(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}"
