"""Spectral alignment of graphs: domains whose batches have one spectrum, and labels from neighbours."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.matrices import singular_values
from tl_jax.core.trees import moving_average
from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.losses import mlp
from tl_jax.losses.classes import cross_entropies, domain_logistic, entropy, gradient_reversal, supervised
from tl_jax.losses.discrepancy import squared_distances
from tl_jax.losses.neighbours import Bank, nearest, remembered, replaced, unit
from tl_jax.methods.contract import Example, Method, Own, Terms


def spa(
    spectral: float = 1.0, neighbours: int = 5, momentum: float = 0.3, smoothing: float = 0.1, hidden: int = 1024
) -> Method:
    """L = CE_s + L_D(GRL(f)) + spectral * |e(G_s) - e(G_t)| + lam(p) * sum_i w_i CE(g_i, label_i) / sum_i w_i.

    e(G): the singular values, in order, of D^-1 A of a batch, A_ij = exp(-|f_i - f_j| / 4.5) for i != j, D its row sums
    (of two sizes the greatest count). label_i and w_i are the greatest of the mean remembered p of i's `neighbours`
    nearest of all targets, evened out as in `atdoc`; what a step says moves its rows by `momentum`. L_D: that of
    `dann`, examples weighed by 1 + exp(-H). lam = .2, rising linearly, the reversal as in `dann`; spectral = 1,
    momentum = .3, smoothing = .1. Of the authors' three similarities and Laplacians and their adversaries these are
    those of their command for Office-Home (whose gauss has no square); theirs lets the reversed gradient through 1 +
    exp(-H), and remembers at random first. Xiao et al. 2023, arXiv 2310.17594.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({"discriminator": mlp.init(key, (example.features.shape[-1], hidden, hidden, 1))}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        s, t = out["source"], out["target"]
        rising = jnp.tanh(5 * at.progress)
        score = lambda f: mlp.apply(own.params["discriminator"], gradient_reversal(f, rising))[:, 0]
        certain = [1 + jnp.exp(-jax.lax.stop_gradient(entropy(x.logits))) for x in (s, t)]
        rows = nearest(unit(t.features), batch.target.index, own.memory["features"], neighbours)
        q = own.memory["predictions"][rows].mean(1)
        pseudo = q.max(1) @ cross_entropies(t.logits, q.argmax(1)) / jnp.maximum(q.max(1).sum(), 1e-12)
        return Terms(
            {
                "classes": supervised(s.logits, batch.y, at, smoothing),
                "domain": domain_logistic(score(s.features), score(t.features), *(w / w.mean() for w in certain)),
                "spectral": apart(spectrum(s.features), spectrum(t.features)),
                "neighbours": pseudo,
            }
        )

    def entries(out: Output, share: float) -> Bank:
        squares = jnp.square(jax.nn.softmax(out.logits))
        even = share * squares / jnp.maximum(squares.sum(0, keepdims=True), 1e-12)
        return {**remembered(out), "predictions": even}

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        return entries(in_batches(lambda x: network.apply(model.params, model.stats, x)[0], x_t), 1.0)

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        share = len(batch.target.index) / len(model.memory["features"])
        rows, rate = batch.target.index, at.values["momentum"]
        here = jax.tree.map(lambda a: a[rows], model.memory)
        return replaced(model.memory, rows, moving_average(here, entries(out["target"], share), 1 - rate))

    weights = lambda at: {"classes": 1.0, "domain": 1.0, "spectral": at.values["spectral"]}
    values = {"spectral": spectral, "momentum": momentum}
    return Method(
        terms, init, weights=weights, values=values, lam=0.2, lam_schedule="linear", refresh=refresh, after=after
    )


def spectrum(f: Array) -> Array:
    """The singular values [n], falling, of the random walk on a batch of features [n, d]."""
    d = squared_distances(f, f)
    off = ~jnp.eye(len(f), dtype=bool) & (d > 0)
    a = jnp.where(~jnp.eye(len(f), dtype=bool), jnp.exp(-jnp.sqrt(jnp.where(off, d, 1e-12)) / 4.5), 0.0)
    return singular_values(a / jnp.maximum(a.sum(1, keepdims=True), 1e-30))


def apart(one: Array, other: Array) -> Array:
    """The length of their difference, of which the greatest count where there are more of one."""
    size = min(len(one), len(other))
    return jnp.sqrt(jnp.square(one[:size] - other[:size]).sum() + 1e-24)
