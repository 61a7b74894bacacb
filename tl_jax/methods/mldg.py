"""Meta-learning for domain generalisation."""

import jax

from tl_jax.core.errors import UserError
from tl_jax.core.keys import named
from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.domains import risks
from tl_jax.methods.contract import Method, Own, Terms, View


def mldg(inner: float = 5e-4) -> Method:
    """L(theta) = F(theta) + lam * G(theta - inner * F'(theta)): a step on some domains must help on the one held out.

    G is the loss of one of the K domains, drawn anew in every step, F the mean loss of the others. The inner step is
    of the network's trained parameters, plain gradient descent whatever the optimiser, and is differentiated through:
    second derivatives, nothing detached. Running statistics are those of the first pass. Needs two domains.
    inner = 5e-4, lam = 1 (the paper's alpha and beta). Li et al. 2018, arXiv 1710.03463.
    """

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        k = len(batch.sources)
        if k < 2:
            raise UserError("mldg holds one domain out in every step: give it two or more to train on.")
        held = jax.nn.one_hot(jax.random.randint(named(at.key, "held out"), (), 0, k), k)
        losses = lambda out: risks(out["source"].logits, batch, at)
        rest = lambda out: ((1 - held) * losses(out)).sum() / (k - 1)
        ahead = own.lookahead(rest, at.values["inner"])
        return Terms({"rest": rest(out), "held_out": (held * losses(ahead)).sum()})

    views = {"source": View("source")}
    return Method(terms, views=views, weights=lambda at: {"rest": 1.0}, values={"inner": inner}, regression=True)
