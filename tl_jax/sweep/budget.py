"""What a sweep costs before it is begun: programs, trials, files, and hours from a measured step of each program.

A program is measured by as many processes at once as the pool has places, which share the machine as its runs will,
and remembered on this machine. `python -m tl_jax.sweep.budget` is one such process: a configuration in, seconds out.
"""

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from tl_jax.core.errors import MachineError, UserError
from tl_jax.core.files import keep_in_cache, user_cache
from tl_jax.core.sealed import digest, opened, seal
from tl_jax.run.cost import JobCost
from tl_jax.run.plan.devices import cores
from tl_jax.run.settings.config import AMOUNTS, Config
from tl_jax.sweep.asked.space import SETS
from tl_jax.sweep.directory import Plan
from tl_jax.sweep.halving import cells
from tl_jax.sweep.local import importable
from tl_jax.sweep.plan import Run, config_of

UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0}
FREE = ("sweep", "seeds", "lr", "lam", "weight_decay", "steps", "eval_every", "pretrain_steps", *AMOUNTS)
"""Fields that change neither a program's shape nor the time of its step."""
OF_A_RUN, OF_A_JOB = 14, 34
"""Files of a run directory besides one an evaluation: settings, results, tables; checkpoints of each job."""
Environments = Sequence[Mapping[str, str]]


class Costs(NamedTuple):
    """start: seconds until a run trains (reading, compiling); jobs: of each of its jobs."""

    start: float
    jobs: tuple[JobCost, ...]


class Estimate(NamedTuple):
    """What is left of a sweep. hours: of all runs one after the other; longest: of one run."""

    programs: int
    trials: int
    files: int
    hours: float
    longest: float

    def with_more(self, other: "Estimate", times: float) -> "Estimate":
        """With what is not planned yet, as many times another estimate."""
        trials, files = (round(times * n) for n in (other.trials, other.files))
        hours, longest = self.hours + times * other.hours, max(self.longest, other.longest)
        return self._replace(trials=self.trials + trials, files=self.files + files, hours=hours, longest=longest)

    def elapsed(self, places: int) -> float:
        """Hours with so many runs at once."""
        return max(self.hours / places, self.longest)


def hours_of(text: str) -> float:
    """'90m', '20h', '2d' -> hours. Raises UserError for what is none of these."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([mhd])", text.strip())
    if not found or not float(found[1]):
        raise UserError(f"--budget={text}: write minutes, hours or days, as in 90m, 20h or 2d.")
    return float(found[1]) * UNITS[found[2]] / 3600


def estimate(plan: Plan, todo: Sequence[str], cost: Callable[[Run], Costs]) -> Estimate:
    """Of the runs that are to be trained; where settings are halved, of as many as go on from each rung.

    Raises UserError for runs whose length is known once their data are read.
    """
    long, left = lengths(plan), [run for run in plan.runs if run.name in set(todo)]
    if any(run.config.epochs for run in left):
        raise UserError("--budget: how many steps --epochs are is known once the data are read. Say --steps.")
    hours, files = [], 0
    for run in left:
        found, (steps, starts) = cost(run), long[run.name]
        each = (job.seconds(run.config, min(steps, run.config.steps)) for job in found.jobs)
        hours.append((starts * found.start + sum(each)) / 3600)
        every = run.config.eval_every or max(1, run.config.steps // 10)
        files += OF_A_RUN + len(found.jobs) * (OF_A_JOB + -(-steps // every))
    programs = len({_shape(run) for run in left})
    return Estimate(programs, sum(run.trials for run in left), files, sum(hours), max(hours, default=0.0))


def lengths(plan: Plan) -> dict[str, tuple[int, int]]:
    """{run: (steps that are trained, times that it is begun)}, as if of every cell the first went on."""
    found = {run.name: (run.config.steps, 1) for run in plan.runs}
    for runs in cells(plan).values() if plan.halving else ():
        assert plan.halving
        kept, begun = len(runs), 1
        for rung in plan.halving.rungs:
            if kept < 2:
                break
            fewer = max(1, kept // plan.halving.divisor)
            found |= {run.name: (rung, begun) for run in runs[fewer:kept]}
            kept, begun = fewer, begun + 1
        found |= {run.name: (run.config.steps, begun) for run in runs[:kept]}
    return found


def _shape(run: Run) -> str:
    """What the time of a run's step depends on; domains of one benchmark have one shape."""
    usual, config = Config(), run.config
    same = dataclasses.replace(config, **{name: getattr(usual, name) for name in FREE})
    of = lambda spec: next((name for name, domains in SETS.items() if spec in domains), spec)
    plain = same.to_json() | {"source": [of(one) for one in config.source], "target": of(config.target)}
    return digest([plain, run.trials])


