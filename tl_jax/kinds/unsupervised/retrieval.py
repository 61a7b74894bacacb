"""Retrieval as a picture: queries in the target and what was found for them in the source."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from tl_jax.evaluation.neighbours import nearest
from tl_jax.evaluation.protocols import Sets
from tl_jax.run.report.figures import blank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HITS = 8
ROWS = 10
RIGHT, WRONG, NEUTRAL = (0, 150, 60), (210, 40, 40), (255, 255, 255)


def contact_sheet(x: Sets, y: Sets, features: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> "Figure":
    """One query of each of the first classes in a row with its nearest gallery images, framed by whether they match.

    x: images of the three sets, y their labels, -1 if unknown (without any, the first queries are shown, and nothing
    is framed); features: {method: (queries [m, d], gallery [n, d])}.
    """
    _, queries = np.unique(y.queries, return_index=True)
    queries = queries[y.queries[queries] >= 0]
    queries = (queries if len(queries) else np.arange(len(y.queries)))[:ROWS]
    figure = blank(4.6 * len(features), 0.45 * len(queries) + 0.7)
    for axis, (method, (f_q, f_g)) in zip(
        figure.subplots(1, len(features), squeeze=False)[0], features.items(), strict=True
    ):
        k = min(HITS, len(f_g))
        _, rows = nearest(jnp.asarray(f_q[queries]), jnp.asarray(f_g), k)
        lines = [_line(x, y, query, found) for query, found in zip(queries, np.asarray(rows), strict=True)]
        axis.imshow(np.concatenate(lines))
        axis.set_axis_off()
        axis.set_title(f"{method}: query | {k} nearest in the source", fontsize="small")
    return figure


def _line(x: Sets, y: Sets, query: int, found: np.ndarray) -> np.ndarray:
    """The query, a gap, and the images found: [h, w, 3]."""
    side = x.queries.shape[1]
    tiles = [_framed(x.queries[query], NEUTRAL), np.full((side + 2 * _frame(side), side // 4, 3), 255, np.uint8)]
    tiles += [_framed(x.gallery[i], _colour(int(y.gallery[i]), int(y.queries[query]))) for i in found]
    return np.concatenate(tiles, axis=1)


def _colour(a: int, b: int) -> tuple[int, int, int]:
    return NEUTRAL if min(a, b) < 0 else RIGHT if a == b else WRONG


def _frame(side: int) -> int:
    return max(1, side // 12)


def _framed(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """An image [h, w, 1 or 3] in colour with a frame of one colour."""
    by = _frame(image.shape[0])
    h, w, _ = image.shape
    out = np.empty((h + 2 * by, w + 2 * by, 3), np.uint8)
    out[:] = colour
    out[by : by + h, by : by + w] = image
    return out
