"""The most certain mistakes of a model on labelled examples, with their pictures where the data are there."""

import io
from collections.abc import Sequence

import numpy as np

from tl_jax.data.domain import known
from tl_jax.evaluation.metrics import log_softmax
from tl_jax.programs.analyze.measured.found import Mistake
from tl_jax.programs.analyze.measured.read import Known

SHOWN = 12
PIXELS = 96
"""The longer side of a picture on the page; larger ones are made smaller."""


def of_classes(known_: Known, rows: np.ndarray, logits: np.ndarray, said: np.ndarray) -> tuple[Mistake, ...]:
    """Those of the highest probability first. rows: labelled examples; logits [n, c], said [n] of the whole split."""
    names = [*known_.classes, "unknown"]
    sure = np.exp(log_softmax(logits).max(-1))
    wrong = rows[(said[rows] != known_.y[rows]) & (said[rows] >= 0)]
    first = wrong[np.argsort(-sure[wrong], kind="stable")][:SHOWN]
    return tuple(
        Mistake(str(known_.names[i]), names[said[i]], names[int(known_.y[i])], float(sure[i]), picture(known_, int(i)))
        for i in first
    )


def of_values(known_: Known, found: np.ndarray) -> tuple[Mistake, ...]:
    """The largest errors first; found [n] in the labels' unit."""
    rows = np.flatnonzero(known(known_.y) & np.isfinite(found))
    first = rows[np.argsort(-np.abs(found[rows] - known_.y[rows]), kind="stable")][:SHOWN]
    return tuple(
        Mistake(str(known_.names[i]), f"{found[i]:.4g}", f"{known_.y[i]:.4g}", None, picture(known_, int(i)))
        for i in first
    )


def picture(known_: Known, i: int) -> bytes:
    """A PNG of a test example that is an image; b"" of others, and where the data are not there."""
    if known_.domain is None or known_.domain.modality != "image":
        return b""
    from PIL import Image

    x = np.asarray(known_.domain.test.x[i])
    image = Image.fromarray(x[..., 0] if x.shape[-1] == 1 else x)
    image.thumbnail((PIXELS, PIXELS))
    file = io.BytesIO()
    image.save(file, "png", optimize=True)
    return file.getvalue()


def most_confused(confusion: np.ndarray, names: Sequence[str], most: int = 10) -> list[tuple[str, str, float, float]]:
    """(true, predicted, how many, share of the true class's) of the pairs off the diagonal, the most frequent first."""
    off = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-off, axis=None, kind="stable")[:most]
    pairs = [divmod(int(k), len(off)) for k in order]
    return [
        (names[i], names[j], float(off[i, j]), float(off[i, j] / confusion[i].sum())) for i, j in pairs if off[i, j] > 0
    ]
