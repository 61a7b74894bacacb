"""Transductive transfer: a labelled source, an unlabelled target.

    tl-jax transductive
    tl-jax transductive --source=digits:handwritten --target=digits:photo --method=source_only --method=dann
    tl-jax transductive --method='cdan(entropy=True)' --sweep=lam=0.1,0.3,1 --seeds=5

Without flags: printed to handwritten digits, embedded, in about two minutes. Ends with a table and pictures in
the run directory. The same line again resumes a run that was stopped, or says that it is complete.
"""

from tl_jax.kinds.table import KINDS
from tl_jax.launch.flags import SPECS, define, train, without

KIND = KINDS["transductive"]
SAYS = {
    "source": f"Repeatable. Labelled domain: {SPECS}.",
    "target": "Domain whose training labels no method sees (but target_only).",
    "pretrain_steps": "Steps of the source model of a method that begins from one (shot); 0 is as many as --steps.",
}
asked = define(KIND.defaults, without(KIND), SAYS)


def main() -> None:
    """Flags to config to run."""
    train(asked())
