"""Minimax entropy: few labelled targets."""

from tl_jax.core.keys import named
from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses import heads
from tl_jax.losses.classes import entropy, gradient_reversal, supervised
from tl_jax.methods.contract import Method, Own, Terms


def mme() -> Method:
    """L = CE - lam * mean H(softmax(head(r(f_t)))),  r the reversal of a gradient: head against trunk.

    The head raises the entropy of unlabelled targets, so that its prototypes move towards them, and the trunk lowers
    it, so that targets gather about the prototypes. CE is of all labelled examples: of the sources and of the targets
    that are labelled (`--labels_per_class`). lam = .1. The paper's head is a cosine of temperature .05
    (`--network=NAME(head='cosine')`, whose scale is trained and begins at 10); one of another family works as well.
    Saito et al. 2019, arXiv 1904.06487.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        # The trade-off of both players is lam: the reversal itself has the coefficient 1.
        reversed_ = gradient_reversal(out["target"].features, 1.0)
        unsure = entropy(heads.apply(own.network["head"], reversed_, named(at.key, "head"))).mean()
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "minimax": -unsure}, {"entropy": unsure})

    return Method(terms, lam=0.1)
