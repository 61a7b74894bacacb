"""The fit between sources and target: one shape, one order of classes, labels matched by class name."""

from collections.abc import Sequence

import numpy as np

from tl_jax.core.errors import UserError, require
from tl_jax.data.domain import UNKNOWN, Domain, Examples, changed, equal, known
from tl_jax.data.files.pictures import ASKED, Pictures

LABEL_SPACES = ("closed", "partial", "open", "universal")
"""closed: equal sets of classes; partial: the target has some of the source's; open: it has others besides; universal:
it has some of the source's, and may have others."""


APART, ENOUGH = 10.0, 1000
"""So many times the deviation of another domain is asked about; examples that tell it."""
INDEX = "index "
"""Begins the names of columns that a sparse file numbers, where nobody says from where it counts."""


def matched(
    sources: Sequence[Domain], target: Domain, same_task: bool = True, label_space: str = "closed"
) -> tuple[tuple[Domain, ...], Domain]:
    """Sources and target alike in shape, with the first source's classes in its order.

    Where the target is another task (not `same_task`), its classes are its own unless their names are the source's.
    A domain none of whose labels is known takes the classes of the first that has some (of values: y is NaN).

    Images take the first source's size, and colour if any domain has it; waves and texts are padded to the longest.
    partial: the target's labels are numbered among all the source's. open, universal: the target's own classes are
    all numbered len(classes), which is no output of a network: training sees no target label, and evaluation may
    count that number as "unknown". Raises UserError where modalities, widths, rates or class sets do not fit.
    """
    require("label space", label_space, LABEL_SPACES)
    if not sources:
        return (), target
    *sources, target = named([*sources, target])
    first = sources[0]
    for source in sources[1:]:
        _same_labels(first, source, "closed")
    if same_task:
        _same_labels(first, target, label_space)
    own = not same_task and set(target.classes) != set(first.classes)
    ready = [renamed(domain, first.classes) for domain in sources]
    ready.append(target if own else renamed(target, first.classes))
    *ready, target = alike(ready)
    said = [*_scales(first, target), *(note for source in ready for note in _shared(source, target))]
    return tuple(ready), changed(target, notes=(*target.notes, *said))


def _shared(source: Domain, target: Domain) -> list[str]:
    """A note where a source and a target of another name have the same training examples."""
    if source.name == target.name or not equal(source.train.x, target.train.x):
        return []
    return [f"its training examples are those of {source.name}: its labels reach training through them"]


def _scales(first: Domain, other: Domain) -> list[str]:
    """A note where numbers are so much larger in one of two domains that only one may have been normalised."""
    if first.modality not in ("vector", "series"):
        return []
    ours, theirs = (float(domain.train.x[:ENOUGH].std(dtype=np.float64)) for domain in (first, other))
    if min(ours, theirs) == 0 or max(ours, theirs) <= APART * min(ours, theirs):
        return []
    return [f"deviation {theirs:.3g}, that of {first.name} is {ours:.3g}: was only one of the two normalised?"]


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


def alike(domains: Sequence[Domain]) -> list[Domain]:
    """The domains with one shape of examples (see `matched`). Raises UserError where they cannot have one."""
    for domain in domains[1:]:
        same_kind(domains[0], domain)
    domains = [domains[0], *(in_order(domain, domains[0]) for domain in domains[1:])]
    shape = _common_shape(domains)
    return [brought(domain, shape) for domain in domains]


def brought(domain: Domain, shape: tuple[int, ...]) -> Domain:
    """The domain with examples of that shape; a change of its images is noted."""
    before = domain.train.x.shape[1:]
    parts = {n: Examples(_shaped(p.x, shape, domain.modality), p.y) for n, p in domain.splits.items()}
    if domain.modality != "image" or before == shape:
        return changed(domain, **parts)
    sides = lambda shape: f"{shape[0]}x{shape[1]}"
    changes = [f"resized from {sides(before)} to {sides(shape)}"] * (before[:2] != shape[:2])
    changes += ["grey repeated to colour" if before[2] < shape[2] else "colour made grey"] * (before[2] != shape[2])
    note = f"{' and '.join(changes)}, like the other domains (?size= and ?channels= of a spec choose both)"
    return changed(domain, notes=(*domain.notes, note), **parts)


