"""L2-SP: fine-tuning that is drawn to where it began, not to zero."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import At, Batch, Outputs, Tree
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms, View


def l2_sp(head: float = 1.0) -> Method:
    """L = CE + lam * (1/2) ||w - w0||^2 + lam * head * (1/2) ||v||^2, v the head's parameters, w all others.

    w0: the parameters that training begins from. Labels are the target's. The penalties replace weight decay, which
    is 0 whatever the run's is (a sweep of it is obeyed). lam = .01. Li et al. 2018, arXiv 1802.01483.
    """

    def squares(tree: Tree):
        return sum((jnp.square(x).sum() for x in jax.tree.leaves(tree)), jnp.zeros(())) / 2

    def trunk(params: Tree):
        return {group: tree for group, tree in params.items() if group != "head"}

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        anchor = squares(jax.tree.map(jnp.subtract, trunk(own.network), own.memory["start"]))
        losses = {"source": supervised(out["source"].logits, batch.y, at), "anchor": anchor}
        return Terms({**losses, "decay": squares(own.network["head"])})

    return Method(
        terms,
        init=lambda key, example, model: Own({}, {"start": trunk(model.params)}),
        views={"source": View("source")},
        weights=lambda at: {"decay": at.lam * at.values["head"]},
        values={"head": head, "weight_decay": 0.0},
        lam=0.01,
        labels="target",
        regression=True,
    )
