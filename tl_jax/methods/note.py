"""NOTE: normalisation aware of single examples, and a balanced reservoir of what came."""

import jax
import jax.numpy as jnp

from tl_jax.core.keys import named
from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.losses.classes import entropy
from tl_jax.losses.examples.bank import filled, mean_of_held, put
from tl_jax.losses.examples.instance_norm import instance_aware
from tl_jax.methods.contract import NORMALISATION_ALONE, Example, Method, Own, Terms, View, source_model


def note(size: int = 64, k: float = 4.0, pace: float = 0.1, retrain: bool = False, lr: float = 1e-4) -> Method:
    """L = mean H(p) over a reservoir of the stream; scales and biases of the normalisation layers alone move.

    Batch normalisation is aware of examples, k = 4 (losses/examples/instance_norm.py), in all passes: each example is
    predicted by itself, with running statistics that move by `pace` of the network's momentum (.1 of .1: theirs is .01)
    as the reservoir is learnt from. What enters it of `size` examples is balanced by predicted class (`entered`).
    retrain: whether the source model is trained with this normalisation, too, as the paper's; otherwise it begins from
    that of the other methods. lr = 1e-4 (Adam). By choice otherwise: one step a batch of the stream
    (theirs: every 64 examples). Gong et al. 2022, arXiv 2208.05117.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        bank = {"x": jnp.zeros((size, *example.x.shape[1:]), example.x.dtype), "label": jnp.full(size, -1)}
        return Own({}, {"bank": bank, "seen": jnp.zeros(example.logits.shape[1], jnp.int32)})

    def before(network: Network, model: Model, batch: Batch, at: At) -> Tree:
        labels = predict(network, model, batch.target.x, "target").logits.argmax(1)
        keys = jax.random.split(named(at.key, "bank"), len(labels))
        enter = lambda memory, one: (entered(memory, *one), None)
        return jax.lax.scan(enter, model.memory, ({"x": batch.target.x, "label": labels}, keys))[0]

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        bank = own.memory["bank"]
        return Terms({"entropy": mean_of_held(bank, entropy(out["target"].logits))}, {"held": filled(bank)[1] / size})

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        return instance_aware(network, k).apply(model.params, model.stats, x)[0]

    of_bank = lambda memory: memory["bank"]["x"][filled(memory["bank"])[0]]
    return Method(
        terms,
        init=init,
        views={"target": View("target", examples=of_bank)},
        weights=lambda at: {"entropy": 1.0},
        values={"pace": pace, "lr": lr},
        lam=None,
        before=before,
        adapt=lambda network, batch, at: instance_aware(network, k, at.values["pace"]),
        freeze=NORMALISATION_ALONE,
        start=source_model()._replace(adapt=lambda network, batch, at: instance_aware(network, k)) if retrain else None,
        predict=predict,
        labels="none",
    )


def entered(memory: Tree, one: Tree, key: Array) -> Tree:
    """{"bank", "seen": [c]} once an example of a predicted class has come: prediction-balanced reservoir sampling.

    While there is room it is taken. Of a class that is none of the most frequent in the bank it takes the place of a
    random one of these; else of a random one of its own class, with probability (held of it) / (seen of it).
    """
    bank, c = memory["bank"], one["label"]
    label, seen = bank["label"], memory["seen"].at[c].add(1)
    count = jax.nn.one_hot(label, len(seen)).sum(0)
    most = count == count.max()
    rivals = jnp.where(most[c], label == c, most[label])
    which, whether = jax.random.split(key)
    room = (label < 0).any()
    drawn = jnp.where(rivals, jax.random.uniform(which, label.shape), -1.0)
    place = jnp.where(room, (label < 0).argmax(), drawn.argmax())
    taken = room | ~most[c] | (jax.random.uniform(whether) <= count[c] / seen[c])
    return {"bank": put(bank, one, place, taken), "seen": seen}
