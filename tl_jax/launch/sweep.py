"""Sweeps: one line from a grid to runs, as many at once as the machine has devices for, and to a table.

    tl-jax sweep transductive --dir=sweeps/a --over='method=source_only, dann, mcc, cdan(entropy=True)' \\
        --over='lam=0.1, 0.3, 1' --seeds=5
    tl-jax sweep transductive --dir=sweeps/b --over='lr=log(1e-4, 1e-1, 8)' --over='network=cnn, lenet' \\
        --together='batch_size, steps = (32, 600), (64, 300)' --only='dann: lam=0.1, 1'
    tl-jax sweep transductive --dir=sweeps/c --draws=20 --over='lr=log_uniform(1e-4, 1e-1)' --pairs=office_caltech
    tl-jax sweep transductive --dir=sweeps/d --method=dann --over='lam=log(0.01, 3, 9)' --halve=3 --rungs=120,300
    tl-jax sweep transductive --dir=sweeps/e --method=dann --over='lr=log_uniform(1e-4, 1e-1)' --search=tpe \\
        --draws=64 --rounds=8 --budget=2h
    tl-jax sweep status --dir=sweeps/a            (also: retry, cancel, collect)

The flags of the kind of transfer go along. After '=' stands the argument list of a Python call: numbers, names, calls,
texts in quotes, and log(low, high, n), linear(low, high, n), ints(low, high); with --draws also uniform(low, high),
log_uniform(low, high), whole(low, high). --spec=my_sweep.py takes all points from the plan() of a Python file instead.
What fits one program is one run; a value that a method lacks is dropped.
--halve: at each of --rungs the best of so many settings goes on, by the run's own criterion without target labels.
--search: each round of draws is chosen by what the rounds before scored. --budget: more hours than that are refused.
Everything is checked before the first run begins. Ctrl-C, or a kill, and the same line again goes on, nothing twice.
status: where every run stands. retry: forget what failed, so that the same line tries it again. cancel: stop the
processes of this sweep, each saved where it stands. collect: all trials into one table (see tl-jax report).
"""

import dataclasses
import os
import signal
from collections.abc import Callable
from pathlib import Path

from absl import flags

from tl_jax.core.errors import UserError, unknown
from tl_jax.kinds.table import KINDS, kind_of
from tl_jax.launch import clusters
from tl_jax.launch.flags import FLAGS, alone, define, without
from tl_jax.launch.report import define as define_report
from tl_jax.launch.report import report
from tl_jax.launch.sweep_line import grown, of_a_line, plan_of, searching
from tl_jax.run.plan.words import begins_from
from tl_jax.run.settings.config import Config
from tl_jax.run.store.lock import locked
from tl_jax.sweep import halving as rungs
from tl_jax.sweep.asked.values import CALLED
from tl_jax.sweep.budget import estimate, hours_of, measured
from tl_jax.sweep.clusters import slurm
from tl_jax.sweep.clusters.tasks import Asked as Cluster
from tl_jax.sweep.directory import Plan, SweepDirectory
from tl_jax.sweep.local import Pool, Stop, places, starter, work
from tl_jax.sweep.report import costs, duration, planned, standing
from tl_jax.sweep.search import ahead

WORDS = True
ASKED: dict[str, Callable[[], Config]] = {}


def begin(words: list[str]) -> None:
    """The flags of the command that is named first: a kind of transfer has its own."""
    word = next((word for word in words if word in KINDS or word in COMMANDS), "")
    flags.DEFINE_string("dir", "", "The sweep's directory.")
    if word == "collect":
        define_report()
    if word in COMMANDS:
        return
    of_a_line()
    kind = KINDS[word if word in KINDS else "transductive"]
    ASKED[word] = define(kind.defaults, without(kind), {}, CALLED.get(word, {}))


def main(*words: str) -> None:
    """A kind of transfer to sweep, or a command about a sweep."""
    word, *rest = words or ("",)
    if not word or word not in (*KINDS, *COMMANDS):
        raise unknown("kind of transfer or command", word, [*KINDS, *COMMANDS])
    if rest:
        raise UserError(f"'{rest[0]}' is not a flag: flags begin with --, and texts with blanks stand in quotes.")
    if not FLAGS.dir:
        raise UserError("--dir names the sweep's directory, as in --dir=sweeps/a.")
    sweep = SweepDirectory(Path(FLAGS.dir))
    if word in COMMANDS:
        COMMANDS[word](sweep)
    else:
        _sweep(sweep, ASKED[word]())


