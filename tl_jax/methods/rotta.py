"""Robust test-time adaptation: a bank of recent, certain and balanced examples, and a slow teacher."""

import jax
import jax.numpy as jnp

from tl_jax.core.trees import moving_average
from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.losses.classes import entropy
from tl_jax.losses.examples.bank import filled, mean_of_held, put
from tl_jax.methods.contract import NORMALISATION_ALONE, Example, Method, Own, Terms, View


def rotta(size: int = 64, decay: float = 0.999, view: str = "strong", lr: float = 1e-3) -> Method:
    """L = mean over the bank of -sigmoid(-age / size) * sum_k q_k log p_k,  p of a varied view, q the teacher's.

    The teacher is the moving average of the weights (decay .999). It predicts, by the running statistics, and labels
    what enters the bank of `size` examples (`entered`); age counts examples since then. Scales and biases of
    normalisation move. size = 64, decay = .999, lr = 1e-3. By choice otherwise: one step a batch of the stream (theirs:
    every 64 examples); student and teacher are normalised by the bank while they learn (theirs: by running statistics
    that each pass moves by a twentieth), and running statistics move by the network's momentum, those of the student.
    Yuan et al. 2023, arXiv 2303.13899.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        of, stored = example.logits.dtype, example.x
        bank = {
            "x": jnp.zeros((size, *stored.shape[1:]), stored.dtype),
            "label": jnp.full(size, -1),
            "age": jnp.zeros(size, of),
            "entropy": jnp.zeros(size, of),
        }
        return Own({}, {"bank": bank, "teacher": {"params": model.params, "stats": model.stats}})

    def before(network: Network, model: Model, batch: Batch, at: At) -> Tree:
        out = network.apply(model.memory["teacher"]["params"], model.stats, batch.target.x)[0]
        item = {"x": batch.target.x, "label": out.logits.argmax(1), "entropy": entropy(out.logits)}
        enter = lambda bank, one: (entered(bank, one, out.logits.shape[1]), None)
        return {**model.memory, "bank": jax.lax.scan(enter, model.memory["bank"], item)[0]}

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        rows, count = filled(own.memory["bank"])
        a = own.memory["bank"]["age"][rows] / size
        each = -(jax.nn.softmax(out["teacher"].logits) * jax.nn.log_softmax(out["target"].logits)).sum(1)
        loss = mean_of_held(own.memory["bank"], jax.nn.sigmoid(-a) * each)
        return Terms({"bank": loss}, {"held": count / size})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        now = {"params": model.params, "stats": model.stats}
        return {**model.memory, "teacher": moving_average(model.memory["teacher"], now, at.values["decay"])}

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        return network.apply(model.memory["teacher"]["params"], model.stats, x)[0]

    of_teacher = lambda memory: (memory["teacher"]["params"], memory["teacher"]["stats"])
    of_bank = lambda memory: memory["bank"]["x"][filled(memory["bank"])[0]]
    return Method(
        terms,
        init=init,
        views={
            "target": View("target", view, examples=of_bank),
            "teacher": View("target", weights=of_teacher, examples=of_bank),
        },
        weights=lambda at: {"bank": 1.0},
        values={"decay": decay, "lr": lr},
        lam=None,
        before=before,
        after=after,
        freeze=NORMALISATION_ALONE,
        predict=predict,
        labels="none",
    )


def entered(bank: Tree, one: Tree, classes: int) -> Tree:
    """The bank once an example has come, and everything in it has aged.

    A class has at most its share of the places. While it has less, a free place is taken, or that of the worst example
    of the most frequent classes; else that of the worst of its own. Worst is the greatest 1 / (1 + exp(-age / size)) +
    H / log c; an example that is worse itself stays out.
    """
    size, label = len(bank["label"]), bank["label"]
    badness = lambda age, h: jax.nn.sigmoid(age / size) + h / jnp.log(classes)
    count = jax.nn.one_hot(label, classes).sum(0)
    full = count[one["label"]] >= size / classes
    most = (count == count.max())[label] & (label >= 0)
    rivals = jnp.where(full, label == one["label"], most)
    room = ~full & (label < 0).any()
    score = jnp.where(rivals, badness(bank["age"], bank["entropy"]), -jnp.inf)
    place = jnp.where(room, (label < 0).argmax(), score.argmax())
    taken = room | (score.max() > badness(0.0, one["entropy"]))
    bank = put(bank, {**one, "age": jnp.zeros((), bank["age"].dtype)}, place, taken)
    return {**bank, "age": bank["age"] + (bank["label"] >= 0)}
