"""--halve=3 --rungs=100,300: at these steps the best third of the settings goes on."""

from typing import NamedTuple

from tl_jax.core.errors import UserError


class Halving(NamedTuple):
    """Successive halving: at every rung, a step, one of `divisor` settings goes on (at least one).

    Jamieson & Talwalkar 2016, arXiv 1502.07943.
    """

    divisor: int
    rungs: tuple[int, ...]


def halving_of(divisor: int, text: str) -> Halving | None:
    """As two flags say it; None where none does. Raises UserError for one without the other."""
    if not divisor and not text:
        return None
    try:
        rungs = tuple(int(part) for part in text.split(","))
    except ValueError:
        rungs = ()
    if divisor < 2 or not rungs or rungs[0] < 1 or list(rungs) != sorted(set(rungs)):
        raise UserError(
            f"--halve={divisor} --rungs={text}: say by how much and at which growing steps, as in --halve=3 "
            "--rungs=100,300: there the best third of the settings goes on."
        )
    return Halving(divisor, rungs)
