"""Examples of several domains in one shape: columns by name, images of one size, texts and waves of one length."""

from collections.abc import Sequence

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.domain import INDEX, Domain, Examples, changed
from tl_jax.data.files.pictures import ASKED, Pictures
from tl_jax.data.match.classes import some_of


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
        only = lambda mine, others: some_of([name for name in mine if name not in set(others)])
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
