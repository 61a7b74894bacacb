"""A run whose target has no labels, or few: what its table and curves then show, and on how much the scores rest."""

from collections.abc import Mapping, Sequence
from typing import Any

from tl_jax.data.domain import Domain, known
from tl_jax.run.plan.problem import Problem
from tl_jax.run.report.table import NAMES, Table, mean_std, spread
from tl_jax.run.settings.config import Config

NOTHING = "no target labels: nothing to score"


def is_unscored(problem: Problem) -> bool:
    """Whether no label of the target's test split is known."""
    return not known(problem.target.test.y).any()


def panel(select: str) -> tuple[str, str]:
    """What the curves show in the place of the target's metric."""
    return f"label_free/{select}", f"{select}: higher is better, without target labels"


def basis(target: Domain) -> str:
    """' Scores rest on 12 of 60 test examples, ...' where not every label is known, for under the table; else ''."""
    counts = {split: (int(known(part.y).sum()), len(part.y)) for split, part in target.splits.items()}
    if all(n == size for n, size in counts.values()):
        return ""
    of = lambda split: "{} of {}".format(*counts[split])
    return (
        f" {target.name} is labelled in part: scores rest on {of('test')} test examples, oracle on {of('validation')} "
        f"of validation; {of('train')} training examples have a label."
    )


def table(
    config: Config, records: Sequence[Mapping[str, Any]], unfinished: Mapping[str, str], metric: str = "accuracy"
) -> Table:
    """The label-free score and the source's metric, at the last and at the selected step, mean over seeds."""
    swept = [name for name, _ in config.swept]
    groups: dict[tuple, list[Mapping[str, Any]]] = {}
    for record in records:
        cells = (f"{record['values'][n]:g}" if n in record["values"] else "-" for n in swept)
        groups.setdefault((record["method"], *cells), []).append(record["selectors"])
    shown = [(s, name) for name in (f"source/{metric}", "score") for s in ("last", "selected")]
    titles = {f"source/{metric}": f"source {NAMES[metric]}", "score": config.select}
    head = ["method", *swept, *(f"{titles[name]}: {s}" for s, name in shown), "selected step", ""]
    body = [
        [*key, *(_cell(group, s, name) for s, name in shown), _cell(group, "selected", "step", 0), ""]
        for key, group in groups.items()
    ]
    late = [[name, *["-"] * (len(head) - 2), reason] for name, reason in unfinished.items()]
    return Table([head, *body, *late], _footnote(config, metric))


def _cell(group: Sequence[Mapping[str, Any]], selector: str, name: str, digits: int = 3) -> str:
    found = [selectors[selector].get(name) for selectors in group]
    return mean_std([value for value in found if value is not None], digits)


def _footnote(config: Config, metric: str) -> str:
    pair = f"{' + '.join(config.source) or config.init_from} -> {config.target}"
    return (
        f"{pair}: {NOTHING}. What is predicted stands in predictions.csv. source {NAMES[metric]}: on the validation "
        f"split of {' + '.join(config.source) or 'no source'}; it says nothing of the target. selected: the step "
        f"chosen by {config.select}, higher is better. {spread(config).capitalize()}. last: step {config.steps}. "
        f"Network {config.network}, forward plan {config.forward_plan}."
    )
