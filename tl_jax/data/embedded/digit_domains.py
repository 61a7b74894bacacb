"""The digits as further domains: turned by an angle, in a colour. `digits:handwritten?rotate=30&ink=red`."""

import numpy as np

from tl_jax.core.errors import UserError, unknown
from tl_jax.data.domain import Domain, Examples
from tl_jax.data.spec import Spec, whole

OPTIONS = ("rotate", "ink")
INKS = {
    "white": (255, 255, 255),
    "red": (255, 64, 64),
    "green": (64, 255, 64),
    "blue": (64, 64, 255),
    "yellow": (255, 255, 64),
    "magenta": (255, 64, 255),
    "cyan": (64, 255, 255),
}
"""What white becomes, by channel: none is so dark that a digit is lost in one."""


def as_asked(domain: Domain, spec: Spec) -> Domain:
    """The domain with every image turned counterclockwise by ?rotate=DEGREES and multiplied by &ink=COLOUR.

    Corners that come in are black. Example i of a split stays example i of that split. Raises UserError for another
    colour, an angle outside [0, 359], or digits whose label is the angle.
    """
    if not set(OPTIONS) & set(spec.options):
        return domain
    degrees = whole(spec, "rotate", 0, 0, 359)
    ink = spec.options.get("ink", "white")
    if ink not in INKS:
        raise unknown("ink", ink, INKS)
    if degrees and not domain.classes:
        raise UserError(f"{spec.text}: its labels are values of the image as it is; rotate is for digits with classes.")
    change = lambda x: _coloured(_turned(x, degrees) if degrees else x, np.array(INKS[ink]))
    parts = (Examples(change(part.x), part.y) for part in domain.splits.values())
    asked = "&".join(f"{name}={spec.options[name]}" for name in OPTIONS if name in spec.options)
    return Domain(f"{domain.name}?{asked}", domain.classes, *parts)


def _turned(x: np.ndarray, degrees: int) -> np.ndarray:
    from PIL import Image

    return np.stack([np.asarray(Image.fromarray(one).rotate(degrees, Image.Resampling.BILINEAR)) for one in x])


def _coloured(x: np.ndarray, ink: np.ndarray) -> np.ndarray:
    return (x.astype(np.uint16) * ink.astype(np.uint16) // 255).astype(np.uint8)
