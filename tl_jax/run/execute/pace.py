"""How many steps one dispatch to the device has: a stop waits for the end of the one that runs."""

SECONDS = 5.0
"""About how long a dispatch takes."""
GROWTH = 8
LONG_ENOUGH = 0.1
"""The share of SECONDS from which a dispatch tells how long a step takes."""


class Pace:
    """steps: of the next dispatch at most. Agreed once, from a dispatch that took long enough to be measured.

    It changes no number: the steps are the same in dispatches of any length.
    """

    def __init__(self) -> None:
        self.steps = 1
        self._agreed, self._compiled = False, False

    def took(self, steps: int, seconds: float) -> None:
        """A dispatch of so many steps took so long. The first one says nothing: its program was compiled."""
        if self._compiled and not self._agreed:
            fitting = max(1, int(SECONDS * steps / max(seconds, 1e-9)))
            self._agreed = seconds >= LONG_ENOUGH * SECONDS
            self.steps = fitting if self._agreed else min(fitting, max(self.steps, GROWTH * steps))
        self._compiled = True
