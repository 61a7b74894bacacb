"""Stochastic weight averaging, densely, within a valley of the validation loss."""

from typing import Any

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Outputs, Tree
from tl_jax.losses.classes import cross_entropies, supervised_each
from tl_jax.losses.importance import held_out, weighted_mean
from tl_jax.methods.contract import Example, Method, Own, Terms, View, by_plain

SEGMENTS = 6
"""How many segments may pass above the tolerance before the valley is over."""
FIRST = 3


def swad(every: float = 0.02, tolerance: float = 1.3, held: float = 0.2) -> Method:
    """L = mean of the losses of what is not held out; predictions are those of the mean weights of the loss valley.

    After every `every` of the run stand v, the mean loss of the share `held` of the training rows that is never trained
    on, and the mean of the weights since the last time. The valley begins with the first of three such segments of
    which it has the least v; it is over before the six last ones once all of them are above `tolerance` times the mean
    of those three. Until it begins the weights predict themselves. Statistics are averaged, too (theirs: frozen). v is
    of the batches of a segment, theirs of a split at its end; their code also goes back from where the valley begins.
    tolerance = 1.3, 3 and 6 segments; every: 100 of 5000 steps. Cha et al. 2021, arXiv 2102.08604.
    """

    def spare(batch: Batch) -> Array:
        return held_out(batch.domains, [source.index for source in batch.sources], held)

    def init(key: Array, example: Example, model: Model) -> Own:
        now = {"params": model.params, "stats": model.stats}
        none = jnp.zeros((), example.logits.dtype)
        segment = {"mean": now, "steps": none, "loss": none, "held": none, "number": jnp.int32(0)}
        queue = {
            "mean": jax.tree.map(lambda x: jnp.stack([x] * SEGMENTS), now),
            "loss": jnp.full(SEGMENTS, jnp.inf, none.dtype),
            "inside": jnp.zeros(SEGMENTS, bool),
        }
        valley = {"mean": now, "count": none, "most": none, "begun": jnp.bool_(False), "over": jnp.bool_(False)}
        return Own({}, {"segment": segment, "queue": queue, "valley": valley})

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        learnt = 1.0 - spare(batch)
        loss = weighted_mean(supervised_each(out["source"].logits, batch.y, at), learnt)[0]
        return Terms({"learnt": loss}, {"threshold": own.memory["valley"]["most"]})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        memory, kept = model.memory, spare(batch)
        number = jnp.floor(at.progress / at.values["every"] + 1e-4).astype(jnp.int32)
        ended = number > memory["segment"]["number"]
        later = passed(memory, at.values["tolerance"])
        memory = jax.tree.map(lambda new, old: jnp.where(ended, new, old), later, memory)
        old, now = memory["segment"], {"params": model.params, "stats": model.stats}
        steps = old["steps"] + 1
        segment = {
            "mean": jax.tree.map(lambda a, x: a + (x - a) / steps.astype(x.dtype), old["mean"], now),
            "steps": steps,
            "loss": old["loss"] + (kept * cross_entropies(out["measured"].logits, batch.y)).sum(),
            "held": old["held"] + kept.sum(),
            "number": number,
        }
        return {**memory, "segment": segment}

    def plain(model: Model, domain: str) -> tuple[Tree, Tree]:
        mean = in_the_valley(model, domain)
        return mean["params"], mean["stats"]

    views = {"source": View("source"), "measured": View("source", train=False)}
    return Method(
        terms,
        init,
        views,
        weights=lambda at: {"learnt": 1.0},
        values={"every": every, "tolerance": tolerance},
        lam=None,
        after=after,
        predict=by_plain(plain),
        plain=plain,
    )


def passed(memory: Any, tolerance: Array) -> Any:
    """The memory once a segment has ended: it joins the last six, of which the first may join the valley."""
    segment, queue, valley = memory["segment"], memory["queue"], memory["valley"]
    leaving = queue["inside"][0] & ~valley["over"]
    count = valley["count"] + leaving
    share = jnp.where(leaving, 1 / jnp.maximum(count, 1), 0.0)
    mean = jax.tree.map(lambda a, q: a + share.astype(a.dtype) * (q[0] - a), valley["mean"], queue["mean"])

    v = jnp.where(segment["held"] > 0, segment["loss"] / jnp.maximum(segment["held"], 1), jnp.inf)
    loss = jnp.append(queue["loss"][1:], v)
    inside = jnp.append(queue["inside"][1:], valley["begun"])
    first = loss[-FIRST:]
    begins = ~valley["begun"] & jnp.isfinite(first).all() & (first[0] <= first.min())
    inside = inside | (begins & (jnp.arange(SEGMENTS) >= SEGMENTS - FIRST))
    most = jnp.where(begins, tolerance * first.mean(), valley["most"])
    over = valley["over"] | (inside.all() & (loss.min() > most))
    joined = jax.tree.map(lambda q, x: jnp.concatenate([q[1:], x[None]]), queue["mean"], segment["mean"])
    none = jnp.zeros_like(segment["steps"])
    return {
        "segment": {**segment, "steps": none, "loss": none, "held": none},
        "queue": {"mean": joined, "loss": loss, "inside": inside},
        "valley": {"mean": mean, "count": count, "most": most, "begun": valley["begun"] | begins, "over": over},
    }


def in_the_valley(model: Model, domain: str) -> Any:
    """The mean of the segments within it, those that still wait too; the weights themselves before it begins."""
    queue, valley = model.memory["queue"], model.memory["valley"]
    of_domain = lambda tree: {**tree, "stats": tree["stats"].get("all", tree["stats"].get(domain))}
    least_after = jnp.flip(jax.lax.cummin(jnp.flip(queue["loss"])))
    keep = queue["inside"] & ~valley["over"] & (least_after <= valley["most"])
    total = valley["count"] + keep.sum()

    def mean(inner: Array, waiting: Array, now: Array) -> Array:
        added = jnp.tensordot(keep.astype(inner.dtype), waiting, 1) + valley["count"].astype(inner.dtype) * inner
        return jnp.where(total > 0, added / jnp.maximum(total, 1).astype(inner.dtype), now)

    now = {"params": model.params, "stats": model.stats}
    return jax.tree.map(mean, of_domain(valley["mean"]), of_domain(queue["mean"]), now)
