"""The functions of numbers that a sweep's flags may call: grids, and random draws that are pure functions."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from typing import Any


def short(value: float) -> float:
    """Six digits: enough for a setting, and what is shown is what was run."""
    return float(f"{value:.6g}")


def log(low: float, high: float, n: int) -> list[float]:
    """n values from low to high, each the same factor from the last."""
    if low <= 0 or high <= 0:
        raise ValueError("its ends must be greater than 0")
    return [short(10**x) for x in _even(math.log10(low), math.log10(high), n)]


def linear(low: float, high: float, n: int) -> list[float]:
    """n values from low to high, evenly spaced."""
    return [short(x) for x in _even(low, high, n)]


def _even(low: float, high: float, n: int) -> list[float]:
    if n < 1 or n != int(n):
        raise ValueError("its third argument is how many values, at least 1")
    return [low + (high - low) * (i / (n - 1) if n > 1 else 0) for i in range(int(n))]


def ints(low: int, high: int, step: int = 1) -> list[int]:
    """Whole numbers from low to high, both included."""
    return list(range(low, high + 1, step))


GRIDS: Mapping[str, Callable[..., list]] = {"log": log, "linear": linear, "ints": ints}
DRAWN: Mapping[str, Callable[..., Any]] = {
    "uniform": lambda u, low, high: short(low + (high - low) * u),
    "log_uniform": lambda u, low, high: short(low * (high / low) ** u),
    "whole": lambda u, low, high: int(low) + int(u * (int(high) - int(low) + 1)),
}
"""Of a number in [0, 1) and the two ends; `whole` is of whole numbers, both ends included."""


def chance(seed: int, i: int, name: str) -> float:
    """A number in [0, 1): a pure function, so that more names or draws change none that were there."""
    return int(hashlib.sha256(json.dumps([seed, i, name]).encode()).hexdigest()[:13], 16) / 16**13
