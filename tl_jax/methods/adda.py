"""Adversarial discriminative domain adaptation: a target network of its own meets a source network that stays."""

from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import domain_logistic, gradient_reversal
from tl_jax.methods.contract import HEAD_FROZEN, Example, Method, Own, Terms, View, source_model


def adda(hidden: int = 500) -> Method:
    """L = L_D(f0_s, r(f_t)): targets come to look like what the source model said of the source; its head stays.

    Begins from a model trained on the source, whose features f0 of the source no step changes; the network that is
    trained is a copy of it and sees the target alone. r reverses the gradient with lam(p) as in `dann`, where the paper
    trains the two in turn with inverted labels; lam = .3. Labels of the source are read for the source model alone.
    Tzeng et al. 2017, arXiv 1702.05464.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        discriminator = mlp.init(key, (example.features.shape[-1], hidden, hidden, 1))
        return Own({"discriminator": discriminator}, {"params": model.params, "stats": model.stats})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        score = lambda x: mlp.apply(own.params["discriminator"], x)[:, 0]
        target = gradient_reversal(out["target"].features, at.lam)
        return Terms({"domain": domain_logistic(score(out["source"].features), score(target))})

    kept = View("source", weights=lambda memory: (memory["params"], memory["stats"]), train=False)
    return Method(
        terms,
        init,
        views={"source": kept, "target": View("target")},
        weights=lambda at: {"domain": 1.0},
        lam=0.3,
        lam_schedule="dann",
        freeze=HEAD_FROZEN,
        start=source_model(),
    )
