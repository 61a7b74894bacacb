"""Mixup between domains."""

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.keys import named
from tl_jax.core.types import Array, At, Batch, Outputs
from tl_jax.losses.classes import supervised_each
from tl_jax.losses.examples.mixing import mixed, shares
from tl_jax.methods.contract import Method, Own, Terms, View


def mixup(alpha: float = 0.2) -> Method:
    """L = mean_i a CE(g_i, y_i) + (1 - a) CE(g_i, y_j),  g_i of a x_i + (1 - a) x_j,  j an example of another domain.

    In every step the domains stand in a circle drawn anew, and each is mixed with the next; a ~ Beta(alpha, alpha), one
    for each domain. Of one domain pairs are drawn within it. Running statistics are those of the plain examples, which
    are passed beside. Token ids are refused. alpha = .2, as in DomainBed, whose form this is. Zhang et al. 2018, arXiv
    1710.09412; between domains: Wang et al. 2020, arXiv 2001.00677.
    """

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        other, domain = partners([len(source.y) for source in batch.sources], at.key)
        a = shares(named(at.key, "share"), len(batch.sources), at.values["alpha"])[domain]
        logits = own.moved({"source": lambda x: mixed(x, other, a)})["source"].logits
        each = a * supervised_each(logits, batch.y, at) + (1 - a) * supervised_each(logits, batch.y[other], at)
        return Terms({"mixed": each.mean()})

    views, weights = {"source": View("source")}, lambda at: {"mixed": 1.0}
    return Method(terms, views=views, weights=weights, values={"alpha": alpha}, lam=None)


def partners(sizes: list[int], key: Array) -> tuple[Array, Array]:
    """Of each of the joined examples [n] the row that it is mixed with, and its domain; sizes: examples a domain."""
    domain = jnp.asarray(np.repeat(np.arange(len(sizes)), sizes))
    begins, size = jnp.asarray(np.cumsum([0, *sizes[:-1]])), jnp.asarray(sizes)
    circle = jax.random.permutation(named(key, "circle"), len(sizes))
    after = circle[(jnp.argsort(circle) + 1) % len(sizes)][domain]
    place = jnp.asarray(np.concatenate([np.arange(n) for n in sizes]))
    if len(sizes) == 1:
        place = jax.random.permutation(named(key, "pairs"), sizes[0])
    return begins[after] + place % size[after], domain
