"""WiSE-FT: between the linear probe and the fine-tuned model, in the space of weights."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms, View


def wise_ft(alpha: float = 0.5) -> Method:
    """L = CE; predictions are those of theta_a = (1 - a) theta_0 + a theta_1, parameters and statistics alike.

    theta_0 is the last model whose trunk was still the one that training began from, theta_1 the model now: under
    --strategy=lp_ft the linear probe and what it became; under full the head that training began with, which is of use
    where it is of the classes' names (a network's prompt=). Accuracy over a whole grid of a is part of the results.
    Labels are the target's. alpha = .5. Wortsman et al. 2022, arXiv 2109.01903.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        return Terms({"source": supervised(out["source"].logits, batch.y, at)})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        trunk = lambda params: {group: tree for group, tree in params.items() if group != "head"}
        pairs = zip(*(jax.tree.leaves(trunk(p)) for p in (model.params, model.memory["params"])), strict=True)
        still = jnp.all(jnp.array([jnp.array_equal(now, then) for now, then in pairs], bool))
        now = {"params": model.params, "stats": model.stats}
        return jax.tree.map(lambda new, old: jnp.where(still, new, old), now, model.memory)

    def between(model: Model, share: float | Array, domain: str) -> tuple[Tree, Tree]:
        stats = model.memory["stats"]
        begin = model.memory["params"], stats.get("all", stats.get(domain))
        return jax.tree.map(lambda old, new: (1 - share) * old + share * new, begin, (model.params, model.stats))

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        return network.apply(*between(model, alpha, domain), x)[0]

    return Method(
        terms,
        init=lambda key, example, model: Own({}, {"params": model.params, "stats": model.stats}),
        views={"source": View("source")},
        lam=None,
        after=after,
        predict=predict,
        plain=lambda model, domain: between(model, alpha, domain),
        between=between,
        labels="target",
        trunk=True,
    )
