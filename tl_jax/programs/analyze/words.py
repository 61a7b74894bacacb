"""The page in words: what went well and what to try, a sentence a rule, each of numbers that the page shows.

A rule is a function of a job, and of the job without adaptation beside it (None where there is none or it is that
itself), to findings. What to try is what helps most often, not what is certain.
"""

from collections.abc import Sequence
from statistics import mean, stdev

import numpy as np

from tl_jax.programs.analyze.measured.found import Finding, Numbers, Rule, base_of
from tl_jax.programs.analyze.measured.mistakes import most_confused
from tl_jax.programs.analyze.measured.numbers import apart, used
from tl_jax.programs.analyze.watched import adversary, labelling

BEHIND = 0.02
"""Of the metric: how far a choice may be from the best step before it is worth a word."""
SURE = 0.1
"""How much confidence may exceed accuracy."""
SHIFTED = 0.15
"""Share of the target that would have to be of other classes for the source's shares."""
SEEDS_APART = 0.05
RISING = 0.02
DOMINANT, VANISHED = 0.9, 0.01
SAME_DISTANCE = 0.9
"""Of the distance without adaptation, from which it counts as unchanged."""


def findings(jobs: Sequence[Numbers]) -> list[Finding]:
    """Of all jobs, what went well first."""
    base = base_of(list(jobs))
    found = [one for job in jobs for rule in RULES for one in rule(job, None if job is base else base)]
    return sorted(found, key=lambda finding: not finding.good)


def gain(job: Numbers, base: Numbers | None) -> list[Finding]:
    """Above or below the job without adaptation, seed by seed, beyond the spread of the differences or not."""
    if base is None or not job.last or len(job.last) != len(base.last) or job.seeds != base.seeds:
        return []
    more = [a - b for a, b in zip(job.last, base.last, strict=True)]
    by, spread = mean(more), stdev(more) if len(more) > 1 else 0.0
    amount = f"{abs(by):.3f}" + (f" ± {spread:.3f}" if len(more) > 1 else " (one seed)")
    if by < 0 and -by > spread:
        text = f"{job.label} ends {amount} below {base.label}: negative transfer. Try a lower lam, or another method"
        return [Finding(False, f"{text}; see below whether the classes' shares differ.", "curves")]
    if by > 0 and by > spread:
        return [Finding(True, f"{job.label} ends {amount} above {base.label}: {_mean(job)}.", "curves")]
    text = f"{job.label} is within the seeds' spread of {base.label} ({by:+.3f} ± {spread:.3f})"
    return [Finding(False, f"{text}: nothing is shown by that. Try more seeds.", "curves")]


def stopped(job: Numbers, base: Numbers | None) -> list[Finding]:
    """Trials that diverged, a job that is not finished."""
    found = []
    if job.diverged:
        text = f"{len(job.diverged)} of {len(job.diverged) + len(job.seeds)} trials of {job.job} diverged"
        found.append(Finding(False, f"{text} ({job.diverged[0]}). Try --clip_norm=1 or a lower --lr.", "run", False))
    if not job.done:
        text = f"{job.label} stands at step {job.step} of {job.steps}; the same line goes on from there."
        found.append(Finding(False, text, "run", False))
    return found


def choice(job: Numbers, base: Numbers | None) -> list[Finding]:
    """The last and the selected step beside the best one."""
    scores, found = job.scores, []
    if not scores.oracle:
        return []
    lost = {name: mean(scores.oracle) - mean(values) for name, values in scores._asdict().items() if name in NAMED}
    if lost["last"] > BEHIND and lost["selected"] < lost["last"] / 2:
        text = f"{job.label} ends {lost['last']:.3f} under its best step, and the criterion sees it"
        return [Finding(True, f"{text} ({lost['selected']:+.3f}): take the selected step.", "curves")]
    if lost["last"] > BEHIND:
        at = f"about step {mean(scores.oracle_steps):.0f} of {job.steps}"
        text = f"{job.label} ends {lost['last']:.3f} under its best step ({at})"
        found.append(Finding(False, f"{text}. Try fewer steps, a lower --lr, or a lower lam.", "curves"))
    if lost["selected"] > BEHIND:
        text = f"The step selected of {job.label} is {lost['selected']:.3f} under its best"
        found.append(Finding(False, f"{text}. Try another criterion, by the table of choices.", "choices"))
    return found


NAMED = ("last", "selected")


def collapse(job: Numbers, base: Numbers | None) -> list[Finding]:
    """Classes that are never predicted, though the target has them; without labels, few classes in use."""
    if job.said is None or len(job.said) < 2:
        return []
    classes = len(job.said)
    if job.labels is not None:
        never = [job.names[k] for k in np.flatnonzero((job.said < 0.1 * job.labels) & (job.labels > 0))]
        if not never:
            return []
        named = ", ".join(never[:5]) + (f" and {len(never) - 5} more" if len(never) > 5 else "")
        text = f"{job.label} hardly ever predicts {len(never)} of {classes} classes ({named}): they have collapsed"
    elif used(job.said) < classes / 2:
        text = f"The predictions of {job.label} use {used(job.said):.1f} of {classes} classes: they may have collapsed"
    else:
        return []
    text += ". Try " if base is None else ". Try a lower lam, classes drawn equally often (--balanced), or "
    text += "a method that rewards the use of all classes (mcc, bnm)."
    return [Finding(False, text, "classes", job.labels is not None)]