def in_order(domain: Domain, first: Domain) -> Domain:
    """The domain with its columns in the order of the first one's, matched by name; said where they were in another.

    Raises UserError where their names differ.
    """
    ours, theirs = first.features, domain.features
    if ours == theirs or domain.modality != "vector":
        return domain
    if not (ours and theirs):
        bare = domain.name if ours else first.name
        return changed(domain, notes=(*domain.notes, f"columns are matched by position: those of {bare} have no names"))
    if set(ours) != set(theirs):
        only = lambda mine, others: _some([name for name in mine if name not in set(others)])
        fix = "Rename them, or leave them out of both (&drop=)."
        if ours[0].startswith(INDEX) and theirs[0].startswith(INDEX):
            fix = "Say of both from where they count (&zero_based=true or false), and how many there are (&features=)."
        raise UserError(
            f"{first.name} has {len(ours)} columns of features, {domain.name} {len(theirs)}; they are matched by name. "
            f"Only in {first.name}: {only(ours, theirs)}. Only in {domain.name}: {only(theirs, ours)}. {fix}"
        )
    place = [theirs.index(name) for name in ours]
    parts = {name: Examples(part.x[:, place], part.y) for name, part in domain.splits.items()}
    moved = sum(a != b for a, b in zip(ours, theirs, strict=True))
    said = f"{moved} of {len(ours)} columns stand in another order than in {first.name}: they were matched by name"
    return changed(domain, features=ours, notes=(*domain.notes, said), **parts)


def same_kind(first: Domain, other: Domain) -> None:
    """Raises UserError where modality, rate or vocabulary are others."""
    if first.modality != other.modality:
        raise UserError(f"{first.name} holds {first.modality}, {other.name} {other.modality}: they cannot be matched.")
    if first.rate != other.rate:
        rates = f"{first.name} has {first.rate} Hz, {other.name} {other.rate} Hz"
        raise UserError(f"{rates}: one rate is needed. wav:PATH?rate=8000 resamples.")
    if first.vocabulary != other.vocabulary:
        raise UserError(
            f"{first.name} has {first.vocabulary} token ids, {other.name} {other.vocabulary}: the same word would be "
            "another id. Read both with the same ?buckets=."
        )


def _same_labels(first: Domain, other: Domain, label_space: str) -> None:
    """Raises UserError unless the class sets are related as the label space says, with the one that would fit."""
    if bool(first.classes) != bool(other.classes):
        kinds = ["classes" if domain.classes else "values (regression)" for domain in (first, other)]
        raise UserError(f"{first.name} has {kinds[0]} as labels, {other.name} {kinds[1]}: they cannot be matched.")
    ours, theirs = set(first.classes), set(other.classes)
    fits = fitting(first.classes, other.classes)
    if label_space == fits or fits == "closed" or (label_space == "universal" and fits):
        return
    only = lambda mine, others: _some(sorted(mine - others))
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


def fitting(source: Sequence[str], target: Sequence[str]) -> str:
    """The strictest label space that allows these classes, or '' if they have none in common."""
    ours, theirs = set(source), set(target)
    if ours == theirs:
        return "closed"
    return "partial" if theirs < ours else "open" if ours < theirs else "universal" if ours & theirs else ""


def _some(names: Sequence[str]) -> str:
    return f"{list(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}"


def _common_shape(domains: Sequence[Domain]) -> tuple[int, ...]:
    """The shape of an example to which all domains are brought."""
    first = domains[0]
    shapes = [domain.train.x.shape[1:] for domain in domains]
    if first.modality == "image":
        return (*shapes[0][:2], max(shape[2] for shape in shapes))
    if first.modality in ("sound", "text"):
        return (max(shape[0] for shape in shapes),)
    for domain, shape in zip(domains, shapes, strict=True):
        if shape != shapes[0]:
            raise UserError(
                f"{domain.name} has examples of shape {list(shape)}, {first.name} {list(shapes[0])}: they cannot be "
                "matched. The features must be the same in both, column by column."
            )
    return shapes[0]


def renamed(domain: Domain, classes: tuple[str, ...]) -> Domain:
    """The domain with labels numbered among `classes`, those that are not there len(classes), unknown ones -1."""
    if domain.classes == classes:
        return domain
    place = np.array([classes.index(c) if c in classes else len(classes) for c in domain.classes] + [UNKNOWN], np.int32)
    parts = {name: Examples(part.x, place[part.y]) for name, part in domain.splits.items()}
    return changed(domain, classes=classes, **parts)


def _shaped(x: np.ndarray, shape: tuple[int, ...], modality: str) -> np.ndarray:
    if x.shape[1:] == shape:
        return x
    if modality == "image":
        return _resized(x, shape)
    return np.pad(x, ((0, 0), (0, shape[0] - x.shape[1])))


def _resized(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Images [n, h, w, c] resized (bilinear), grey repeated to colour or colour made grey where the shapes differ."""
    from PIL import Image

    if isinstance(x, Pictures):
        sizes = ["x".join(map(str, each)) for each in (x.shape[1:], shape)]
        raise UserError(
            f"{x.name}: with {ASKED} its images are {sizes[0]} and stay so, but the other domains make it {sizes[1]}. "
            f"Say size= and channels= so that all are alike, or leave {ASKED} out."
        )
    h, w, c = shape
    if x.shape[1:3] == (h, w) and x.shape[3] <= c:
        return np.repeat(x, c, axis=-1)
    out = np.empty((len(x), *shape), np.uint8)
    for i, image in enumerate(x):
        picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        picture = picture.convert("L" if c == 1 else "RGB").resize((w, h), Image.Resampling.BILINEAR)
        out[i] = np.asarray(picture).reshape(shape)
    return out
