"""Domain-symmetric networks: a head for each domain, and confusion of the two at the level of classes."""

import jax
import jax.numpy as jnp

from tl_jax.core.keys import named
from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.losses import heads
from tl_jax.losses.classes import cross_entropy, supervised
from tl_jax.methods.contract import Example, Method, Own, Terms


def symnets() -> Method:
    """Heads: CE(C_s) + CE(C_t) - mean_s log a - mean_t log(1 - a);  trunk: category + lam * (confusion + H).

    p [2K] is the softmax over both heads' logits, a the share of the source's: sum_{k <= K} p_k. category = -mean_s
    (log p_y + log p_{y+K}) / 2, confusion = -mean_t (log a + log(1 - a)) / 2, H the entropy of p_k + p_{k+K} on the
    target. Both players move in one step, each with the other held. C_s is the network's head, C_t another of its
    family, which predicts on every domain. lam = 1, rising as in `dann`. Zhang et al. 2019, arXiv 1904.04663.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({"head": heads.another(key, model.params["head"], "symnets")}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        both = own.network["head"], own.params["head"]
        still = jax.lax.stop_gradient

        def said(of: tuple[Tree, Tree], features: Array, domain: str) -> list[Array]:
            return [heads.apply(head, features, named(at.key, f"{domain} {i}")) for i, head in enumerate(of)]

        z_s, z_t = (said(both, still(out[domain].features), domain) for domain in ("source", "target"))
        seen_s, seen_t = (_log_shares(said(still(both), out[of].features, of)) for of in ("source", "target"))
        c = z_s[0].shape[1]
        of_source, of_target = (lambda log_p: _total(log_p[:, :c])), (lambda log_p: _total(log_p[:, c:]))
        told = of_source(_log_shares(z_s)).mean() + of_target(_log_shares(z_t)).mean()
        named_classes = jnp.logaddexp(seen_t[:, :c], seen_t[:, c:])
        return Terms(
            {
                "heads": supervised(z_s[0], batch.y, at) + supervised(z_s[1], batch.y, at) - told,
                "category": (cross_entropy(seen_s, batch.y) + cross_entropy(seen_s, batch.y + c)) / 2,
                "confusion": -(of_source(seen_t) + of_target(seen_t)).mean() / 2,
                "entropy": -(jnp.exp(named_classes) * named_classes).sum(1).mean(),
            }
        )

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        out, _ = network.apply(model.params, model.stats, x)
        return out._replace(logits=heads.apply(model.own["head"], out.features))

    def plain(model: Model, domain: str) -> tuple[Tree, Tree]:
        return {**model.params, "head": model.own["head"]}, model.stats

    return Method(
        terms,
        init,
        weights=lambda at: {"heads": 1.0, "category": 1.0},
        lam_schedule="dann",
        predict=predict,
        plain=plain,
    )


def _log_shares(logits: list[Array]) -> Array:
    return jax.nn.log_softmax(jnp.concatenate(logits, axis=1))


def _total(log_p: Array) -> Array:
    return jax.nn.logsumexp(log_p, axis=1)
