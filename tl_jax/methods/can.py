"""Contrastive adaptation network: the classes of the source against clusters of the target."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.losses.classes import supervised
from tl_jax.losses.joint_discrepancy import contrastive_discrepancy
from tl_jax.losses.neighbours import unit
from tl_jax.methods.contract import Example, Method, Own, Terms

ROUNDS = 20


def can(distance: float = 1.0, least: float = 3.0) -> Method:
    """L = CE_s + lam * sum over x = f, p of (intra(x) - inter(x)): classes meet across domains and part from others.

    intra, inter: `contrastive_discrepancy` with the clusters of all targets as their labels, once per pass over the
    target: spherical k-means (20 rounds) from the source's class centres. A target counts where (1 - cos) / 2 to its
    centre is under `distance`, in a cluster with `least` of such. lam = .3, least = 3; distance = 1 (none is left out;
    .05 for A -> D, A -> W of Office-31). Centres are moving averages of batches (theirs: of all of the source),
    clusters are not matched anew, and batches are as they come, theirs of three examples a class in ten classes: give
    large ones (--batch_size, --balanced). Statistics are theirs with --forward_plan=per_domain. Kang et al. 2019,
    arXiv 1901.00976.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        classes, of = example.logits.shape[1], example.features.dtype
        return Own({}, {"centres": jnp.zeros((classes, example.features.shape[1]), of), "label": None})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        s, t, label = out["source"], out["target"], own.memory["label"][batch.target.index]
        p = [jax.nn.softmax(x.logits) for x in (s, t)]
        of = lambda a, b: contrastive_discrepancy(a, b, batch.y, label, s.logits.shape[1])
        (intra, inter), (intra_p, inter_p) = of(s.features, t.features), of(*p)
        losses = {"source": supervised(s.logits, batch.y, at), "contrast": intra + intra_p - inter - inter_p}
        return Terms(losses, {"intra": intra, "inter": inter, "clustered": (label >= 0).astype(intra.dtype).mean()})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        old, f = model.memory["centres"], unit(out["source"].features)
        member = jax.nn.one_hot(batch.y, len(old), dtype=f.dtype)
        mean = member.T @ f / jnp.maximum(member.sum(0), 1)[:, None]
        moved = jnp.where(old.any(1, keepdims=True), 0.9 * old + 0.1 * mean, mean)
        return {**model.memory, "centres": jnp.where(member.any(0)[:, None], moved, old)}

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        out = in_batches(lambda x: network.apply(model.params, model.stats, x)[0], x_t)
        centres = model.memory["centres"]
        # Before the source has shown a class, what the network calls it stands for it.
        begun = jnp.where(centres.any(1, keepdims=True), centres, jax.nn.softmax(out.logits).T @ unit(out.features))
        return {"centres": centres, "label": clusters(out, begun, at.values["distance"], at.values["least"])}

    values = {"distance": distance, "least": least}
    return Method(terms, init, values=values, lam=0.3, after=after, refresh=refresh)


def clusters(out: Output, centres: Array, distance: Array, least: Array) -> Array:
    """Labels [m] of spherical k-means from centres [c, d], -1 where an example is too far or in too small a cluster."""
    f, begun = unit(out.features), unit(centres)
    closest = lambda centres: (f @ unit(centres).T).argmax(1)

    def round_(_: int, centres: Array) -> Array:
        member = jax.nn.one_hot(closest(centres), len(centres), dtype=f.dtype)
        return jnp.where(member.any(0)[:, None], member.T @ out.features, begun)

    cosine = f @ unit(jax.lax.fori_loop(0, ROUNDS, round_, begun)).T
    near = (1 - cosine.max(1)) / 2 < distance
    member = jax.nn.one_hot(cosine.argmax(1), len(centres), dtype=f.dtype) * near[:, None]
    known = near & (member @ (member.sum(0) >= least).astype(f.dtype) > 0)
    return jnp.where(known, cosine.argmax(1), -1)
