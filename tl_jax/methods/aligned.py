"""A self-supervised method with a second aim: features in which the domains look alike."""

from collections.abc import Callable, Mapping

from tl_jax.core.errors import require
from tl_jax.core.keys import named
from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import domain_logistic, gradient_reversal
from tl_jax.losses.discrepancy import coral_mean, mmd
from tl_jax.methods.contract import Example, Method, Own, Terms

DISTANCES: Mapping[str, Callable[[Array, Array], Array]] = {"coral": coral_mean, "mmd": mmd}
ALIGNMENTS = ("none", *DISTANCES, "dann")
HIDDEN = 256


def aligned(method: Method, by: str, domains: int) -> Method:
    """L = L_method + lam * D(f_1, f_t), f the features of the method's first view, 1: all other domains, t: the target.

    The batch holds as many examples of each of the `domains`, those of the target first. D: "coral" (Sun & Saenko
    2016, arXiv 1607.01719, with the means), "mmd" (Long et al. 2015, arXiv 1502.02791), "dann" (Ganin et al. 2016,
    arXiv 1505.07818: lam is the weight of the reversed gradient). Raises UserError for another name.
    """
    require("alignment", by, ALIGNMENTS)
    first = next(iter(method.views))
    adversarial = by == "dann"

    def init(key: Array, example: Example, model: Model) -> Own:
        own = method.init(key, example, model)
        params = {"pretext": own.params}
        if adversarial:
            sizes = (example.features.shape[-1], HIDDEN, HIDDEN, 1)
            params["discriminator"] = mlp.init(named(key, "discriminator"), sizes)
        return Own(params, own.memory)

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        losses, metrics = method.terms(own._replace(params=own.params["pretext"]), out, batch, at)
        features = out[first].features
        n = len(features) // domains
        f_t, f_1 = features[:n], features[n:]
        if adversarial:
            score = lambda f: mlp.apply(own.params["discriminator"], gradient_reversal(f, at.lam))[:, 0]
            return Terms({**losses, "domain": domain_logistic(score(f_1), score(f_t))}, metrics)
        return Terms({**losses, by: DISTANCES[by](f_1, f_t)}, metrics)

    after, predict, plain = method.after, method.predict, method.plain
    inner = lambda model: model._replace(own=model.own["pretext"])
    return method._replace(
        terms=terms,
        init=init,
        weights=lambda at: {**method.weights(at), **({"domain": 1.0} if adversarial else {})},
        lam=0.3 if adversarial else 1.0,
        lam_schedule="dann" if adversarial else "constant",
        after=after and (lambda model, out, batch, at: after(inner(model), out, batch, at)),
        predict=predict and (lambda network, model, x, domain: predict(network, inner(model), x, domain)),
        plain=plain and (lambda model, domain: plain(inner(model), domain)),
    )
