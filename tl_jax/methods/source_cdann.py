"""A discriminator over the sources that knows the class."""

import jax
import jax.numpy as jnp

from tl_jax.core.keys import named
from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import cross_entropies, gradient_reversal, supervised
from tl_jax.losses.domains import told_apart
from tl_jax.methods.contract import Example, Method, Own, Terms, View


def source_cdann(hidden: int = 256) -> Method:
    """L = mean_k R_k + sum_i w_i CE(D(GRL(f_i) + e_{y_i}), k_i): a discriminator over the K sources, given the class.

    e [c, d] are trained embeddings of the true class, N(0, 1) at first; w_i = 1 / (n_{y_i} c'), n_y the examples of a
    class in the batch and c' the classes that it has: every class counts alike. Schedule, lam = 1 and what DomainBed
    does otherwise: as in `source_dann`. Not CDAN, whose discriminator is given predictions. Needs two domains. Li et
    al. 2018 (ECCV, "Deep Domain Generalization via Conditional Invariant Adversarial Networks"), in the form of
    Gulrajani & Lopez-Paz 2021, arXiv 2007.01434.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        told_apart(example.domains, "source_cdann")
        d, c = example.features.shape[-1], example.logits.shape[-1]
        embeddings = jax.random.normal(named(key, "embeddings"), (c, d))
        discriminator = mlp.init(named(key, "discriminator"), (d, hidden, hidden, example.domains))
        return Own({"discriminator": discriminator, "class": {"kernel": embeddings}}, {})

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        logits, f = out["source"].logits, gradient_reversal(out["source"].features, at.lam)
        of_class = jax.nn.one_hot(batch.y, logits.shape[-1], dtype=f.dtype)
        counts = of_class.sum(0)
        w = of_class @ (1 / jnp.maximum(counts, 1)) / (counts > 0).sum()
        of = jnp.concatenate([jnp.full(len(source.y), k) for k, source in enumerate(batch.sources)])
        told = mlp.apply(own.params["discriminator"], f + of_class @ own.params["class"]["kernel"])
        return Terms({"source": supervised(logits, batch.y, at), "domain": (w * cross_entropies(told, of)).sum()})

    return Method(
        terms, init, views={"source": View("source")}, weights=lambda at: {"domain": 1.0}, lam_schedule="dann"
    )
