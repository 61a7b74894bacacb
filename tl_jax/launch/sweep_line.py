"""The line of a sweep: its flags, besides those of its kind of transfer, and the plan that they ask for."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

from absl import flags

from tl_jax.core.errors import UserError
from tl_jax.kinds.table import prepare
from tl_jax.launch import clusters
from tl_jax.launch.flags import FLAGS, options
from tl_jax.run.plan.devices import setup as setup_devices
from tl_jax.run.settings.config import Config
from tl_jax.sweep import halving as rungs
from tl_jax.sweep.asked import spec
from tl_jax.sweep.asked.inner import LEFT_OUT, with_inner
from tl_jax.sweep.asked.rungs import Halving, halving_of
from tl_jax.sweep.asked.space import SETS, Asked, Point, points, studies
from tl_jax.sweep.directory import Plan, SweepDirectory
from tl_jax.sweep.plan import Run, digest_of, runs
from tl_jax.sweep.search import SEARCHES, Search, check, first, further, point, scores, searched


def of_a_line() -> None:
    """Define them."""
    several, string = flags.DEFINE_multi_string, flags.DEFINE_string
    whole = functools.partial(flags.DEFINE_integer, lower_bound=0)
    several("over", [], "Repeatable. name=value, value, ...: crossed with all others.")
    several("together", [], "Repeatable. 'name, name = (value, value), (value, value)': values that go together.")
    several("only", [], "Repeatable. 'dann: lam=0.1, 1': values of a name for one method (network, ...) alone.")
    string("spec", "", "A Python file whose plan() gives the points, each a dictionary of names and values.")
    string("pairs", "", f"All ordered pairs of these domains: {', '.join(SETS)}, or domains in quotes.")
    string("leave_out", "", "Each of these domains in turn is the target of all the others; as in --pairs.")
    text = "Train what it takes to choose settings so: with each source in turn as the target of the others."
    flags.DEFINE_enum("choose", None, [LEFT_OUT], text)
    whole("draws", 0, "How many times random values are drawn.")
    flags.DEFINE_integer("draw_seed", 0, "Of the random values.")
    whole("halve", 0, "With --rungs: the best of so many settings goes on from each rung, by the label-free criterion.")
    string("rungs", "", "With --halve: the steps at which settings are compared, as in 100,300.")
    flags.DEFINE_enum("search", None, SEARCHES, "How random values are chosen from round to round, by the criterion.")
    whole("rounds", 0, "With --search: in how many rounds the --draws of each combination of other values are drawn.")
    whole("most", 0, "Trials of one run at most; 0 is as many as fit one program.")
    whole("processes", 0, "Runs at once on a CPU; 0 is two where there are two cores. GPUs have one each.")
    string("budget", "", "Hours that it may take (90m, 20h, 2d): measured before it is begun, over it nothing is run.")
    clusters.define()


def asked() -> Asked:
    """What is swept, as texts."""
    return Asked(FLAGS.over, FLAGS.together, FLAGS.only, FLAGS.pairs, FLAGS.leave_out, FLAGS.draws, FLAGS.draw_seed)


def said() -> list[Any]:
    """What the line says of which runs there are, as plain JSON: where it is the same, so are they."""
    more = [FLAGS.choose] if FLAGS.choose else []
    return [asked()._asdict(), FLAGS.most, spec.said(FLAGS.spec), halving(), FLAGS.search, FLAGS.rounds, *more]


def halving() -> Halving | None:
    """Where the worse settings are dropped, if anywhere."""
    found = halving_of(FLAGS.halve, FLAGS.rungs)
    if found and FLAGS.most:
        raise UserError("--halve has one setting in each run: leave out --most.")
    return found


def searching() -> Search | None:
    """How random values are searched, if they are."""
    if not FLAGS.search and FLAGS.rounds:
        raise UserError("--rounds goes with --search.")
    if not FLAGS.search:
        return None
    if FLAGS.halve or FLAGS.spec:
        raise UserError("--search goes neither with --halve nor with --spec.")
    return searched(studies(asked()), FLAGS.draws, FLAGS.rounds, FLAGS.draw_seed)


def plan_of(sweep: SweepDirectory, base: Config) -> Plan:
    """The plan of this line; the one that is kept where the line is the same, so that nothing is checked again."""
    how = dataclasses.asdict(dataclasses.replace(options(), devices=FLAGS.devices or 1))
    how |= {"platform": FLAGS.platform, "pictures": FLAGS["pictures"].present and FLAGS.pictures}
    line = digest_of([base.to_json(), *said(), how])
    if (sweep.root / "plan.json").exists() and (kept := sweep.plan()).asked == line:
        return kept
    search, halved, rounds = searching(), halving(), ()
    if FLAGS.choose and (search or halved):
        raise UserError(
            f"--choose={FLAGS.choose} compares settings that are all trained: leave out --halve or --search."
        )
    if search:
        rounds = (first(search),)
        found = [point(search, one) for one in rounds[0]]
        _check_given(found)
    else:
        found = spec.points_of(FLAGS.spec, asked()) if FLAGS.spec else points(asked())
        _check_given(found)
        found = with_inner(base, found) if FLAGS.choose else found
    plan = Plan(base, how, line, _runs(base, found, len(base.seeds) if halved else FLAGS.most), halved, rounds)
    if plan.halving:
        rungs.check(plan)
    if search:
        check(search, plan)
    return plan


def _check_given(found: Sequence[Point]) -> None:
    """Raises UserError for a flag of the run that every point gives another value to: it would say nothing."""
    for name in sorted(set.intersection(*map(set, found))) if found else ():
        if name in FLAGS and FLAGS[name].present:
            raise UserError(f"--{name} is given, and every run of the sweep has a value of its own: leave it out.")


def grown(sweep: SweepDirectory, plan: Plan) -> Plan:
    """With the next round of a search, where all before it are finished, or failed for good; it is kept."""
    search = searching()
    settled = lambda one: one.state == "finished" or (one.state == "failed" and one.code == UserError.code)
    while search and all(map(settled, sweep.states(plan))):
        more = further(search, plan, scores(sweep, plan, search))
        if not more:
            break
        names = {run.name for run in plan.runs}
        made = _runs(plan.base, [point(search, one) for one in more], FLAGS.most)
        new = (run for run in made if run.name not in names)
        plan = plan._replace(runs=(*plan.runs, *new), rounds=(*plan.rounds, more))
        sweep.keep(plan)
    return plan


def _runs(base: Config, found: Sequence[Point], most: int) -> tuple[Run, ...]:
    setup_devices("cpu")  # the devices' memory is for the runs
    checking = dataclasses.replace(options(), devices=1)
    return tuple(runs(base, found, lambda config: prepare(config, checking, {}), most))
