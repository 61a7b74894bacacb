"""The network as it was drawn: what pretraining has to beat."""

from tl_jax.methods.contract import HEAD_FROZEN, NOTHING_LEARNT, Method, View


def untrained() -> Method:
    """L = 0: random weights, which as features of images are better than chance.

    Reads nothing; no step changes it.
    """
    return NOTHING_LEARNT._replace(views={"target": View("target")}, freeze=HEAD_FROZEN, labels="none")
