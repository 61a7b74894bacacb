"""In what order examples come, in what batches, and when a method is put back to the source model."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.naming.calls import parse


class Stream(NamedTuple):
    """A form of stream: examples a batch, how correlated its classes are (0: not), whether the method is put back to
    the source model at each corruption, and whether all corruptions come at once."""

    batch: int
    concentration: float
    reset: bool = False
    mixed: bool = False


class Segment(NamedTuple):
    """A part of a stream, between which parameters go on or are put back: its corruptions, and the order of the
    examples of all of them one after the other, [trials, n] rows."""

    corruptions: tuple[str, ...]
    rows: np.ndarray


def episodic(batch: int = 64, concentration: float = 0.0) -> Stream:
    """Corruption after corruption; the method is put back to the source model at each."""
    return Stream(batch, concentration, reset=True)


def continual(batch: int = 64, concentration: float = 0.0) -> Stream:
    """Corruption after corruption, and nothing is put back between them."""
    return Stream(batch, concentration)


def mixed(batch: int = 64, concentration: float = 0.0) -> Stream:
    """The examples of all corruptions at once, in one order."""
    return Stream(batch, concentration, mixed=True)


STREAMS: Mapping[str, Callable[..., Stream]] = {"episodic": episodic, "continual": continual, "mixed": mixed}


def stream(text: str) -> Stream:
    """The stream that a text names: 'continual(batch=1, concentration=0.1)'. Raises UserError for another."""
    found: Stream = parse(text, STREAMS, "stream")()
    if found.concentration < 0:
        raise UserError(f"--stream={text}: a concentration is above 0, or 0 for classes in random order.")
    return found


def segments(how: Stream, corruptions: Sequence[str], y: np.ndarray, seeds: Sequence[int]) -> list[Segment]:
    """The parts of the stream of examples with labels y [n] under every corruption, ordered anew for each seed."""
    parts = [tuple(corruptions)] if how.mixed else [(name,) for name in corruptions]
    found = []
    for i, names in enumerate(parts):
        labels = np.tile(y, len(names))
        draws = [np.random.default_rng([seed, i]) for seed in seeds]
        found.append(Segment(names, np.stack([ordered(labels, how.concentration, rng) for rng in draws])))
    return found


def ordered(y: np.ndarray, concentration: float, rng: np.random.Generator) -> np.ndarray:
    """Rows of y [n] in random order, or with correlated classes.

    A class is cut among as many slots as there are classes, in shares ~ Dirichlet(concentration, ...); slots come one
    after the other, in each the classes in random order: the smaller the concentration, the fewer slots has a class.
    As Gong et al. 2022 (NOTE, arXiv 2208.05117) and Yuan et al. 2023 (RoTTA, arXiv 2303.13899).
    """
    if not concentration:
        return rng.permutation(len(y))
    classes = np.unique(y)
    slots: list[list[np.ndarray]] = [[] for _ in classes]
    for c in classes:
        rows = rng.permutation(np.flatnonzero(y == c))
        shares = rng.dirichlet(np.full(len(slots), concentration))
        cuts = np.rint(np.cumsum(shares)[:-1] * len(rows)).astype(int)
        for slot, part in zip(slots, np.split(rows, cuts), strict=True):
            slot.append(part)
    return np.concatenate([slot[k] for slot in slots for k in rng.permutation(len(slot))])
