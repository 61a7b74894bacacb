"""Maximum classifier discrepancy."""

import jax

from tl_jax.core.keys import named
from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.losses import heads
from tl_jax.losses.classes import l1_discrepancy, supervised
from tl_jax.methods.contract import Example, Method, Own, Phase, Terms


def mcd(generator_steps: int = 4) -> Method:
    """Two heads disagree on the target, the trunk mends it (Saito et al. 2018, arXiv 1712.02560).

    Per batch, with d = mean |p_1 - p_2| on the target: (A) all minimise CE_1 + CE_2 on the source;
    (B) the heads alone minimise CE_1 + CE_2 - lam * d; (C) the trunk alone minimises lam * d,
    `generator_steps` times. Trunk and heads have optimisers of their own; both heads vote at the end. The second
    head is of the family of the network's own (`--network=NAME(head=...)`), drawn as that is. lam = 1.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({"head": heads.another(key, model.params["head"], "mcd")}, {})

    def second(own: Own, out: Outputs, domain: str, at: At) -> Array:
        return heads.apply(own.params["head"], out[domain].features, named(at.key, f"second head {domain}"))

    def learn(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        loss = supervised(out["source"].logits, batch.y, at) + supervised(second(own, out, "source", at), batch.y, at)
        return Terms({"source": loss})

    def discrepancy(own: Own, out: Outputs, at: At) -> Array:
        return l1_discrepancy(out["target"].logits, second(own, out, "target", at))

    def disagree(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        return Terms({**learn(own, out, batch, at).losses, "agreement": -discrepancy(own, out, at)})

    def agree(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        return Terms({"discrepancy": discrepancy(own, out, at)})

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        out, _ = network.apply(model.params, model.stats, x)
        return Output(out.features, (out.logits + heads.apply(model.own["head"], out.features)) / 2)

    def plain(model: Model, domain: str) -> tuple[Tree, Tree]:
        """The mean of two linear heads is one; of others it is not."""
        head = model.params["head"]
        if set(head) == {"kernel", "bias"}:
            head = jax.tree.map(lambda a, b: (a + b) / 2, head, model.own["head"])
        return {**model.params, "head": head}, model.stats

    return Method(
        learn,
        init,
        phases=(
            Phase(learn, ("heads", "trunk")),
            Phase(disagree, ("heads",)),
            Phase(agree, ("trunk",), generator_steps),
        ),
        groups={"heads": ("head/*", "method/*"), "trunk": ("*",)},
        predict=predict,
        plain=plain,
    )
