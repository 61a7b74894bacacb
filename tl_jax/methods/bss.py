"""Batch spectral shrinkage: fine-tuning that drops what transfers worst."""

import jax.numpy as jnp

from tl_jax.core.matrices import singular_values
from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms, View


def bss(smallest: int = 1) -> Method:
    """L = CE + lam * sum of the `smallest` smallest squared singular values of the batch's features [n, d].

    Labels are the target's. With n < d there are n singular values, and the penalty depends on the batch size.
    lam = .001. Chen et al. 2019 (NeurIPS 32).
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        o = out["source"]
        values = singular_values(o.features)  # in falling order
        shrinkage = jnp.square(values[-smallest:]).sum()
        return Terms({"source": supervised(o.logits, batch.y, at), "shrinkage": shrinkage})

    return Method(terms, views={"source": View("source")}, lam=1e-3, labels="target", regression=True)