def _sweep(sweep: SweepDirectory, base: Config) -> None:
    if FLAGS.run_dir or FLAGS.list_params:
        raise UserError("--run_dir and --list_params are of a single run: leave them out.")
    alone()
    if kind_of(base).planning.new_head and begins_from(base) and not FLAGS["source"].present:
        base = dataclasses.replace(base, source=())
    sweep.refuse_foreign()
    limit = hours_of(FLAGS.budget) if FLAGS.budget else 0.0
    plan = plan_of(sweep, base)
    print(planned(plan))
    if limit:
        _afford(sweep, plan, limit)
    jobs = clusters.asked()
    if FLAGS.dry_run:
        print(clusters.shown(sweep, plan, jobs), end="")
        print("Nothing was run or written.")
    elif FLAGS.on == "local":
        _here(sweep, plan)
    else:
        _submit(sweep, plan, jobs)


def _afford(sweep: SweepDirectory, plan: Plan, limit: float) -> None:
    """Say what is left of a sweep and how long that takes. Raises UserError where it is more than the budget."""
    local = FLAGS.on == "local"
    found = places(FLAGS.platform, FLAGS.processes) if local else [{}]
    known = {state.name for state in sweep.states(plan) if state.state in ("finished", "failed", "dropped")}
    cost = measured(plan.options, found, lambda line: print(line, flush=True))
    left = estimate(plan, [run.name for run in plan.runs if run.name not in known], cost)
    if search := searching():
        begun = estimate(plan, [run.name for run in plan.runs], cost)
        left = left.with_more(begun, ahead(search, plan))
    print(costs(left, len(found) if local else 0))
    if (hours := left.elapsed(len(found)) if local else left.hours) > limit:
        raise UserError(f"--budget={FLAGS.budget}: this takes about {duration(hours)}. Sweep less, or give it more.")


def _todo(sweep: SweepDirectory, plan: Plan) -> tuple[Plan, dict[str, int]]:
    """Keep the plan; what is to be trained now. What the machine failed at is tried again, a mistake is not."""
    sweep.keep(plan)
    for state in sweep.states(plan):
        if state.state == "failed" and state.code != UserError.code:
            sweep.forget_failure(state.name)
    return _due(sweep, plan)


def _due(sweep: SweepDirectory, plan: Plan) -> tuple[Plan, dict[str, int]]:
    """The plan, which a search may have made longer, and {run: step}: what is not finished, to its end (0), or to the
    next rung what has not come there."""
    plan = grown(sweep, plan)
    if plan.halving:
        return plan, rungs.mark(sweep, plan)
    return plan, {state.name: 0 for state in sweep.states(plan) if state.state not in ("finished", "failed")}


def _submit(sweep: SweepDirectory, plan: Plan, jobs: Cluster) -> None:
    with locked(sweep.root):
        clusters.shown(sweep, plan, jobs)  # refuses what it cannot say
        going = slurm.alive(sweep)
        plan, due = _todo(sweep, plan)
        print(clusters.handed(sweep, plan, [name for name in due if name not in going], jobs))
    _status(sweep)


def _here(sweep: SweepDirectory, plan: Plan) -> None:
    found = places(FLAGS.platform, FLAGS.processes)
    stop = Stop()
    with stop.listening(), locked(sweep.root):
        plan, todo = _todo(sweep, plan)
        before, done = dict[str, int](), True
        start = starter(sweep, found)
        pool = Pool(sweep, len(found), start, stop, lambda line: print(line, flush=True))
        while done and todo and todo != before:  # from rung to rung, from round to round, or once
            done, before = work(pool, list(todo)), todo
            plan, todo = _due(sweep, plan)
    print(standing(sweep, plan, sweep.states(plan)))
    if not done:
        raise SystemExit(130)
    if any(state.state == "failed" for state in sweep.states(plan)):
        raise SystemExit(UserError.code)
    print(f"All trials in one table: tl-jax sweep collect --dir={sweep.root}")


def _status(sweep: SweepDirectory) -> None:
    plan = sweep.plan()
    print(standing(sweep, plan, slurm.overlaid(sweep.states(plan), slurm.alive(sweep))))


def _retry(sweep: SweepDirectory) -> None:
    failed = [state for state in sweep.states(sweep.plan()) if state.state == "failed"]
    for state in failed:
        sweep.forget_failure(state.name)
    print(f"{len(failed)} runs may be tried again: give the line of the sweep again.")


def _cancel(sweep: SweepDirectory) -> None:
    sweep.plan()
    print(slurm.cancel(sweep) if slurm.alive(sweep) else sweep.cancel(os.kill, signal.SIGTERM))


def _collect(sweep: SweepDirectory) -> None:
    sweep.plan()
    report([sweep.root])


COMMANDS: dict[str, Callable[[SweepDirectory], None]] = {
    "status": _status,
    "retry": _retry,
    "cancel": _cancel,
    "collect": _collect,
}
