"""Residual transfer network: the source's classifier is the target's and a residual."""

from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import entropy, supervised
from tl_jax.losses.discrepancy import mmd
from tl_jax.methods.contract import Example, Method, Own, Terms


def rtn(penalty: float = 0.3) -> Method:
    """L = CE(y; z_s + R(z_s)) + penalty * mean H(p_t) + lam * MMD^2(f_s (x) z_s, f_t (x) z_t).

    z are the logits of the network, which are the target's; R is two layers c-c-c on them, which a prediction of the
    source has besides. Entropy is of the target's own, and MMD of the outer product of features and logits (five
    Gaussians, unbiased, as in `dan`). penalty = .3, lam = .3. Long et al. 2016, arXiv 1602.04433.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        c = example.logits.shape[-1]
        return Own({"residual": mlp.init(key, (c, c, c))}, {})

    def fused(out: Output) -> Array:
        return (out.features[:, :, None] * out.logits[:, None, :]).reshape(len(out.logits), -1)

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        s, t = out["source"], out["target"]
        return Terms(
            {
                "classes": supervised(s.logits + mlp.apply(own.params["residual"], s.logits), batch.y, at),
                "penalty": entropy(t.logits).mean(),
                "mmd": mmd(fused(s), fused(t)),
            }
        )

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        out, _ = network.apply(model.params, model.stats, x)
        if domain == "target":
            return out
        return out._replace(logits=out.logits + mlp.apply(model.own["residual"], out.logits))

    return Method(
        terms,
        init,
        weights=lambda at: {"classes": 1.0, "penalty": at.values["penalty"]},
        values={"penalty": penalty},
        lam=0.3,
        predict=predict,
    )
