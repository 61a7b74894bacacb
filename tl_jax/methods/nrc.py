"""Neighbourhood reciprocity clustering: source-free adaptation by neighbours and theirs."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.types import Array, At, Batch, Model, Network, Outputs, Tree
from tl_jax.losses.classes import marginal_entropy
from tl_jax.losses.neighbours import nearest, remembered, replaced, unit
from tl_jax.methods.contract import Method, Own, Terms, View, source_model


def nrc(neighbours: int = 5, extended: int = 5, other: float = 0.1, smoothing: float = 0.1) -> Method:
    """L = -(1/n) sum_i p_i . (q_i + sum_{k near i} A_ik q_k + other * sum_{k near i, m near k} q_m) - H(mean p).

    A_ik is 1 where i is also near k, and `other` where not. q and the features that say what is near are of a memory of
    all targets, detached; q_i is the example's own. What a step has seen replaces its rows, and all rows are computed
    anew once per pass over the target (the authors': never). No source is read: begins from a source model trained with
    label smoothing. neighbours = extended = 5, other = .1 (VisDA). Yang et al. 2021, arXiv 2110.04202.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        bank, said, mine = own.memory["features"], own.memory["predictions"], batch.target.index
        p = jax.nn.softmax(out["target"].logits)
        near = nearest(unit(out["target"].features), mine, bank, neighbours)
        beyond = nearest(bank[near.ravel()], near.ravel(), bank, extended).reshape(*near.shape, -1)
        mutual = (beyond == mine[:, None, None]).any(2)
        weight = jnp.where(mutual, 1.0, at.values["other"])
        agree = lambda q: jnp.einsum("nc,nc->n", p, q).mean()
        return Terms(
            {
                "self": -agree(said[mine]),
                "near": -agree((weight[:, :, None] * said[near]).sum(1)),
                "beyond": -at.values["other"] * agree(said[beyond].sum((1, 2))),
                "diversity": -marginal_entropy(out["target"].logits),
            },
            {"mutual": mutual.astype(p.dtype).mean()},
        )

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        return remembered(in_batches(lambda x: network.apply(model.params, model.stats, x)[0], x_t))

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        return replaced(model.memory, batch.target.index, remembered(out["target"]))

    return Method(
        terms,
        views={"target": View("target")},
        weights=lambda at: dict.fromkeys(("self", "near", "beyond", "diversity"), 1.0),
        values={"other": other},
        lam=None,
        refresh=refresh,
        after=after,
        start=source_model(smoothing),
    )
