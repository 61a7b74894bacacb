"""A head as it begins, and Tip-Adapter: the same beside a cache of the labelled features."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.types import Array, At, Batch, Labeled, Model, Network, Output, Outputs, Tree
from tl_jax.losses.classes import supervised
from tl_jax.losses.contrastive import unit
from tl_jax.methods.contract import HEAD_FROZEN, NOTHING_LEARNT, Example, Method, Own, Terms, View


def as_it_begins() -> Method:
    """Nothing is trained: logits are those of the network as it begins. Labels are not read."""
    return NOTHING_LEARNT._replace(views={"source": View("source")}, labels="target")


def tip_adapter(alpha: float = 1.0, beta: float = 5.5, tuned: bool = False) -> Method:
    """logits = head(f) + alpha * exp(-beta (1 - u(f) K^T)) Y, u: of length 1; the head is frozen.

    K [m, d] are u of the labelled features, Y their classes (an example that is listed k times counts 1/k each). tuned:
    L = CE, and K + D in the place of K, D trained from 0 (Tip-Adapter-F; decay pulls to the cache, the paper's to 0);
    examples are not augmented. Labels are the target's. Zhang et al. 2022, arXiv 2207.09519.
    """

    def logits(keys: Array, classes: Array, out: Output) -> Array:
        near = jnp.matmul(unit(out.features), keys.T, precision="highest")
        return out.logits + alpha * jnp.exp(-beta * (1 - near)) @ classes

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        keys = own.memory["keys"] + own.params["keys"]
        return Terms({"source": supervised(logits(keys, own.memory["classes"], out["source"]), batch.y, at)})

    def init(key: Array, example: Example, model: Model) -> Own:
        (_, d), c, m = example.features.shape, example.logits.shape[-1], example.labelled
        memory = {"keys": jnp.zeros((m, d)), "classes": jnp.zeros((m, c))}
        return Own({"keys": jnp.zeros((m, d))} if tuned else {}, memory)

    def survey(network: Network, model: Model, seen: Labeled) -> Tree:
        features = in_batches(lambda x: network.apply(model.params, model.stats, x)[0].features, seen.x)
        times = (seen.index[:, None] == seen.index[None, :]).sum(1)
        classes = jax.nn.one_hot(seen.y, model.memory["classes"].shape[1]) / times[:, None]
        return {"keys": unit(features), "classes": classes}

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        out = network.apply(model.params, model.stats, x)[0]
        keys = model.memory["keys"] + (model.own["keys"] if tuned else 0)
        return out._replace(logits=logits(keys, model.memory["classes"], out))

    method = Method(terms, lam=None, freeze=HEAD_FROZEN) if tuned else NOTHING_LEARNT
    return method._replace(init=init, views={"source": View("source")}, survey=survey, predict=predict, labels="target")
