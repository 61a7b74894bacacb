"""Open-set domain adaptation by backpropagation: one more class, whose share of the target is fought over."""

import jax

from tl_jax.core.keys import named
from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import heads, mlp
from tl_jax.losses.classes import gradient_reversal, supervised
from tl_jax.methods.contract import Example, Method, Own, Terms, by_one_more_class


def osbp(boundary: float = 0.5) -> Method:
    """L = CE_s over K + 1 classes - mean_t (b log u + (1 - b) log(1 - u)),  u = p_{K+1} of the target, f_t reversed.

    The head wants u = b for every target; the trunk, whose gradient is reversed with coefficient lam, away from it, to
    a known class or to the unknown one. Class K + 1 is a linear unit of the method's own beside the network's head; no
    source has it. Rejected is what it wins. boundary b = .5, lam = 1. Saito et al. 2018, arXiv 1804.10427.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({"unknown": mlp.init(key, (example.features.shape[-1], 1))}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        f_t, s = gradient_reversal(out["target"].features, at.lam), out["source"]
        of_target = heads.apply(own.network["head"], f_t, named(at.key, "head"))
        z = heads.one_more(of_target, own.params["unknown"], f_t)
        total, b = jax.nn.logsumexp(z, axis=1), at.values["boundary"]
        # log(1 - u) is the sum over the known classes: nothing is subtracted from 1.
        log_u, log_rest = z[:, -1] - total, jax.nn.logsumexp(z[:, :-1], axis=1) - total
        labelled = supervised(heads.one_more(s.logits, own.params["unknown"], s.features), batch.y, at)
        return Terms({"classes": labelled, "boundary": -(b * log_u + (1 - b) * log_rest).mean()})

    return Method(
        terms,
        init,
        weights=lambda at: {"classes": 1.0, "boundary": 1.0},
        values={"boundary": boundary},
        predict=by_one_more_class,
    )
