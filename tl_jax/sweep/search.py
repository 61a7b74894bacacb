"""A search over what is random: each round is drawn by Optuna from the rounds before, scored without target labels.

A study is one combination of the values that are not random. What was asked so far stands in the plan and what it
scored in the run directories, from which the study is made anew for every round: a kill loses nothing.

Tree-structured Parzen estimator: Bergstra et al. 2011 (NeurIPS 24).
"""

import dataclasses
import importlib
import json
import statistics
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tl_jax.core.errors import UserError
from tl_jax.core.sealed import digest
from tl_jax.run.settings.config import AMOUNTS, Config
from tl_jax.sweep.asked.numbers import DRAWN, chance, short
from tl_jax.sweep.asked.space import Point, Study
from tl_jax.sweep.asked.values import field, is_array, typed
from tl_jax.sweep.directory import Plan, SweepDirectory
from tl_jax.sweep.halving import check_one_setting
from tl_jax.sweep.plan import Run

SEARCHES = ("tpe",)
Asked = tuple[int, dict[str, float]]
"""The number of a study, and what was asked of it."""


class Search(NamedTuple):
    """draws: points of each study, in so many rounds; seed: of the draws."""

    studies: Sequence[Study]
    draws: int
    rounds: int
    seed: int

    def size(self, number: int) -> int:
        """Points of each study in a round."""
        return self.draws // self.rounds + (number < self.draws % self.rounds)


def searched(studies: Sequence[Study], draws: int, rounds: int, seed: int) -> Search:
    """A search as its flags say it. Raises UserError without Optuna, and for numbers that make none."""
    _optuna()
    if not 1 <= rounds <= draws:
        raise UserError(f"--draws={draws} --rounds={rounds}: say how many points, in how many rounds of them.")
    return Search(studies, draws, rounds, seed)


def first(search: Search) -> list[Asked]:
    """The first round: what --draws gives without a search."""
    draw = lambda i, drawn: {n: DRAWN[f](chance(search.seed, i, n), *ends) for n, (f, *ends) in drawn.items()}
    return [
        (number, draw(i, study.drawn))
        for number, study in enumerate(search.studies)
        for i in range(search.size(0) if study.drawn else 1)
    ]


def further(search: Search, plan: Plan, score: Callable[[Asked], float | None]) -> list[Asked]:
    """The next round, of the scores of those before (None: not finite, or refused); [] after the last."""
    number = len(plan.rounds)
    if number >= search.rounds:
        return []
    found = []
    for i, study in enumerate(search.studies):
        if study.drawn:
            before = [(params, score((i, params))) for one in plan.rounds for j, params in one if j == i]
            found += [(i, params) for params in _asked(search, study, before, number)]
    return found


def _asked(
    search: Search, study: Study, before: Sequence[tuple[dict[str, float], float | None]], number: int
) -> list[dict[str, float]]:
    """A study made anew from what it was told, and asked for a round. What has no score counts as the worst one."""
    optuna, spaces = _optuna(), _distributions(study)
    worst = min((score for _, score in before if score is not None), default=0.0)
    seed = int(digest([search.seed, repr(study), number])[:8], 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of options that Optuna may change
        sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=search.size(0), multivariate=True, constant_liar=True
        )
        made = optuna.create_study(direction="maximize", sampler=sampler)
        for params, score in before:
            told = worst if score is None else score
            made.add_trial(optuna.trial.create_trial(params=params, distributions=spaces, value=told))
        drawn = [made.ask(spaces).params for _ in range(search.size(number))]
    return [{name: _shown(study, name, value) for name, value in params.items()} for params in drawn]


def _shown(study: Study, name: str, value: float) -> float:
    """Six digits, as every random value has, inside its ends."""
    function, low, high = study.drawn[name]
    return int(value) if function == "whole" else min(max(short(value), float(low)), float(high))


def _distributions(study: Study) -> dict[str, Any]:
    of = _optuna().distributions
    make = {
        "uniform": lambda low, high: of.FloatDistribution(float(low), float(high)),
        "log_uniform": lambda low, high: of.FloatDistribution(float(low), float(high), log=True),
        "whole": lambda low, high: of.IntDistribution(int(low), int(high)),
    }
    try:
        return {name: make[function](*ends) for name, (function, *ends) in study.drawn.items()}
    except (TypeError, ValueError) as error:
        raise UserError(f"--search: {'; '.join(study.drawn)}: {error}") from None


def point(search: Search, asked: Asked) -> Point:
    """What was asked, with the values that stay."""
    number, params = asked
    return {**search.studies[number].fixed, **{name: typed(name, value) for name, value in params.items()}}


def ahead(search: Search, plan: Plan) -> float:
    """The points that are still to be asked for, by those of the first round."""
    return (search.draws - sum(search.size(i) for i in range(len(plan.rounds)))) / search.size(0)


def check(search: Search, plan: Plan) -> None:
    """Raises UserError where a run has no one score to search by, or what is random cannot be searched."""
    for run in plan.runs:
        check_one_setting("--search", run.config, several=True)
    for study in search.studies:
        _distributions(study)


def scores(sweep: SweepDirectory, plan: Plan, search: Search) -> Callable[[Asked], float | None]:
    """What a point scored: the mean over the seeds of the criterion's own score at the step that it chose.

    None where a seed diverged, or was refused, or the run failed.
    """
    found: dict[tuple[Config, str], list[float | None]] = {}
    for run in plan.runs:
        for record in _records(sweep, run):
            at = _shape(run.config), _numbers(record["values"], run.config)
            found.setdefault(at, []).append(record.get("selectors", {}).get("selected", {}).get("score"))

    def score(asked: Asked) -> float | None:
        given = point(search, asked)
        fields = {field(name): value for name, value in given.items() if not is_array(name)}
        config = _shape(dataclasses.replace(plan.base, **fields))
        for (shape, numbers), each in found.items():
            if shape == config and all(given.get(n, v) == v for n, v in json.loads(numbers).items()):
                return None if None in each else statistics.mean(each)  # pyright: ignore
        return None

    return score


def _shape(config: Config) -> Config:
    return dataclasses.replace(config, sweep=(), **dict.fromkeys(AMOUNTS, ()))


def _numbers(values: Mapping[str, float], config: Config) -> str:
    swept = {name for name, _ in config.swept}
    return json.dumps({name: value for name, value in sorted(values.items()) if name in swept})


def _records(sweep: SweepDirectory, run: Run) -> list[dict[str, Any]]:
    try:
        return json.loads((sweep.run(run.name) / "results.json").read_bytes())
    except (OSError, ValueError):
        return []


def _optuna() -> Any:
    try:
        found = importlib.import_module("optuna")
    except ImportError:
        raise UserError("--search needs Optuna: pip install 'tl_jax[search]' (or 'optuna>=4').") from None
    found.logging.set_verbosity(found.logging.WARNING)
    return found
