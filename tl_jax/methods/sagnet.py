"""Style-agnostic networks."""

import jax
import jax.numpy as jnp

from tl_jax.core.keys import named
from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import heads
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Example, Method, Own, Phase, Terms, View


def sagnet() -> Method:
    """Per batch: (A) all but S minimise CE(C(style(f))); (B) S minimises CE(S(content(f))); (C) the trunk lam * U.

    A feature vector f is a content (f - m) / s with a style: its mean m and deviation s over the d features. style(f)
    has its own content under a mixed style: a m + (1 - a) m', a s^2 + (1 - a) s'^2, ' another example of the batch, a
    uniform; content(f) another example's content, detached, under its own style. U = -mean log softmax(S(content(f)))
    over examples and classes: nothing of the class is in the style. C is the network's head, S a second one of its
    family. As DomainBed has it, which is on features; the paper mixes the maps of a middle block and reverses (C) in
    the affine parameters of normalisation alone. Domains are joined, as in `erm`; one is enough. lam = .1 as
    published. Nam et al. 2021, arXiv 1910.11645.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({"style": heads.another(key, model.params["head"], "sagnet")}, {})

    def score(head: dict, f: Array, at: At) -> Array:
        return heads.apply(head, f, named(at.key, "dropout"))

    def content(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        of, (m, v) = _parted(out["source"].features)
        other, a = _partners(at, "style", len(of))
        mixed = of * jnp.sqrt(a * v + (1 - a) * v[other]) + a * m + (1 - a) * m[other]
        return Terms({"source": supervised(score(own.network["head"], mixed, at), batch.y, at)})

    def told_by_style(own: Own, out: Outputs, at: At) -> Array:
        of, (m, v) = _parted(out["source"].features)
        other, _ = _partners(at, "content", len(of))
        return score(own.params["style"], jax.lax.stop_gradient(of[other]) * jnp.sqrt(v) + m, at)

    def style(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        return Terms({"style": supervised(told_by_style(own, out, at), batch.y, at)})

    def adversary(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        return Terms({"adversary": -jax.nn.log_softmax(told_by_style(own, out, at)).mean()})

    return Method(
        content,
        init,
        views={"source": View("source")},
        weights=lambda at: {"style": 1.0},
        lam=0.1,
        phases=(Phase(content, ("head", "trunk")), Phase(style, ("style",)), Phase(adversary, ("trunk",))),
        groups={"head": ("head/*",), "style": ("method/*",), "trunk": ("*",)},
    )


def _parted(f: Array) -> tuple[Array, tuple[Array, Array]]:
    """Content [n, d] and style: mean [n, 1] and variance [n, 1] over the features, plus 1e-5 in the variance."""
    m, v = f.mean(1, keepdims=True), jnp.var(f, axis=1, keepdims=True, ddof=1) + 1e-5
    return (f - m) / jnp.sqrt(v), (m, v)


def _partners(at: At, name: str, n: int) -> tuple[Array, Array]:
    """Another order of the rows [n], and shares [n, 1] uniform in [0, 1]."""
    key = named(at.key, name)
    return jax.random.permutation(named(key, "rows"), n), jax.random.uniform(named(key, "shares"), (n, 1))