def measured(options: Mapping[str, Any], places: Environments, say: Callable[[str], None]) -> Callable[[Run], Costs]:
    """The costs of a run's program, as remembered or as measured now. Raises MachineError where it cannot be."""
    path, here = user_cache() / "steps.json", f"jax {jax.__version__}, {os.uname().nodename}, {cores()} cores"
    plain = {name: options[name] for name in ("platform", "devices", "trials", "device_bytes", "workers")}
    found = dict[str, Costs]()

    def cost(run: Run) -> Costs:
        key = digest([here, plain, list(map(dict, places)), _shape(run)])
        if key not in found and (kept := _recalled(path).get(key)):
            found[key] = _costs(kept)
        if key not in found:
            say(f"Measuring a step of {run.name}")
            found[key] = _measure(run, options, places)
            kept = [found[key].start, found[key].jobs]
            keep_in_cache(path, seal({**_recalled(path), key: kept}).encode())
        return found[key]

    return cost


def _recalled(path: Path) -> dict[str, Any]:
    try:
        return opened(path.read_bytes())
    except (OSError, ValueError):
        return {}


def _costs(plain: Any) -> Costs:
    return Costs(plain[0], tuple(JobCost(*job) for job in plain[1]))


def _measure(run: Run, options: Mapping[str, Any], places: Environments) -> Costs:
    """The longest of what as many processes at once find."""
    asked = json.dumps({"config": run.config.to_json(), "options": dict(options)})
    words, began = [sys.executable, "-m", "tl_jax.sweep.budget"], time.monotonic()
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    going = [
        subprocess.Popen(words, text=True, env={**os.environ, **importable(), **environment}, **pipes)
        for environment in places
    ]
    for one in going:
        one.stdin.write(asked)  # pyright: ignore[reportOptionalMemberAccess]
        one.stdin.close()  # pyright: ignore[reportOptionalMemberAccess]
        one.stdin = None  # all read before the first is waited for
    found = []
    for one in going:
        out, errors = one.communicate()
        if one.returncode:
            last = (errors.strip().splitlines() or [f"exit code {one.returncode}"])[-1]
            raise MachineError(f"--budget: a step of {run.name} cannot be measured: {last.removeprefix('tl_jax: ')}")
        found.append(_costs(json.loads(out.splitlines()[-1])))
    took = time.monotonic() - began
    slowest = lambda name: [
        max(getattr(job, name) for job in jobs) for jobs in zip(*(c.jobs for c in found), strict=True)
    ]
    pairs = zip(found[0].jobs, slowest("step"), slowest("evaluation"), strict=True)
    jobs = tuple(job._replace(step=step, evaluation=evaluation) for job, step, evaluation in pairs)
    return Costs(max(0.0, took - max(one.start for one in found)), jobs)


def main() -> int:
    """Measure one configuration; prints the seconds that the measured steps took, and each job's costs."""
    from tl_jax.core.errors import UserError
    from tl_jax.kinds.table import kind_of, prepare
    from tl_jax.run import cost
    from tl_jax.run.plan.devices import setup
    from tl_jax.run.plan.types import Options

    asked = json.load(sys.stdin)
    config, options = config_of(asked["config"]), asked["options"]
    setup(options.pop("platform", "auto"), options.get("devices", 0))
    try:
        found = cost.measured(kind_of(config), prepare(config, Options(**options), {}))
    except UserError as error:
        print(f"tl_jax: {error}", file=sys.stderr)
        return error.code
    timed = sum(cost.REPEATS * cost.STEPS * job.step + job.evaluation for job in found)
    print(json.dumps([timed, found]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
