"""MultiMNIST, built from MNIST: two digits in one image, the left and the right one being two tasks."""

import itertools

import numpy as np

from tl_jax.data.benchmarks.digit_sets import CLASSES, MNIST, mnist
from tl_jax.data.benchmarks.record import Asked
from tl_jax.data.domain import Domain, Examples
from tl_jax.data.readers.assemble import make
from tl_jax.data.splits import Rows

CANVAS, SHIFT, SIDE = 36, 6, 28


def multi_mnist(asked: Asked) -> Domain | None:
    """As many images as MNIST, 28 x 28, grey; the labels are those of the left or of the right digit.

    Image i shows digit i of its split at the top left of a canvas of 36 x 36 and another digit of that split, of a
    permutation drawn with seed 0 (1 and 2 for validation and test), 6 pixels further down and to the right; the
    brighter pixel wins, and the canvas is taken to 28 x 28 by the nearest pixel. Sener & Koltun 2018,
    arXiv 1810.04650, whose own partners are not reproducible.
    """
    found = mnist(asked)
    if found is None:
        return None
    parts = [_paired(part, seed, asked.domain) for seed, part in enumerate(found.splits.values())]
    ends = np.cumsum([0, *(len(part.y) for part in parts)])
    rows = Rows(*(np.arange(a, b) for a, b in itertools.pairwise(ends)))
    x, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return make(asked.name, x, y, rows=rows, classes=CLASSES)


def _paired(part: Examples, seed: int, side: str) -> Examples:
    """Every image over its partner, with the label of one side."""
    partner = np.random.default_rng(seed).permutation(len(part.y))
    canvas = np.zeros((len(part.y), CANVAS, CANVAS), np.uint8)
    canvas[:, :SIDE, :SIDE] = part.x[..., 0]
    moved = canvas[:, SHIFT : SHIFT + SIDE, SHIFT : SHIFT + SIDE]
    np.maximum(moved, part.x[partner, :, :, 0], out=moved)
    nearest = ((np.arange(SIDE) + 0.5) * CANVAS / SIDE).astype(int)
    y = part.y if side == "left" else part.y[partner]
    return Examples(canvas[:, nearest[:, None], nearest[None, :], None], y)


MULTI_MNIST = MNIST._replace(
    title="MultiMNIST, built from MNIST (Sabour, Frosst, Hinton 2017, arXiv:1710.09829)",
    read=multi_mnist,
    domains=("left", "right"),
    tfds="",
)
