"""Multiple feature spaces adaptation network: a space and a head for each source, and one voice on the target."""

import itertools

import jax
import jax.numpy as jnp

from tl_jax.core.keys import named
from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.losses import heads, mlp
from tl_jax.losses.classes import l1_discrepancy, supervised
from tl_jax.losses.discrepancy import mmd
from tl_jax.methods.contract import Example, Method, Own, Terms


def mfsan() -> Method:
    """L = mean_j CE_j + lam * (mean_j MMD^2(h_j(f_j), h_j(f_t)) + mean_{i<j} mean_t |p_i - p_j|_1 / K).

    Every source j has a layer h_j = relu(f W_j + b_j) of the features' width and a head on it, c_j: the first source's
    is the network's own, the others' are of its family. Sources are never brought near one another. p_j are what the
    heads say of the target, whose mean predicts. MMD as in `dan`. One source has no pair. Labelled examples of the
    target are one source more. The means are sums in the paper; lam = 1, rising as in `dann`. Zhu et al. 2019 (AAAI
    33), arXiv 2201.01003.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        d, every = example.features.shape[-1], range(example.domains)
        layers = {f"source{i}": mlp.init(named(key, f"layer {i}"), (d, d)) for i in every}
        draw = lambda i: heads.another(named(key, f"head {i}"), model.params["head"], "mfsan")
        return Own({"layers": layers, "heads": {f"source{i}": draw(i) for i in every[1:]}}, {})

    def branch(own: Tree, head: Tree, i: int, features: Array) -> Output:
        """Source i's space and its logits."""
        h = jax.nn.relu(mlp.apply(own["layers"][f"source{i}"], features))
        return Output(h, heads.apply(own["heads"][f"source{i}"] if i else head, h))

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        parts, head = batch.split(out["source"].features), own.network["head"]
        here = [branch(own.params, head, i, f) for i, f in enumerate(parts)]
        there = [branch(own.params, head, i, out["target"].features) for i in range(len(parts))]
        loss = [supervised(o.logits, of.y, at) for o, of in zip(here, batch.sources, strict=True)]
        apart = [mmd(s.features, t.features) for s, t in zip(here, there, strict=True)]
        pairs = [l1_discrepancy(a.logits, b.logits) for a, b in itertools.combinations(there, 2)]
        mean = lambda many: jnp.stack(many).mean()
        return Terms({"classes": mean(loss), "mmd": mean(apart), **({"heads": mean(pairs)} if pairs else {})})

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        out, _ = network.apply(model.params, model.stats, x)
        every = range(len(model.own["layers"]))
        said = [branch(model.own, model.params["head"], i, out.features).logits for i in every]
        votes = jnp.stack([jax.nn.log_softmax(z) for z in said])
        return out._replace(logits=jax.nn.logsumexp(votes, axis=0) - jnp.log(len(said)).astype(votes.dtype))

    return Method(terms, init, weights=lambda at: {"classes": 1.0}, lam_schedule="dann", predict=predict)
