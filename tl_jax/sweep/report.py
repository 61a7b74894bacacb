"""What a person reads of a sweep: what is planned, and where it stands."""

from collections import Counter
from collections.abc import Sequence

from tl_jax.sweep.budget import Estimate
from tl_jax.sweep.directory import STATES, Plan, State, SweepDirectory

SHOWN = 20
"""Lines of runs that are printed; the others are counted."""


def planned(plan: Plan) -> str:
    """The runs, their trials and the files that they will leave."""
    lines = [f"{len(plan.runs)} runs (one a program), {sum(run.trials for run in plan.runs)} trials"]
    for run in plan.runs[:SHOWN]:
        swept = "; ".join(f"{name}={', '.join(f'{value:g}' for value in values)}" for name, values in run.config.swept)
        lines.append(f"  {run.name}: {run.trials} trials of {run.config.steps} steps{f' ({swept})' if swept else ''}")
    if len(plan.runs) > SHOWN:
        lines.append(f"  and {len(plan.runs) - SHOWN} more")
    return "\n".join(lines)


def costs(left: Estimate, places: int) -> str:
    """What is left to do, and how long that takes: in a pool of so many places, or as tasks of a cluster (0)."""
    what = f"{left.programs} programs, {left.trials} trials, about {left.files} files"
    if places:
        return f"To do: {what}; about {duration(left.elapsed(places))} with {places} runs at once."
    longest = duration(left.longest)
    return f"To do: {what}; about {duration(left.hours)} of tasks like this machine, the longest run {longest}."


def duration(hours: float) -> str:
    """As a person reads it."""
    return f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"


def standing(sweep: SweepDirectory, plan: Plan, found: Sequence[State]) -> str:
    """How many runs are in which state, and why some failed."""
    trials = {run.name: run.trials for run in plan.runs}
    runs, count = Counter(one.state for one in found), Counter[str]()
    for one in found:
        count[one.state] += trials[one.name]
    lines = [f"{sweep.root}: {len(plan.runs)} runs, {sum(trials.values())} trials"]
    lines += [f"  {state:9}{runs[state]:7} runs{count[state]:8} trials" for state in STATES if runs[state]]
    failed = [one for one in found if one.state == "failed"]
    lines += [f"  {one.name}: {one.message}" for one in failed[:SHOWN]]
    if len(failed) > SHOWN:
        lines.append(f"  and {len(failed) - SHOWN} more; see {sweep.root / 'failed'}")
    return "\n".join(lines)
