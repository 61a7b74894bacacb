"""Unsupervised transfer: neither side labelled. Self-supervised pretraining, then kNN, probe, retrieval, clustering.

    tl-jax unsupervised
    tl-jax unsupervised --method=vicreg --method=byol --pretrain_on=target --steps=2000
    tl-jax unsupervised --method='simclr(temperature=0.2)' --align=none --align=coral --sweep=lam=0.1,1

Without flags: handwritten digits and digits over photographs, embedded. Ends with a table, pictures (one of them
queries of the target with what was found for them in the source) and, for every method, the pretrained trunk as
METHOD.safetensors in the run directory. Labels are read by the evaluation alone.
"""

from tl_jax.data.views.augment import VIEWS
from tl_jax.kinds.table import KINDS
from tl_jax.launch.flags import SPECS, define, names, train, without

KIND = KINDS["unsupervised"]
SAYS = {
    "source": f"Repeatable. Domain of the gallery: {SPECS}.",
    "target": "Domain of the queries, on whose test split features are judged.",
    "view": f"How examples are varied for learning: {names(VIEWS['image'])}.",
}
asked = define(KIND.defaults, without(KIND), SAYS)


def main() -> None:
    """Flags to config to run."""
    train(asked())
