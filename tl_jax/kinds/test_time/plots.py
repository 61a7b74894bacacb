"""The error under every corruption, a line a method."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tl_jax.run.report.figures import blank

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def errors(records: Sequence[Mapping[str, Any]], corruptions: Sequence[str]) -> "Figure":
    """Mean over seeds and swept values, the worst of the first method's on the left."""
    by_method: dict[str, list[list[float]]] = {}
    for record in records:
        last = record["selectors"]["last"]
        by_method.setdefault(record["method"], []).append([last[f"error/{name}"] for name in corruptions])
    means = {name: np.mean(rows, axis=0) for name, rows in by_method.items()}
    order = np.argsort(-next(iter(means.values())))
    figure = blank(max(4.0, 1.5 + 0.45 * len(order)), 4.5)
    panel = figure.subplots()
    for name, mean in means.items():
        panel.plot(mean[order], "o-", label=name)
    panel.set_xticks(range(len(order)), [corruptions[int(i)] for i in order], rotation=60, ha="right")
    panel.set(ylabel="error on the target's test split", ylim=(0, None))
    panel.grid(alpha=0.3)
    panel.legend(fontsize="small")
    return figure
