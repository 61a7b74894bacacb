"""Target examples mixed with each other, as probes: what a model says half way between two of its predictions."""

from typing import NamedTuple

import numpy as np

from tl_jax.evaluation.label_free.record import Record

SHARE = 0.55
"""The share of the first example in a mixture, that of the paper: its class is the mixture's."""


class Partners(NamedTuple):
    """With which row [m] each is mixed: another of the same predicted class, and one of another; itself for want."""

    intra: np.ndarray
    inter: np.ndarray


def partners(labels: np.ndarray) -> Partners:
    """Partners of rows with these predicted classes [m] int, by one fixed random order, whatever the labels are.

    Within a class each row is mixed with the next of it, around; between them with the next row of another class.
    """
    m = len(labels)
    order = np.random.default_rng(0).permutation(m)
    y = labels[order]
    by_class = np.argsort(y, kind="stable")
    last = np.append(y[by_class][1:] != y[by_class][:-1], True)
    first = np.append(0, np.flatnonzero(last) + 1)[:-1]
    following = np.arange(1, m + 1)
    following[last] = first
    intra = np.empty(m, int)
    intra[order[by_class]] = order[by_class[following]]
    # The end of a run of equal classes, the order being a ring.
    changes = np.flatnonzero(np.diff(np.concatenate([y, y]))) + 1
    inter = np.arange(m)
    if len(changes):
        inter[order] = order[changes[np.searchsorted(changes, np.arange(m), side="right")] % m]
    return Partners(intra, inter)


def mixval(record: Record, inter: float = 0.5) -> float:
    """How often mixed target examples are given the class of their greater part.

    (1 - w) A_intra + w A_inter,   A = share of i with argmax f(.55 x_i + .45 x_j) = argmax f(x_i),   in [0, 1]

    j is another example of the class predicted for i (intra), or one of another class (inter); w = inter. Inputs are
    mixed, so a run predicts thrice as many target examples at each evaluation. A row that is alone in its class counts
    in A_inter alone; without any pair A is 0. The paper averages the ranks of A_intra and A_inter over the candidates,
    here they are averaged themselves (w = 0 and 1 are each alone); its code mixes within batches, here over all rows.
    Raises: ValueError without predictions of mixtures. Hu et al. 2023 (NeurIPS 36), "Mixed Samples as Probes for
    Unsupervised Model Selection in Domain Adaptation".
    """
    target = record.target
    if target.intra is None or target.inter is None:
        raise ValueError("mixval needs predictions of mixed target examples")
    y = np.asarray(target.logits).argmax(1)
    counts = np.bincount(y)
    paired = {"intra": counts[y] > 1, "inter": counts[y] < len(y)}
    agreed = {"intra": np.asarray(target.intra).argmax(1) == y, "inter": np.asarray(target.inter).argmax(1) == y}
    a = {name: float(agreed[name][rows].mean()) if rows.any() else 0.0 for name, rows in paired.items()}
    return (1 - inter) * a["intra"] + inter * a["inter"]
