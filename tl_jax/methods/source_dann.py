"""A discriminator over the sources: features that do not tell which domain they are of."""

import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import cross_entropy, gradient_reversal, supervised
from tl_jax.losses.domains import told_apart
from tl_jax.methods.contract import Example, Method, Own, Terms, View


def source_dann(hidden: int = 256) -> Method:
    """L = mean_k R_k + CE(D(GRL(f)), k): a discriminator over the K sources, whose reversed gradients hide them.

    The discriminator [d, hidden, hidden, K] learns at full weight, the features receive -lam(p) times its gradient with
    the schedule of `dann`. DomainBed has no reversal: it takes steps of network and discriminator in turn, each with an
    Adam of its own, at a constant lam of 1; its width is 256, too. lam = 1. Needs two domains. Ganin et al. 2016, JMLR
    17(59), arXiv 1505.07818; for generalisation Gulrajani & Lopez-Paz 2021, arXiv 2007.01434.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        told_apart(example.domains, "source_dann")
        sizes = (example.features.shape[-1], hidden, hidden, example.domains)
        return Own({"discriminator": mlp.init(key, sizes)}, {})

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        hidden_from = gradient_reversal(out["source"].features, at.lam)
        of = jnp.concatenate([jnp.full(len(source.y), k) for k, source in enumerate(batch.sources)])
        domain = cross_entropy(mlp.apply(own.params["discriminator"], hidden_from), of)
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "domain": domain})

    return Method(
        terms,
        init,
        views={"source": View("source")},
        weights=lambda at: {"domain": 1.0},
        lam_schedule="dann",
        regression=True,
    )
