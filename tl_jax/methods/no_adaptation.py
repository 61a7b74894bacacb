"""The lower bound at test time: the source model as it is."""

from tl_jax.methods.contract import NOTHING_LEARNT, Method


def no_adaptation() -> Method:
    """L = 0: the trained model predicts with the statistics that it was trained with, whatever comes."""
    return NOTHING_LEARNT._replace(views={}, labels="none")
