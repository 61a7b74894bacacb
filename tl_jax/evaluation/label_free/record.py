"""What is known of a model at one step without a single label of the target."""

from typing import NamedTuple

import numpy as np


class Seen(NamedTuple):
    """What a model says of examples: logits [n, c]; features [n, d], None where they were not stored.

    unknown: [n], above zero where it rejects an example, if it has a rule of its own for that. intra, inter: logits
    [n, c] of each example mixed with another (`mixtures.py`), None where nothing was mixed.
    """

    logits: np.ndarray
    features: np.ndarray | None = None
    unknown: np.ndarray | None = None
    intra: np.ndarray | None = None
    inter: np.ndarray | None = None


class Labelled(NamedTuple):
    """The same of examples whose labels [n] are known."""

    logits: np.ndarray
    y: np.ndarray
    features: np.ndarray | None = None


class Record(NamedTuple):
    """What a criterion may see: the target's training examples, and the source's validation split with its labels.

    There is no field for target labels, so nothing that takes a record can peek. source: None where no label is known.
    """

    target: Seen
    source: Labelled | None = None