def terms(job: Numbers, base: Numbers | None) -> list[Finding]:
    """A term beside the source's that is all of the loss while nothing is gained, or nothing of it throughout."""
    found, won = [], base is not None and bool(job.last) and bool(base.last) and mean(job.last) > mean(base.last)
    for name, curve in job.shares.items():
        if name == "source" or len(job.shares) < 2 or won:
            continue
        now, most = abs(curve[max(curve)]), max(map(abs, curve.values()))
        if most < VANISHED:
            text = f"The term {name} of {job.label} is never over {most:.2%} of the loss: it does nothing"
            found.append(Finding(False, f"{text}. Try a higher lam.", "curves", False))
        elif now > DOMINANT:
            text = f"The term {name} is {now:.0%} of the loss of {job.label} in the end, and nothing was gained by it"
            found.append(Finding(False, f"{text}. Try a lower lam.", "curves", base is not None))
    return found


def certainty(job: Numbers, base: Numbers | None) -> list[Finding]:
    """Confidence beside accuracy."""
    seen = job.reliability
    if seen is None:
        return []
    if seen.gap > SURE:
        text = f"{job.label} is surer than it is right by {seen.gap:.2f} (ECE {seen.ece:.2f})"
        text += ": pseudo-labels and thresholds of confidence would err with it. Try label smoothing or fewer steps"
        return [Finding(False, f"{text}, and do not read its probabilities as such.", "calibration")]
    if seen.ece < SURE / 2:
        return [Finding(True, f"{job.label} is calibrated: ECE {seen.ece:.3f} on the target.", "calibration")]
    return []


def distance(job: Numbers, base: Numbers | None) -> list[Finding]:
    """How well a linear classifier tells the domains apart by the features, with and without adaptation."""
    ours, theirs = (_distance(one) for one in (job, base))
    if ours is None or theirs is None or theirs <= 0:
        return []
    pair = f"{ours:.2f} beside {theirs:.2f}"
    if ours >= SAME_DISTANCE * theirs:
        text = f"The features of {job.label} tell the domains apart as before (proxy A-distance {pair})"
        lost = bool(job.last and base and base.last) and mean(job.last) <= mean(base.last)  # pyright: ignore
        return (
            [Finding(False, f"{text}. Try a higher lam, if they are to be aligned.", "features", False)] if lost else []
        )
    return [Finding(True, f"{job.label} brought the domains together: proxy A-distance {pair}.", "features", False)]


def label_shift(job: Numbers, base: Numbers | None) -> list[Finding]:
    """Shares of the classes in the target beside those of the source; said once, of the job without adaptation."""
    if job.shift is None or base is not None:
        return []
    seen = job.shift.true if job.shift.true is not None else job.shift.estimated
    if seen is None or (by := apart(seen, job.shift.source)) <= SHIFTED:
        return []
    how = "by its labels" if job.shift.true is not None else "by estimate"
    text = f"The target's classes are shared out otherwise than the source's ({by:.2f} of it {how})"
    text += (
        ": methods that align the whole domains, and criteria such as im, then err. Try a method that weighs classes"
    )
    return [
        Finding(
            False, f"{text}, or label_space=partial where some are not there.", "classes", job.shift.true is not None
        )
    ]


def learning(job: Numbers, base: Numbers | None) -> list[Finding]:
    """A source that is not learnt, a curve that still rises, seeds that differ."""
    found, curve = [], {step: mean(values) for step, values in job.curve.items()}
    if job.metric == "accuracy" and job.scores.source and mean(job.scores.source) < 0.8 and base is None:
        text = f"{job.label} is right on {mean(job.scores.source):.2f} of the source's own validation examples"
        found.append(
            Finding(False, f"{text}: it has not learnt it. Try more steps, a larger network or --lr.", "curves", False)
        )
    steps = sorted(curve)
    if len(steps) >= 5 and job.done and curve[steps[-1]] - curve[steps[-1 - len(steps) // 4]] > RISING:
        rise = curve[steps[-1]] - curve[steps[-1 - len(steps) // 4]]
        found.append(
            Finding(False, f"{job.label} still rises ({rise:+.3f} in the last quarter): try more --steps.", "curves")
        )
    if len(job.last) > 1 and stdev(job.last) > SEEDS_APART:
        text = f"The seeds of {job.label} are {stdev(job.last):.3f} apart: try more of them before comparing it."
        found.append(Finding(False, text, "curves"))
    return found


def confusions(job: Numbers, base: Numbers | None) -> list[Finding]:
    """One pair of classes that makes a good part of all mistakes."""
    if job.confusion is None or len(job.confusion) < 4:
        return []
    wrong = job.confusion.sum() - np.trace(job.confusion)
    pairs = most_confused(job.confusion, job.names, 1)
    if wrong < 10 or not pairs or pairs[0][2] < wrong / 4:
        return []
    true, said, count, _ = pairs[0]
    text = f"{count / wrong:.0%} of the mistakes of {job.label} are {true} taken for {said}"
    return [Finding(False, f"{text}: look at these two in the data.", "classes")]


def _mean(job: Numbers) -> str:
    return f"{mean(job.last):.3f}" + (f" ± {stdev(job.last):.3f}" if len(job.last) > 1 else "")


def _distance(job: Numbers | None) -> float | None:
    return job.spaces[max(job.spaces)].distance if job is not None and job.spaces else None


RULES: tuple[Rule, ...] = (
    stopped,
    gain,
    choice,
    collapse,
    terms,
    certainty,
    labelling,
    distance,
    adversary,
    label_shift,
    learning,
    confusions,
)
