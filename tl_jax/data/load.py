"""Domain specs: 'digits:printed' or 'tfds:mnist' -> Domain, and the fit between source and target."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tl_jax.core.errors import UserError, unknown
from tl_jax.data import digits, tfds
from tl_jax.data.domain import Domain, Examples

DIGITS: Mapping[str, Callable[[], Domain]] = {
    "handwritten": digits.handwritten,
    "printed": digits.printed,
    "photo": digits.photo,
    "parity": digits.parity,
}


def _digits(name: str, data_dir: str) -> Domain:
    if name not in DIGITS:
        raise unknown("domain", f"digits:{name}", [f"digits:{known}" for known in DIGITS])
    return DIGITS[name]()


SCHEMES: Mapping[str, Callable[[str, str], Domain]] = {"digits": _digits, "tfds": tfds.load}


def load(spec: str, data_dir: str = "") -> Domain:
    """The domain a spec names. Raises UserError for an unknown spec or absent files."""
    scheme, _, name = spec.partition(":")
    if scheme not in SCHEMES or not name:
        known = [f"digits:{known}" for known in DIGITS] + ["tfds:NAME"]
        raise unknown("domain", spec, known)
    return SCHEMES[scheme](name, data_dir)


def matched(sources: Sequence[Domain], target: Domain, same_task: bool = True) -> tuple[tuple[Domain, ...], Domain]:
    """Sources and target with one image shape and one order of classes, labels matched by class name.

    Shape and order are the first source's. Where the target is another task, its classes are its own unless
    their names are the source's. Raises UserError where the class sets differ.
    """
    shape, classes = sources[0].train.x.shape[1:], sources[0].classes
    own = target.classes if not same_task and set(target.classes) != set(classes) else classes
    ready = [_fitted(domain, shape, classes, sources[0].name) for domain in sources]
    return tuple(ready), _fitted(target, shape, own, sources[0].name)


def _fitted(domain: Domain, shape: tuple[int, ...], classes: tuple[str, ...], first: str) -> Domain:
    if set(domain.classes) != set(classes):
        raise UserError(
            f"{first} has {len(classes)} classes, {domain.name} has {len(domain.classes)}. "
            f"Only in {first}: {sorted(set(classes) - set(domain.classes))[:5]}. "
            f"Only in {domain.name}: {sorted(set(domain.classes) - set(classes))[:5]}. "
            "Closed-set adaptation needs equal sets of classes; labels are matched by name."
        )
    place = np.array([classes.index(name) for name in domain.classes], np.int32)
    fit = lambda part: Examples(_resized(part.x, shape, domain.name), place[part.y])
    splits = {name: fit(getattr(domain, name)) for name in ("train", "validation", "test")}
    return replace(domain, classes=classes, **splits)


def _resized(x: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Images [n, h, w, c] resized (bilinear) and grey repeated to colour where the shapes differ."""
    if x.shape[1:] == shape:
        return x
    if x.ndim != 4 or len(shape) != 3 or x.dtype != np.uint8:
        raise UserError(f"{name} has examples of shape {x.shape[1:]}, the source {shape}: they cannot be matched.")
    from PIL import Image

    h, w, c = shape
    out = np.empty((len(x), *shape), np.uint8)
    for i, image in enumerate(x):
        picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        picture = picture.convert("L" if c == 1 else "RGB").resize((w, h), Image.Resampling.BILINEAR)
        out[i] = np.asarray(picture).reshape(shape)
    return out
