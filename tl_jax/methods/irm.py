"""Invariant risk minimisation."""

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.schedules import annealed
from tl_jax.core.types import Array, At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.losses.domains import told_apart
from tl_jax.methods.contract import Method, Own, Terms, View


def irm(anneal: float = 0.1) -> Method:
    """L = mean_k R_k + lam * (1/K) sum_k (d/ds R_k(s g) at s = 1)^2: one scale of the logits is best in all domains.

    IRMv1 in closed form: d/ds CE(s g, y) = sum_c (p_c - [c = y]) g_c; of values 2 (z - y) z. The square is the product
    of the means over the even and over the odd rows of a domain's part of the batch, which is unbiased and may be
    negative. The penalty weighs min(1, lam) in the first `anneal` of the run and lam after it. lam = 100 and 500 of
    5000 steps as in DomainBed, which also resets Adam where the weight jumps; here its moments go on. The authors' code
    divides the whole loss by lam. Needs two domains. Arjovsky et al. 2019, arXiv 1907.02893.
    """

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        told_apart(len(batch.sources), "irm")
        if min(len(source.y) for source in batch.sources) < 2:
            raise UserError("irm compares two halves of each domain's part of a batch: use --batch_size=2 or more.")
        slopes = batch.split(_slopes(out["source"].logits, batch.y))
        penalty = jnp.stack([one[::2].mean() * one[1::2].mean() for one in slopes]).mean()
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "invariance": penalty})

    return Method(
        terms,
        views={"source": View("source")},
        weights=lambda at: {"invariance": annealed(at.progress, at.lam, at.values["anneal"])},
        values={"anneal": anneal},
        lam=100.0,
        regression=True,
    )


def _slopes(logits: Array, y: Array) -> Array:
    """The derivative of each example's loss in a scale of its logits, at 1: [n, c], [n] -> [n]."""
    if jnp.issubdtype(y.dtype, jnp.floating):
        return 2 * (logits[:, 0] - y) * logits[:, 0]
    p = jax.nn.softmax(logits)
    return ((p - jax.nn.one_hot(y, logits.shape[-1], dtype=p.dtype)) * logits).sum(1)
