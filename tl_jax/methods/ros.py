"""Rotations to separate known from unknown, then to align: open-set domain adaptation in two parts."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.errors import UserError
from tl_jax.core.types import Array, At, Batch, Model, Network, Outputs, Tree
from tl_jax.losses import heads, mlp
from tl_jax.losses.classes import cross_entropies, cross_entropy, entropy, mean_where, supervised
from tl_jax.methods.contract import Example, Method, Own, Terms, View, by_one_more_class

TURNS = ("", "_quarter", "_half", "_three_quarters")


def ros(
    rotation: float = 3.0, centre: float = 0.1, sure: float = 0.1, unknown: float = 1.0, hidden: int = 256
) -> Method:
    """L = CE_s over K + 1 classes + rotation * CE(R_1(f, f_r), (y, r)) + centre * mean |v - c_{y, r}|^2, then
    CE_s + lam * (unknown / K * mean_u -log p_{K+1} + rotation * mean_k CE(R_2(f, f_r), r) + sure * mean_k H(p)).

    In the first half of the steps the source alone is learnt from: R_1, through v of `hidden` units, is told an image
    and the same turned by r quarters, and says its class and r. Then each target has its `normality`: those over the
    mean are known (k), the others unknown (u), once and for all. lam = 1; rotation = 3, centre = .1, sure = .1,
    unknown = 1 (2 on Office-31). The unknown count as one class more of the source's mean size. Bucci et al. 2020,
    arXiv 2007.12360.

    By choice otherwise: one perceptron R_1 (theirs: one a class), all four turns of an image in every step (eight
    passes; theirs: one at random), the mean itself as threshold, as in the paper (their code: rounded up, and as many
    unknown ones as known). The parts change at the first refresh or evaluation of the second half. Square images.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        shape, (d, c) = example.x.shape[1:], (example.features.shape[1], example.logits.shape[1])
        if len(shape) != 3 or shape[0] != shape[1]:
            raise UserError(f"ros turns images by quarters: it needs square ones, and was given {shape}.")
        k, of = jax.random.split(key, 4), len(TURNS)
        params = {
            "unknown": mlp.init(k[0], (d, 1)),
            "pair": mlp.init(k[1], (2 * d, hidden)),
            "turned": mlp.init(k[2], (hidden, of * c)),
            "centres": jnp.zeros((of * c, hidden)),
            "relative": mlp.init(k[3], (2 * d, hidden, of)),
        }
        return Own(params, {"parted": jnp.zeros(()), "known": None})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        s, t, parted = out["source"], out["target"], own.memory["parted"]
        known = own.memory["known"][batch.target.index]
        z_s, z_t = (heads.one_more(o.logits, own.params["unknown"], o.features) for o in (s, t))
        first = _of_source(own.params, _pairs(out, "source"), batch.y)
        second = {
            "unknown": mean_where(-jax.nn.log_softmax(z_t)[:, -1], 1 - known) / s.logits.shape[1],
            "relative": _of_target(own.params, _pairs(out, "target"), known),
            "entropy": mean_where(entropy(z_t), known),
        }
        losses = {name: (1 - parted) * loss for name, loss in first.items()}
        losses |= {name: parted * loss for name, loss in second.items()}
        return Terms({"source": supervised(z_s, batch.y, at), **losses}, {"known": known.mean(), "parted": parted})

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        score = normality(in_batches(lambda x: _shown(network, model, x), x_t))
        found = {
            "parted": (at.progress >= 0.5).astype(score.dtype),
            "known": (score > score.mean()).astype(score.dtype),
        }
        old = model.memory
        if old["known"] is None:
            return found
        return {name: jnp.where(old["parted"] > 0, old[name], new) for name, new in found.items()}

    return Method(
        terms,
        init,
        views={
            f"{domain}{turn}": View(domain, f"rotate{90 * r}" if r else "none")
            for domain in ("source", "target")
            for r, turn in enumerate(TURNS)
        },
        weights=lambda at: {
            "turned": at.values["rotation"],
            "centre": at.values["centre"],
            "unknown": at.lam * at.values["unknown"],
            "relative": at.lam * at.values["rotation"],
            "entropy": at.lam * at.values["sure"],
        },
        values={"rotation": rotation, "centre": centre, "sure": sure, "unknown": unknown},
        refresh=refresh,
        predict=by_one_more_class,
    )


def normality(logits: Array) -> Array:
    """N = max(O, 1 - E) [m] of logits [m, 4, 4 c], of class k turned by r at 4 k + r, for every turn r that was shown.

    O = max_k mean_r p_r(k, r);  E: mean_r H(p_r), its range over the m examples brought to [0, 1]
    """
    p, turns = jax.nn.softmax(logits), len(TURNS)
    right = jnp.stack([p[:, r, r::turns] for r in range(turns)]).mean(0).max(1)
    unsure = entropy(logits).mean(1)
    spread = unsure.max() - unsure.min()
    return jnp.maximum(right, 1 - (unsure - unsure.min()) / jnp.where(spread > 0, spread, 1.0))


def _of_source(params: Tree, pairs: Array, y: Array) -> dict[str, Array]:
    """What R_1 is to learn: class y [n] and turn of pairs [4 n, 2 d], and to keep near the centre of both."""
    v = _units(params, pairs)
    label = jnp.concatenate([len(TURNS) * y + r for r in range(len(TURNS))])
    # A product and not an index, whose gradient is a scatter (see `cross_entropies`).
    centre = jax.nn.one_hot(label, len(params["centres"]), dtype=v.dtype) @ params["centres"]
    turned = cross_entropy(mlp.apply(params["turned"], v), label)
    return {"turned": turned, "centre": jnp.square(v - centre).sum(1).mean()}


def _of_target(params: Tree, pairs: Array, known: Array) -> Array:
    """What R_2 is to learn: the turn of those pairs [4 n, 2 d] that are of known [n] targets."""
    turn = jnp.repeat(jnp.arange(len(TURNS)), len(known))
    return mean_where(cross_entropies(mlp.apply(params["relative"], pairs), turn), jnp.tile(known, len(TURNS)))


def _shown(network: Network, model: Model, x: Array) -> Array:
    """Logits [n, 4, 4 c] of R_1 for every turn of stored images x [n, h, h, channels]."""
    say = lambda r: network.apply(model.params, model.stats, jnp.rot90(x, r, (1, 2)))[0]
    turned = {f"x{turn}": say(r) for r, turn in enumerate(TURNS)}
    z = mlp.apply(model.own["turned"], _units(model.own, _pairs(turned, "x")))
    return jnp.swapaxes(z.reshape(len(TURNS), len(x), -1), 0, 1)


def _pairs(out: Outputs, domain: str) -> Array:
    """Features [n, d] of each turn beside those of the upright image: [4 n, 2 d], turn by turn."""
    upright = out[domain].features
    return jnp.concatenate([jnp.concatenate([upright, out[f"{domain}{turn}"].features], axis=1) for turn in TURNS])


def _units(params: Tree, pairs: Array) -> Array:
    return jax.nn.relu(mlp.apply(params["pair"], pairs))
