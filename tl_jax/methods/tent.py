"""Test entropy minimisation: a trained model follows the stream that it predicts."""

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import entropy
from tl_jax.methods.contract import NORMALISATION_ALONE, Method, Own, Terms, View, by_own_batch


def tent(lr: float = 1e-3) -> Method:
    """L = mean H(p_t) over a batch of the stream; scales and biases of the normalisation layers alone move.

    A batch is predicted before it is learnt from (`training/stream.py`), normalised by its own statistics, as it is
    when it is learnt from. Reads no label and no source. One step a batch, and nothing is put back in between. Paths
    with "norm" in them are taken for normalisation, group and layer normalisation as well. lr = 1e-3 (Adam, as for
    CIFAR-10-C). Wang et al. 2021, arXiv 2006.10726.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        return Terms({"entropy": entropy(out["target"].logits).mean()})

    return Method(
        terms,
        views={"target": View("target")},
        weights=lambda at: {"entropy": 1.0},
        values={"lr": lr},
        lam=None,
        freeze=NORMALISATION_ALONE,
        predict=by_own_batch,
        labels="none",
    )
