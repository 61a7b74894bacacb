"""The error by corruption, a column a method: mean and standard deviation over seeds, and the time a sample."""

from collections.abc import Mapping, Sequence
from typing import Any

from tl_jax.kinds.predicting.table import under
from tl_jax.run.execute import divergence
from tl_jax.run.plan.types import Setup
from tl_jax.run.report.table import Table, mean_std, scale_of, spread
from tl_jax.run.settings.config import Config

FLOOR = "no_adaptation"
Records = Sequence[Mapping[str, Any]]


def table(setup: Setup, records: Records, unfinished: Mapping[str, str]) -> Table:
    """Rows: every corruption, their mean, the time, and how a method stands beside the source model as it is."""
    config, names = setup.config, [name for name, _ in setup.config.swept]
    columns: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        swept = [f"{name}={record['values'][name]:g}" for name in names if name in record["values"]]
        columns.setdefault(", ".join([record["method"], *swept]), []).append(record)
    columns |= {name: [] for name in unfinished}
    alive = {title: [r["selectors"]["last"] for r in divergence.alive(group)] for title, group in columns.items()}
    measured = [name for found in alive.values() for last in found[:1] for name in last if name.startswith("error/")]
    row = lambda title, name, digits=3: [title, *(mean_std([x[name] for x in some], digits) for some in alive.values())]
    body = [
        *(row(name.removeprefix("error/"), name) for name in dict.fromkeys(measured)),
        row("mean", "target/error"),
        row("ms a sample", "ms", 2),
    ]
    said = [_remark(title, columns, unfinished) for title in columns]
    body += [["", *said]] if any(said) else []
    return Table([["error", *columns], *body], _footnote(config) + setup.footnote + divergence.note(records))


def _remark(title: str, columns: Mapping[str, Records], unfinished: Mapping[str, str]) -> str:
    """Why there is no score, or by how much more a method errs than the model as it is."""
    if title in unfinished:
        return unfinished[title]
    right = {
        name: {r["seed"]: r["selectors"]["last"]["target/accuracy"] for r in divergence.alive(group)}
        for name, group in columns.items()
    }
    beside = under(right[title], right[FLOOR], FLOOR) if FLOOR in right and title != FLOOR else ""
    said = ["baseline"] if title == FLOOR else [beside]
    return "; ".join(filter(None, [*said, divergence.remark(columns[title])]))


def _footnote(config: Config) -> str:
    origin = " + ".join(config.source) or config.init_from
    return (
        f"{origin} -> {config.target}: error on the target's test split, every example counted once, by what was "
        f"predicted when it came, {spread(config)}. Stream {config.stream}. The source model is that of step "
        f"{config.pretrain_steps or config.steps}; nothing is chosen, by labels or without. ms a sample: wall-clock of "
        f"predicting and learning, all trials together, by their number and that of the examples, compilation apart. "
        f"Network {config.network}, forward plan {config.forward_plan}{scale_of(config)}."
    )
