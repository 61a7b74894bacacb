"""Self-supervised contrastive regularisation: examples of a class say alike, whatever domain they are of."""

import jax
import jax.numpy as jnp

from tl_jax.core.keys import named
from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Example, Method, Own, Terms, View


def selfreg(features: float = 0.3) -> Method:
    """L = CE + lam * min(1, CE) (g (D(z, z') + features D(h, h')) + (1 - g) (D(z, z~) + features D(h, h~))).

    z are the logits, h a projection of the features; ' is another example of the class, drawn from all domains, ~ the
    mixture g (') + (1 - g) (another such draw), D the mean squared difference, g ~ Beta(.5, .5) once a batch; min(1,
    CE) carries no gradient. The projection [d, 2 d, d] has one hidden layer, normalised by the batch, where DomainBed's
    has two and normalises its outputs. No pair of different classes is pushed apart. Domains are joined, as in `erm`;
    one is enough. features = .3, lam = 1 as in DomainBed; the paper averages weights, too, and teaches the domains in
    turn. Kim et al. 2021, arXiv 2104.09841.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        d = example.features.shape[-1]
        return Own({"projection": mlp.init(key, (d, 2 * d, d), last_bias=False)}, {})

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        z, y = out["source"].logits, batch.y
        h = mlp.apply(own.params["projection"], out["source"].features, normalise=True)
        one, two = (_of_the_class(named(at.key, name), y) for name in ("first", "second"))
        g = jax.random.beta(named(at.key, "share"), 0.5, 0.5).astype(z.dtype)
        apart = lambda a, b: jnp.square(a - b).mean()

        def pulled(x: Array) -> Array:
            return g * apart(x, x[one]) + (1 - g) * apart(x, g * x[one] + (1 - g) * x[two])

        ce = supervised(z, y, at)
        scale = jnp.minimum(1.0, jax.lax.stop_gradient(ce))
        return Terms({"source": ce, "alike": scale * (pulled(z) + at.values["features"] * pulled(h))})

    return Method(terms, init, views={"source": View("source")}, values={"features": features})


def _of_the_class(key: Array, y: Array) -> Array:
    """A permutation of the rows that leaves every label where it is: [n] int -> [n] int."""
    order = jnp.lexsort((jax.random.uniform(key, y.shape), y))
    return jnp.zeros_like(order).at[jnp.argsort(y, stable=True)].set(order)
