"""Maximum mean discrepancy between the sources."""

import itertools

import jax.numpy as jnp

from tl_jax.core.errors import require
from tl_jax.core.types import Array, At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.losses.discrepancy import mmd, squared_distances
from tl_jax.losses.domains import told_apart
from tl_jax.methods.contract import Method, Own, Terms, View

GAMMAS = tuple(10.0**k for k in range(-3, 4))


def source_mmd(form: str = "scaled") -> Method:
    """L = mean_k R_k + lam * mean_{k<l} MMD^2(f_k, f_l), of the features.

    form="scaled": the kernels of `dan`, five widths around the mean squared distance of the pair, unbiased;
    form="domainbed": k = sum_g exp(-g D), g = 1e-3, 1e-2, ..., 1e3, means with the diagonals: features of 128 numbers
    that are further apart than the widest kernel have no gradient there. lam = 1 as in DomainBed. This is the distance
    of Li et al. 2018 (CVPR, "Domain Generalization With Adversarial Feature Learning") without their autoencoder and
    prior. Needs two domains. Gretton et al. 2012 (JMLR 13:723); for generalisation Gulrajani & Lopez-Paz 2021,
    arXiv 2007.01434.
    """
    require("form of source_mmd", form, ("scaled", "domainbed"))
    distance = mmd if form == "scaled" else _fixed

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        told_apart(len(batch.sources), "source_mmd")
        pairs = itertools.combinations(batch.split(out["source"].features), 2)
        apart = jnp.stack([distance(a, b) for a, b in pairs]).mean()
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "mmd": apart})

    return Method(terms, views={"source": View("source")}, regression=True)


def _fixed(a: Array, b: Array) -> Array:
    kernel = lambda x, y: jnp.stack([jnp.exp(-g * squared_distances(x, y)).mean() for g in GAMMAS]).sum()
    return kernel(a, a) + kernel(b, b) - 2 * kernel(a, b)
