"""Successive halving: at every rung the best settings go on, by the runs' own criterion, which sees no target label.

A setting is one run, with its seeds as its trials. Settings are compared within a cell: what differs in swept numbers
alone. What goes on is a function of the run directories, so a kill at any moment is made good by the same line.

Jamieson & Talwalkar 2016, arXiv 1502.07943.
"""

import contextlib
import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tl_jax.core.errors import UserError
from tl_jax.core.files import write_atomically
from tl_jax.kinds.table import kind_of
from tl_jax.run import rungs
from tl_jax.run.settings.config import AMOUNTS, TARGET_VAL, Config
from tl_jax.run.settings.forms import NUMBER, WHOLE
from tl_jax.sweep.asked.rungs import Halving
from tl_jax.sweep.asked.values import SETTINGS
from tl_jax.sweep.directory import DROPPED, Plan, SweepDirectory
from tl_jax.sweep.plan import Run

NUMBERS = tuple(name for name, one in SETTINGS.items() if one.form in (WHOLE, NUMBER))
"""Fields that are one number: runs that differ in them alone are settings of one cell."""
SCORED, REFUSED, DIVERGED, LOST, FAILED = range(5)
"""How a setting stands at a rung, the best first; diverged: in some of its seeds; lost: in all."""
WHY = ("", "refused by the criterion", "diverged", "diverged", "failed")


class Drop(NamedTuple):
    """A setting that does not go on from a rung: its mean score (None: see `why`), its rank of so many."""

    rung: int
    score: float | None
    rank: int
    of: int
    why: str = ""


class Standing(NamedTuple):
    """due: {run: the step that it is to be trained to, 0 for its end}; dropped: {run: where}."""

    due: dict[str, int]
    dropped: dict[str, Drop]


def check(plan: Plan) -> None:
    """Raises UserError where runs cannot be compared at the rungs, or nothing is there to compare."""
    assert plan.halving
    for run in plan.runs:
        check_one_setting("--halve", run.config)
        _check_rungs(plan.halving, run.config)
    if max(map(len, cells(plan).values())) < 2:
        raise UserError(
            "--halve: no two runs differ in swept numbers alone. Sweep some, as in --over='lam=0.1, 0.3, 1'."
        )


def check_one_setting(flag: str, config: Config, several: bool = False) -> None:
    """Raises UserError where a run's criterion does not score settings: of several methods, or none without labels.

    several: whether its trials may be several settings.
    """
    values = [each for name, each in config.swept if name in AMOUNTS or not several]
    if len(config.methods or "1") * len(config.strategies or "1") > 1 or any(len(each) > 1 for each in values):
        raise UserError(
            f"{flag}: a run is one setting of one method. Write --over='method=a, b' (or strategy, labels_per_class) "
            "in the place of several values of the flag."
        )
    if kind_of(config).criterion is None or config.select == TARGET_VAL:
        what = f"--select={TARGET_VAL}" if config.select == TARGET_VAL else f"the kind {config.kind}"
        raise UserError(f"{flag} needs a criterion without target labels, which {what} has not.")


