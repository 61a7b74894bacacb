"""Marginal entropy minimisation with one test point."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.methods.contract import Method, Own, Terms, View


def memo(views: int = 8, view: str = "strong", lr: float = 1e-5) -> Method:
    """L = H(mean_b p_b), p_b of `views` varied copies of one example: it is learnt from, predicted, and forgotten.

    Each example of the stream is one by itself: one step of all weights from the source model, then its prediction;
    nothing is left of the step. Batch normalisation uses the stored statistics throughout. lr = 1e-5 (theirs with AdamW
    on transformers; .005 with SGD on CIFAR-10). By choice otherwise: 8 copies of the project's own kind (theirs: 32 or
    64 of AugMix), and stored statistics are not blended with the copies'. A step for each example: it costs as many
    times more than `tent` as a batch has examples. Zhang et al. 2022, arXiv 2110.09506.
    """
    copies = [f"copy{i}" for i in range(views)]

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        log_p = jax.nn.log_softmax(jnp.stack([out[name].logits for name in copies]))
        log_mean = jax.nn.logsumexp(log_p, axis=0) - jnp.log(views)
        return Terms({"entropy": -(jnp.exp(log_mean) * log_mean).sum(-1).mean()})

    return Method(
        terms,
        views={name: View("target", view, train=False) for name in copies},
        weights=lambda at: {"entropy": 1.0},
        values={"lr": lr},
        lam=None,
        episodic=True,
        labels="none",
    )
