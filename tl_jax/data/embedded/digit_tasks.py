"""Other tasks on the digits: what their number leaves out of a handwritten one, and by how much one is turned."""

from collections.abc import Callable

import numpy as np

from tl_jax.data.domain import Domain, Examples
from tl_jax.data.embedded.digits import handwritten, printed


def parity() -> Domain:
    """Is the number even or odd."""
    return _labelled("digits:parity", ("even", "odd"), lambda x, y: y % 2)


def mass() -> Domain:
    """How much ink there is, a regression: the mean of the image in [0, 1], standardised by the training split."""
    ink = lambda x: x.reshape(len(x), -1).mean(1, dtype=np.float64) / 255
    train = handwritten().train.x
    center, scale = ink(train).mean(), ink(train).std()
    return _labelled("digits:mass", (), lambda x, y: ((ink(x) - center) / scale).astype(np.float32))


def printed_angle() -> Domain:
    """Printed digits turned by up to 45 degrees, which is the label: a regression with a twin, `handwritten_angle`."""
    return _turned("digits:printed_angle", printed(), 3)


def handwritten_angle() -> Domain:
    """Handwritten digits turned by up to 45 degrees, which is the label."""
    return _turned("digits:handwritten_angle", handwritten(), 4)


def _turned(name: str, upright: Domain, seed: int) -> Domain:
    """Every image turned counterclockwise by its label, uniform in [-45, 45] degrees; what comes in is black."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    parts = []
    for part in upright.splits.values():
        angles = rng.uniform(-45, 45, len(part.y)).astype(np.float32)
        turn = lambda x, angle: np.asarray(Image.fromarray(x).rotate(angle, Image.Resampling.BILINEAR))
        x = np.stack([turn(image, float(angle)) for image, angle in zip(part.x, angles, strict=True)])
        parts.append(Examples(x, angles))
    return Domain(name, (), *parts)


def _labelled(name: str, classes: tuple[str, ...], label: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Domain:
    """The handwritten digits with labels [n] from their images and numbers."""
    parts = (Examples(part.x, label(part.x, part.y)) for part in handwritten().splits.values())
    return Domain(name, classes, *parts)