def _check_rungs(halving: Halving, config: Config) -> None:
    if config.epochs:
        raise UserError("--rungs are steps, and how many --epochs are is known once the data are read. Say --steps.")
    every = config.eval_every or max(1, config.steps // 10)
    if wrong := [rung for rung in halving.rungs if rung % every or rung >= config.steps]:
        raise UserError(
            f"--rungs={','.join(map(str, halving.rungs))}: runs are compared where they are evaluated, every {every} "
            f"of {config.steps} steps, before their end. {wrong[0]} is no such step: say --eval_every, or other rungs."
        )


def cells(plan: Plan) -> dict[Config, list[Run]]:
    """The runs that are compared, by what they have in common."""
    same = {name: getattr(plan.base, name) for name in NUMBERS}
    found: dict[Config, list[Run]] = {}
    for run in plan.runs:
        found.setdefault(dataclasses.replace(run.config, sweep=(), **same), []).append(run)
    return found


def standing(sweep: SweepDirectory, plan: Plan, only: str = "") -> Standing:
    """Where every run is to go (or those of the cell of one alone), as the run directories say."""
    found = Standing({}, {})
    for runs in cells(plan).values():
        if not only or any(run.name == only for run in runs):
            _stand(sweep, plan, [run.name for run in runs], found)
    return found


def _stand(sweep: SweepDirectory, plan: Plan, names: list[str], found: Standing) -> None:
    """Rung by rung; a rung is decided when every setting that has come so far is judged there."""
    assert plan.halving
    for rung in plan.halving.rungs:
        if len(names) < 2:
            break  # there is nothing to compare it with
        judged = {name: _judged(sweep, name, rung) for name in names}
        if late := [name for name, one in judged.items() if one is None]:
            found.due.update(dict.fromkeys(late, rung))
            return
        key = {name: (one[0], -(one[1] or 0.0)) for name, one in judged.items() if one}
        ranked = sorted(names, key=lambda name: key[name])  # of equals the one that was planned first
        most = max(1, len(names) // plan.halving.divisor)
        kept = [name for i, name in enumerate(ranked) if i < most and key[name][0] < (DIVERGED if i else LOST)]
        for rank, name in enumerate(ranked, 1):
            if name not in kept:
                how, score = judged[name] or (FAILED, None)
                found.dropped[name] = Drop(rung, score, rank, len(names), WHY[how])
        names = [name for name in names if name in kept]
    found.due.update((name, 0) for name in names if sweep.state(name).state != "finished")


def _judged(sweep: SweepDirectory, name: str, rung: int) -> tuple[int, float | None] | None:
    """How a setting stands at a rung, and its mean score over the seeds; None as long as that is not known.

    What the machine failed at is not known: the same line tries it again.
    """
    if found := rungs.read(sweep.run(name), rung):
        return (DIVERGED if found.diverged else SCORED if found.mean is not None else REFUSED), found.mean
    with contextlib.suppress(OSError, ValueError, KeyError):
        failure = json.loads(sweep.failure(name).read_bytes())
        if failure["code"] == UserError.code:
            return (LOST if failure["diverged"] else FAILED), None
    return None


def mark(sweep: SweepDirectory, plan: Plan) -> dict[str, int]:
    """Write DIR/dropped/NAME.json for what does not go on; {run: step} of what is to be trained now."""
    found, folder = standing(sweep, plan), sweep.root / DROPPED
    for name, drop in found.dropped.items():
        write_atomically(folder / f"{name}.json", (json.dumps(drop._asdict(), indent=1) + "\n").encode())
    for path in folder.glob("*.json"):
        if path.stem not in found.dropped:  # a line with more settings is decided anew
            path.unlink()
    return {name: step for name, step in found.due.items() if sweep.state(name).state != "failed"}


def described(sweep: SweepDirectory, plan: Plan) -> list[str]:
    """A line a cell: how many settings were begun, and how many stopped where."""
    if not plan.halving:
        return []
    dropped = standing(sweep, plan).dropped
    found, lines = (
        cells(plan),
        [f"{sweep.root}: settings are those that went on to the end (--halve={plan.halving.divisor})."],
    )
    for cell, runs in found.items():
        drops = [dropped[run.name] for run in runs if run.name in dropped]
        at = Counter((drop.rung, drop.why) for drop in drops)
        ends = [f"{n} stopped at step {rung}{f' ({why})' * bool(why)}" for (rung, why), n in sorted(at.items())]
        lines.append(f"{_name(cell, list(found))}: {len(runs)} settings begun{''.join(f', {end}' for end in ends)}.")
    return lines


def _name(cell: Config, others: Sequence[Config]) -> str:
    """What a cell differs in from the others."""
    plain: list[Mapping] = [dataclasses.asdict(one) for one in others]
    names = [name for name in plain[0] if len({repr(one[name]) for one in plain}) > 1] or ["methods"]
    values = (getattr(cell, name) for name in names)
    return ", ".join("+".join(map(str, value)) if isinstance(value, tuple) else str(value) for value in values)
