"""Axes of swept numbers: logarithmic where the values are a geometric row, ticks at the values themselves."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from tl_jax.sweep.tables.words import number


def geometric(values: Sequence[float]) -> bool:
    """Whether sorted values lie more evenly by their logarithms; of zero and others, whether the others do."""
    positive = [value for value in values if value > 0]
    if min(values) < 0 or len(positive) < 2:
        return False
    if len(positive) == 2:
        return positive[1] >= 4 * positive[0]
    uneven = lambda x: float(np.std(np.diff(x)) / np.mean(np.diff(x)))
    return uneven(np.log(positive)) < uneven(positive)


def position(values: Sequence[float], value: float) -> float:
    """Where a value stands on an axis from 0 to 1: by its logarithm where the values are geometric."""
    if len(values) < 2:
        return 0.5
    if not geometric(values):
        return (value - values[0]) / (values[-1] - values[0])
    positive = [v for v in values if v > 0]
    low, high = math.log(positive[0]), math.log(positive[-1])
    step = (high - low) / (len(positive) - 1)
    first = low - step if values[0] == 0 else low
    return ((first if value == 0 else math.log(value)) - first) / (high - first)


def scale(axes: Axes, values: Sequence[float]) -> None:
    """The horizontal axis of such values."""
    if geometric(values):
        positive = [value for value in values if value > 0]
        least = {"linthresh": positive[0], "linscale": 0.6} if values[0] == 0 else {}
        axes.set_xscale("symlog" if least else "log", **least)
    many = len(values) > 10
    shown = values[:: math.ceil(len(values) / 10)] if many else values
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(shown, [number(value) for value in shown], rotation=30 if len(shown) > 7 else 0)
