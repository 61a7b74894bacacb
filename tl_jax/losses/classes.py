"""Losses on logits: finite, with finite gradients, for logits of any finite size.

Probabilities are never clipped and no epsilon is added: everything is computed from log-softmax,
so the equations hold to rounding and a saturated softmax is exact, not approximate.
"""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At


def cross_entropies(logits: Array, y: Array, smoothing: float | Array = 0.0) -> Array:
    """Cross-entropy of each example with label smoothing.

    l_i = -sum_k q_ik log p_ik,   q_ik = (1 - smoothing) [k = y_i] + smoothing / c

    Args: logits [n, c]; y [n] int; smoothing scalar in [0, 1], may be traced. Returns [n], nats.
    A label outside [0, c) gives NaN: an "unlabelled" -1 never counts as the last class.
    Raises: ValueError if y is not one label per row. Szegedy et al. 2016, arXiv 1512.00567.
    """
    if logits.shape[:-1] != y.shape:
        raise ValueError(f"y must hold one label per row of logits: {y.shape} against {logits.shape}")
    log_p = jax.nn.log_softmax(logits)
    # A mask and not an index: an index wraps a negative label around, and its gradient is a scatter,
    # whose order of additions a GPU does not promise.
    own = jax.nn.one_hot(y, logits.shape[-1], dtype=bool)
    hit = jnp.where(own.any(-1), jnp.where(own, log_p, 0.0).sum(-1), jnp.nan)
    return -(1 - smoothing) * hit - smoothing * log_p.mean(-1)


def cross_entropy(logits: Array, y: Array, smoothing: float | Array = 0.0) -> Array:
    """Mean cross-entropy with label smoothing.

    L = (1/n) sum_i l_i, with l_i of `cross_entropies`

    Args: logits [n, c]; y [n] int; smoothing scalar in [0, 1]. Returns a scalar, nats.
    Raises: ValueError if y is not one label per row. Szegedy et al. 2016, arXiv 1512.00567.
    """
    return cross_entropies(logits, y, smoothing).mean()


def supervised_each(logits: Array, y: Array, at: At, smoothing: float = 0.0) -> Array:
    """Loss of each labelled example: of classes or of values, as the type of their labels says.

    l_i = v_{y_i} / mean_j v_{y_j} * cross-entropy (see `cross_entropies`) for y int, v the weights of the classes;
    l_i = (z_i - y_i)^2 for y float, z = logits[:, 0]

    Args: logits [n, c] (c = 1 for values); y [n]; at: whose `labelling` holds the run's smoothing and weights of
    classes; smoothing: the method's own, where the run has none. Returns [n].
    Raises: ValueError if y is not one label per row, or values meet more than one output.
    """
    if not jnp.issubdtype(y.dtype, jnp.floating):
        smoothed = smoothing if at.labelling.smoothing is None else at.labelling.smoothing
        losses = cross_entropies(logits, y, smoothed)
        if not at.labelling.weights:
            return losses
        weights = jnp.asarray(at.labelling.weights, losses.dtype)[y]
        return losses * (weights / weights.mean())
    if logits.shape != (*y.shape, 1):
        raise ValueError(f"values {y.shape} need logits {(*y.shape, 1)}: got {logits.shape}")
    return jnp.square(logits[:, 0] - y)


def supervised(logits: Array, y: Array, at: At, smoothing: float = 0.0) -> Array:
    """L_S, the mean loss of labelled examples: L = (1/n) sum_i l_i, with l_i of `supervised_each`. A scalar.

    Raises: ValueError as there.
    """
    return supervised_each(logits, y, at, smoothing).mean()


def mean_where(x: Array, mask: Array) -> Array:
    """Mean of those of x whose mask, of the same shape, is one and not zero; zero where there are none."""
    return (mask * x).sum() / jnp.maximum(mask.sum(), 1)


def entropy(logits: Array) -> Array:
    """Entropy of each prediction.

    H_i = -sum_k p_ik log p_ik,   p = softmax(logits)

    Args: logits [n, c]. Returns [n], nats, in [0, log c]. Grandvalet & Bengio 2005 (NIPS 17).
    """
    log_p = jax.nn.log_softmax(logits)
    return -(jnp.exp(log_p) * log_p).sum(-1)


def marginal_entropy(logits: Array) -> Array:
    """Entropy of the mean prediction: high when the classes are used evenly.

    H(p_bar),   p_bar = (1/n) sum_i softmax(logits_i)

    Args: logits [n, c]. Returns a scalar, nats, in [0, log c]. Hu et al. 2017, arXiv 1702.08720.
    """
    log_p = jax.nn.log_softmax(logits)
    # The mean is taken in log space: a class that no example predicts would make log(0).
    log_mean = jax.nn.logsumexp(log_p, axis=0) - jnp.log(logits.shape[0])
    return -(jnp.exp(log_mean) * log_mean).sum()


