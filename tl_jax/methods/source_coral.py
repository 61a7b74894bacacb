"""CORAL between the sources: second-order statistics that do not tell domains apart."""

import itertools

import jax.numpy as jnp

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.losses.discrepancy import coral_mean
from tl_jax.losses.domains import told_apart
from tl_jax.methods.contract import Method, Own, Terms, View


def source_coral() -> Method:
    """L = mean_k R_k + lam * mean_{k<l} (mean_ij (C_k - C_l)_ij^2 + mean_j (mu_k - mu_l)_j^2), of the features.

    DomainBed's CORAL: `deep_coral(form='tllib')`, each domain against each other in the place of source against target;
    the paper's distance is a quarter of it and has no means. lam = 1 as in DomainBed. Needs two domains. Sun & Saenko
    2016, arXiv 1607.01719; for generalisation Gulrajani & Lopez-Paz 2021, arXiv 2007.01434.
    """

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        told_apart(len(batch.sources), "source_coral")
        pairs = itertools.combinations(batch.split(out["source"].features), 2)
        distance = jnp.stack([coral_mean(a, b) for a, b in pairs]).mean()
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "coral": distance})

    return Method(terms, views={"source": View("source")}, regression=True)
