"""Maximum classifier discrepancy."""

from tl_jax.core import mlp
from tl_jax.core.losses import cross_entropy, l1_discrepancy
from tl_jax.core.types import Output
from tl_jax.methods.base import Method, Own, Phase, Terms


def mcd(generator_steps: int = 4) -> Method:
    """Two heads disagree on the target, the trunk mends it (Saito et al. 2018, arXiv 1712.02560).

    Per batch, with d = mean |p_1 - p_2| on the target: (A) all minimise CE_1 + CE_2 on the source;
    (B) the heads alone minimise CE_1 + CE_2 - lam * d; (C) the trunk alone minimises lam * d,
    `generator_steps` times. Trunk and heads have optimisers of their own; both heads vote at the end.
    """

    def init(key, example, model):
        return Own({"head": mlp.init(key, (example.features.shape[-1], example.logits.shape[-1]))}, {})

    def second(own_params, features):
        return mlp.apply(own_params["head"], features)

    def supervised(own, out, batch, at):
        s = out["source"]
        loss = cross_entropy(s.logits, batch.y) + cross_entropy(second(own.params, s.features), batch.y)
        return Terms({"source": loss})

    def discrepancy(own, out):
        return l1_discrepancy(out["target"].logits, second(own.params, out["target"].features))

    def disagree(own, out, batch, at):
        return Terms({**supervised(own, out, batch, at).losses, "agreement": -discrepancy(own, out)})

    def agree(own, out, batch, at):
        return Terms({"discrepancy": discrepancy(own, out)})

    def predict(network, model, x, domain):
        out, _ = network.apply(model.params, model.stats, x)
        return Output(out.features, (out.logits + second(model.own, out.features)) / 2)

    return Method(
        supervised,
        init,
        phases=(
            Phase(supervised, ("heads", "trunk")),
            Phase(disagree, ("heads",)),
            Phase(agree, ("trunk",), generator_steps),
        ),
        groups={"heads": ("head/*", "method/*"), "trunk": ("*",)},
        predict=predict,
    )
