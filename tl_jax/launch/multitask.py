"""Multi-task transfer: several tasks on one input, or several inputs each with its own task, through one trunk.

    tl-jax multitask
    tl-jax multitask --strategy=single --strategy=equal --strategy='cagrad(c=0.2)' --seeds=5
    tl-jax multitask --task=digits:handwritten --task=digits:printed --sharing='mmoe(experts=3)'

A task is a labelled domain: classes, two classes or values. Domains with the same examples are one input with several
heads; the others are inputs of their own. Without flags: identity, parity and stroke mass of handwritten digits and
the identity of printed ones, in about 65 seconds of processor time. Ends with a table against single-task training and
two pictures.
"""

from tl_jax.balancing.table import STRATEGIES
from tl_jax.kinds.table import KINDS
from tl_jax.launch.flags import SPECS, define, names, train, without
from tl_jax.sweep.asked.values import CALLED

KIND = KINDS["multitask"]
SAYS = {
    "source": f"Repeatable. Labelled domain: {SPECS}.",
    "strategies": "Repeatable. How tasks are weighed, as in 'cagrad(c=0.2)'; single is every task alone: "
    f"single, {names(STRATEGIES)}.",
}
asked = define(KIND.defaults, without(KIND), SAYS, CALLED["multitask"])


def main() -> None:
    """Flags to config to run."""
    train(asked())
