"""Test time: a source model, and a stream of corrupted images that is predicted, then learnt from, batch by batch.

    tl-jax test_time
    tl-jax test_time --method=no_adaptation --method=tent --stream='continual(batch=16, concentration=0.1)'
    tl-jax test_time --method=bn_adapt --method='tent(lr=0.01)' --corrupt=fog@3 --corrupt=extra@5 --sweep=lr=0.001,0.01

Without flags: handwritten digits, embedded, under every corruption of ImageNet-C that is here, at its worst. Ends with
a table of errors by corruption and a picture in the run directory. Nothing is chosen: every number is of what was
predicted when the example came. --lr, --steps and --batch_size are the source model's; a method has a rate of its own.
"""

import dataclasses

from tl_jax.kinds.table import KINDS
from tl_jax.launch.flags import FLAGS, SPECS, define, train, without
from tl_jax.run.plan.words import begins_from

KIND = KINDS["test_time"]
SAYS = {
    "source": f"Repeatable. Labelled domain of the source model: {SPECS}.",
    "target": "Domain whose test split comes as a stream; its labels score it, and no method sees them.",
    "steps": "Training steps of the source model, unless --pretrain_steps says another number.",
    "batch_size": "Examples of each source in a step of the source model; the stream's are in --stream.",
}
asked = define(KIND.defaults, without(KIND), SAYS)


def main() -> None:
    """Flags to config to run; a model from a file needs no source."""
    config = asked()
    if begins_from(config) and not FLAGS["source"].present:
        config = dataclasses.replace(config, source=())
    train(config)
