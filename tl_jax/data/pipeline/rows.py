"""Few labels: which examples of a labelled set a trial may use."""

import math
from collections.abc import Sequence

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.domain import known
from tl_jax.data.splits import strata


def labelled_rows(y: np.ndarray, *, per_class: float = 0, fraction: float = 0, seed: int = 0) -> np.ndarray:
    """Rows of `per_class` examples of every class, or of a fraction of every class (rounded up), drawn by the seed.

    Smaller choices of one seed lie inside larger ones. y [n] int -> rows [L], class after class; values are one class.
    What is unknown is never drawn.
    Raises UserError where a class has fewer examples than asked for.
    """
    rows = []
    y = strata(y)
    for label in np.unique(y[known(y)]):
        members = np.random.default_rng((seed, int(label))).permutation(np.flatnonzero(y == label))
        wanted = int(per_class) or max(1, math.ceil(fraction * len(members) - 1e-9))
        if wanted > len(members):
            raise UserError(
                f"--labels_per_class={wanted}: class number {label} of the target has {len(members)} training "
                f"examples. Use at most {np.unique(y[known(y)], return_counts=True)[1].min()}."
            )
        rows.append(members[:wanted])
    return np.concatenate(rows)


def repeated(rows: np.ndarray, length: int) -> np.ndarray:
    """The rows over and over up to a length: an epoch over them sees every row equally often, give or take one."""
    return np.resize(rows, length).astype(np.int32)


def balanced(y: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The rows, those of small classes repeated until every class has as many as the largest: class after class.

    An epoch over them draws every class equally often. y [n] int, rows [m] -> [classes * m_max] int32.
    """
    kinds = y[rows]
    largest = np.bincount(kinds).max()
    return np.concatenate([repeated(rows[kinds == kind], largest) for kind in np.unique(kinds)])


def balanced_weights(
    labels: Sequence[np.ndarray], lists: Sequence[np.ndarray | None], rows: np.ndarray | None, classes: int
) -> tuple[float, ...]:
    """Weights by which classes count alike however rare they are: v_k = n / (classes * n_k), and 1 where n_k = 0.

    labels: of each labelled set [n] int; lists: the rows that are drawn of it (None, or no list: all); rows: of the
    last set by trial [T, L] instead, all trials together.
    """
    drawn = [y if i >= len(lists) or lists[i] is None else y[lists[i]] for i, y in enumerate(labels)]
    if rows is not None:
        drawn[-1] = labels[-1][rows].reshape(-1)
    counts = sum(np.bincount(y, minlength=classes) / max(1, len(y)) for y in drawn)
    shares = np.asarray(counts) / max(1, len(drawn))
    return tuple(float(1 / (classes * share)) if share else 1.0 for share in shares)
