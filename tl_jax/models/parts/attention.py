"""Scaled dot-product attention (Vaswani et al. 2017, arXiv 1706.03762): JAX's own, and one that a CPU runs faster."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tl_jax.core.types import Array

UNSEEN = -0.7 * float(np.finfo(np.float32).max)
"""Added to the scores of what is masked: as in JAX's, where nothing is seen all places count alike."""
HEADS = ((0, 1), (0, 1))


def attend(
    q: Array,
    k: Array,
    v: Array,
    *,
    bias: Array | None = None,
    mask: Array | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Array:
    """softmax(scale q k^T + bias) v for every head: q [n, t, h, e], k and v [n, s, h, e] -> [n, t, h, e].

    bias and mask (True: seen) [n or 1, h or 1, t or 1, s]; causal: a place sees itself and those before it; scale:
    1 / sqrt(e) unless given.
    """
    if jax.default_backend() == "cpu" and q.dtype == jnp.float32:
        return _on_cpu(q, k, v, bias, _seen(mask, causal, (q.shape[1], k.shape[1])), scale or q.shape[-1] ** -0.5)
    return jax.nn.dot_product_attention(q, k, v, bias, mask, is_causal=causal, scale=scale)


def _seen(mask: Array | None, causal: bool, size: tuple[int, int]) -> Array | None:
    if not causal:
        return mask
    earlier = jnp.tril(jnp.ones(size, bool))[None, None]
    return earlier if mask is None else earlier & mask


def _on_cpu(q: Array, k: Array, v: Array, bias: Array | None, seen: Array | None, scale: float) -> Array:
    """Matrices of a head side by side, a mask that is added, and the sum divided by after the product with v.

    XLA's CPU compiler then copies no scores [n, h, t, s], forward or backward, and fuses the mask with the exponential.
    """
    q, k, v = (x.swapaxes(1, 2) for x in (q, k, v))
    q = q * (scale if seen is None else scale * seen.any(-1, keepdims=True))  # no slope where nothing is seen
    scores = lax.dot_general(q, k, (((3,), (3,)), HEADS))
    scores = scores if bias is None else scores + bias
    scores = scores if seen is None else scores + jnp.where(seen, 0.0, UNSEEN)
    share = jnp.exp(scores - lax.stop_gradient(scores.max(-1, keepdims=True)))
    y = lax.dot_general(share, v, (((3,), (2,)), HEADS)) / share.sum(-1)[..., None]
    return y.swapaxes(1, 2)
