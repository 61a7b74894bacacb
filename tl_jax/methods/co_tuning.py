"""Co-Tuning: the head of the source task goes on being trained, on what the target's labels say of its classes."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.types import Array, At, Batch, Labeled, Model, Network, Outputs, Tree
from tl_jax.losses import mlp
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Example, Method, Own, Terms, View


def co_tuning(temperature: float = 1.0) -> Method:
    """L = CE + lam * (1/n) sum_i -p(.|y_i) . log softmax(h(f_i)), h the source's head, trained from where it was.

    p(y_s | y) = mean over the labelled examples of class y of softmax(g^0(x) / temperature), g^0 the logits of the
    model it begins from: the paper's direct form. `temperature` is given, where the paper fits it on the
    source's validation set. Labels are the target's. lam = 2.3. You et al. 2020 (NeurIPS 33), "Co-Tuning".
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        head = mlp.of_linear(model.own["head"], "co_tuning")
        classes = example.logits.shape[-1], model.own["head"]["bias"].shape[-1]
        return Own({"head": head}, {"relation": jnp.zeros(classes)})

    def survey(network: Network, model: Model, seen: Labeled) -> Tree:
        features = in_batches(lambda x: network.apply(model.params, model.stats, x)[0].features, seen.x)
        p = jax.nn.softmax(mlp.apply(model.own["head"], features) / temperature)
        member = jax.nn.one_hot(seen.y, len(model.memory["relation"]), axis=0)
        mean = jnp.matmul(member, p, precision="highest") / jnp.maximum(member.sum(1), 1)[:, None]
        return {"relation": mean.astype(model.memory["relation"].dtype)}

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        log_p = jax.nn.log_softmax(mlp.apply(own.params["head"], out["source"].features))
        related = -(own.memory["relation"][batch.y] * log_p).sum(1).mean()
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "related": related})

    return Method(
        terms, init, views={"source": View("source")}, lam=2.3, survey=survey, labels="target", source_head=True
    )
