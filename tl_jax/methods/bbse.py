"""Black-box shift estimation: the classes' shares in the target from confusions on held-out source examples."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.losses.classes import supervised_each
from tl_jax.losses.importance import by_confusion, held_out
from tl_jax.methods.contract import Example, Method, Own, Terms, View

LEAST = 1e-6


def bbse(held: float = 0.2, decay: float = 0.99) -> Method:
    """L = CE over the source without its held-out part; then p(y | x) ~ p_s(y | x) w_y on the target,  C w = m.

    C_ij = P(prediction i, class j) of held-out source examples, which every batch has and no gradient sees: sums that
    decay, of passes as at inference; m [c] the shares of the predictions on all targets, computed once per pass and
    before each evaluation. For a target with other class proportions and the same p(x | y). Where Lipton et al. train
    anew with weights w, the predictions are corrected, as Alexandari et al. do (arXiv 1901.06852). Labelled targets
    count for neither. Lipton et al. 2018, arXiv 1802.03916.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        c = example.logits.shape[1]
        return Own({}, {"joint": jnp.eye(c), "weights": jnp.ones(c)})

    def kept(batch: Batch) -> Array:
        return held_out(batch.domains, [part.index for part in batch.sources], held)

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        learnt = ~kept(batch)
        loss = jnp.where(learnt, supervised_each(out["source"].logits, batch.y, at), 0.0).sum()
        return Terms({"learnt": loss / jnp.maximum(learnt.sum(), 1)})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        joint = model.memory["joint"]
        of = lambda k: jax.nn.one_hot(k, len(joint), dtype=joint.dtype)
        seen = of(out["measured"].logits.argmax(1)) * kept(batch)[:, None]
        return {**model.memory, "joint": decay * joint + seen.T @ of(batch.y)}

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        said = lambda x: network.apply(model.params, model.stats, x)[0].logits.argmax(1)
        joint = model.memory["joint"]
        shares = jax.nn.one_hot(in_batches(said, x_t), len(joint), dtype=joint.dtype).mean(0)
        return {"joint": joint, "weights": by_confusion(joint, shares)}

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        out, _ = network.apply(model.params, model.stats, x)
        shift = jnp.log(jnp.maximum(model.memory["weights"], LEAST))
        return out._replace(logits=out.logits + shift[None, :]) if domain == "target" else out

    views = {"source": View("source"), "measured": View("source", train=False)}
    once = lambda at: {"learnt": 1.0}
    return Method(terms, init, views, once, lam=None, after=after, refresh=refresh, predict=predict)