def confusion(logits: Array, temperature: float | Array = 2.5) -> Array:
    """Minimum class confusion of a batch.

    P = softmax(logits / T);  w_i = n (1 + exp(-H_i)) / sum_j (1 + exp(-H_j)), detached
    M = P^T diag(w) P;  M_jk <- M_jk / sum_l M_jl;  L = (1/c) (sum_jk M_jk - sum_j M_jj)

    Args: logits [n, c]; temperature T > 0, scalar, may be traced. Returns a scalar in [0, 1).
    Jin et al. 2020, arXiv 1912.03699.
    """
    scaled = logits / temperature
    log_p = jax.nn.log_softmax(scaled)
    log_w = jax.lax.stop_gradient(jnp.log1p(jnp.exp(-entropy(scaled))))
    # Rows of P sum to 1, so row j of M sums to sum_i w_i p_ij and the normalised M_jk is a mean of
    # p_ik under the weights w_i p_ij / sum_i w_i p_ij: a softmax over examples. No class can then
    # divide by zero, the scale of w cancels, and only the diagonal is needed: O(n c), not O(n c^2).
    share = jax.nn.softmax(log_w[:, None] + log_p, axis=0)
    return (share * -jnp.expm1(log_p)).sum(0).mean()


def domain_logistic(
    logits_s: Array, logits_t: Array, weights_s: Array | None = None, weights_t: Array | None = None
) -> Array:
    """Binary cross-entropy of a domain discriminator; source is 1, target is 0.

    L = 0.5 ((1/n) sum_i w_i log(1 + exp(-d_i)) + (1/m) sum_j w_j log(1 + exp(d_j)))

    Args: logits_s [n], logits_t [m]; weights_s [n], weights_t [m], default 1, used as they are:
    normalising to mean 1, and detaching, is the caller's. Returns a scalar, nats; log 2 at d = 0.
    Raises: ValueError on any other shape ([n, 1] would broadcast). Ganin et al. 2016, arXiv 1505.07818.
    """
    total = jnp.zeros((), logits_s.dtype)
    for name, signed, weights in (("s", -logits_s, weights_s), ("t", logits_t, weights_t)):
        if signed.ndim != 1 or (weights is not None and weights.shape != signed.shape):
            shape = None if weights is None else weights.shape
            raise ValueError(f"logits_{name} must be [n], its weights too: {signed.shape}, {shape}")
        loss = jax.nn.softplus(signed)
        total += 0.5 * (loss if weights is None else weights * loss).mean()
    return total


def pseudo_label_loss(logits_strong: Array, logits_weak: Array, threshold: float | Array = 0.95) -> tuple[Array, Array]:
    """Cross-entropy of the strong view on the weak view's confident hard labels.

    L = (1/m) sum_i [max_k q_ik >= threshold] (-log p_i[argmax_k q_ik]),  q = softmax(weak), detached

    Args: logits_strong [m, c]; logits_weak [m, c], no gradient; threshold scalar or [m], may be traced.
    Returns: (loss over ALL m rows, share of rows above the threshold), two scalars.
    Sohn et al. 2020, arXiv 2001.07685.
    """
    q = jax.nn.softmax(jax.lax.stop_gradient(logits_weak))
    mask = (q.max(-1) >= threshold).astype(logits_strong.dtype)
    return (mask * cross_entropies(logits_strong, q.argmax(-1))).mean(), mask.mean()


@jax.custom_jvp
def gradient_reversal(x: Array, coefficient: float | Array) -> Array:
    """Identity whose derivative is -coefficient.

    r(x) = x,   dr/dx = -coefficient I,   dr/dcoefficient = 0

    Args: x of any shape; coefficient scalar, may be traced (a swept trade-off). Returns x, to the bit.
    Ganin & Lempitsky 2015, arXiv 1409.7495.
    """
    del coefficient
    return x


@gradient_reversal.defjvp
def _gradient_reversal_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    # A jvp rule serves both modes of differentiation, and unlike x (-c) + sg(x (1 + c)) it is exact.
    x, coefficient = primals
    return x, -jnp.asarray(coefficient, x.dtype) * tangents[0]


def l1_discrepancy(logits_a: Array, logits_b: Array) -> Array:
    """Disagreement of two classifiers.

    d = (1/(m c)) sum_ik |p_ik - q_ik|,   p = softmax(logits_a), q = softmax(logits_b)

    Args: logits_a [m, c], logits_b [m, c]. Returns a scalar in [0, 2/c].
    Saito et al. 2018, arXiv 1712.02560.
    """
    return jnp.abs(jax.nn.softmax(logits_a) - jax.nn.softmax(logits_b)).mean()
