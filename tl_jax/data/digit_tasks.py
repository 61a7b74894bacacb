"""Other tasks on the handwritten digits: the same images in the same splits, other labels."""

from collections.abc import Callable

import numpy as np

from tl_jax.data.digits import handwritten
from tl_jax.data.domain import Domain, Examples


def parity() -> Domain:
    """Is the number even or odd."""
    return _labelled("digits:parity", ("even", "odd"), lambda x, y: y % 2)


def mass() -> Domain:
    """How much ink there is, a regression: the mean of the image in [0, 1], standardised by the training split."""
    ink = lambda x: x.reshape(len(x), -1).mean(1, dtype=np.float64) / 255
    train = handwritten().train.x
    center, scale = ink(train).mean(), ink(train).std()
    return _labelled("digits:mass", (), lambda x, y: ((ink(x) - center) / scale).astype(np.float32))


def _labelled(name: str, classes: tuple[str, ...], label: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Domain:
    """The handwritten digits with labels [n] from their images and numbers."""
    parts = (Examples(part.x, label(part.x, part.y)) for part in handwritten().splits.values())
    return Domain(name, classes, *parts)
