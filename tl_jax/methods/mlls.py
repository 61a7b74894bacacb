"""Maximum likelihood label shift: the classes' shares in the target by EM, from calibrated predictions."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.losses.classes import supervised_each
from tl_jax.losses.importance import held_out, shares_by_likelihood
from tl_jax.methods.contract import Example, Method, Own, Terms, View


def mlls(held: float = 0.2, iterations: int = 100) -> Method:
    """L = CE over the source without its held-out part; then p(y | x) ~ p_s(y | x) q_y / pi_y on the target.

    q [c] makes the targets most likely (EM, once per pass and before each evaluation), pi are the shares of the labels
    drawn so far. p_s = softmax(z / exp(t) + b): the logits calibrated (bias-corrected temperature scaling), t and b [c]
    trained beside the network on the held-out examples of every batch, as passed at inference. For a target with other
    class proportions and the same p(x | y). Labelled targets count for neither. Saerens et al. 2002 (Neural
    Computation 14); the calibration Alexandari et al. 2020, arXiv 1901.06852.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        c = example.logits.shape[1]
        scale = {"log_temperature": jnp.zeros(()), "bias": jnp.zeros(c)}
        return Own({"calibration": scale}, {"counts": jnp.ones(c), "shift": jnp.zeros(c)})

    def calibrated(logits: Array, scale: Tree) -> Array:
        return logits * jnp.exp(-scale["log_temperature"]) + scale["bias"][None, :]

    def kept(batch: Batch, share: float) -> Array:
        return held_out(batch.domains, [part.index for part in batch.sources], share)

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        rows = kept(batch, held)
        over = lambda rows, z: jnp.where(rows, supervised_each(z, batch.y, at), 0.0).sum() / jnp.maximum(rows.sum(), 1)
        measured = calibrated(jax.lax.stop_gradient(out["measured"].logits), own.params["calibration"])
        return Terms({"learnt": over(~rows, out["source"].logits), "calibration": over(rows, measured)})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        counts = model.memory["counts"]
        own = kept(batch, 1.0)[:, None] * jax.nn.one_hot(batch.y, len(counts), dtype=counts.dtype)
        return {**model.memory, "counts": counts + own.sum(0)}

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        counts, scale = model.memory["counts"], model.own["calibration"]
        said = lambda x: calibrated(network.apply(model.params, model.stats, x)[0].logits, scale)
        log_prior = jnp.log(counts / counts.sum())
        log_q = shares_by_likelihood(jax.nn.log_softmax(in_batches(said, x_t)), log_prior, iterations)
        return {"counts": counts, "shift": (log_q - log_prior).astype(counts.dtype)}

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        out, _ = network.apply(model.params, model.stats, x)
        shifted = calibrated(out.logits, model.own["calibration"]) + model.memory["shift"][None, :]
        return out._replace(logits=shifted) if domain == "target" else out

    views = {"source": View("source"), "measured": View("source", train=False)}
    once = lambda at: {"learnt": 1.0, "calibration": 1.0}
    return Method(terms, init, views, once, lam=None, after=after, refresh=refresh, predict=predict)
