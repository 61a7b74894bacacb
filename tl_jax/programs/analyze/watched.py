"""What a discriminator and pseudo-labels do in training: their sections of the page, and their words."""

from collections.abc import Callable, Mapping, Sequence
from statistics import mean

from tl_jax.programs.analyze import figures
from tl_jax.programs.analyze.measured.confidence import LOGGED
from tl_jax.programs.analyze.measured.found import Finding, Numbers
from tl_jax.programs.analyze.page import Section, paragraph, table
from tl_jax.programs.analyze.parts import NO_LABEL, OF_VALUES, drawn
from tl_jax.run.report.table import mean_std

MIXED, APART = 0.6, 0.8
"""Accuracy of a discriminator up to which domains are called mixed, and from which they are apart."""
PRECISE, WRONG = 0.9, 0.8
"""Precision from which labels are good, and under which they are not."""
FEW, SOME, MANY = 0.05, 0.3, 0.5
"""Coverage: hardly any, worth praise, and worth a word though the method uses no such labels."""
FELL = 0.05
"""How much precision may fall while coverage rises."""
FRESH = """Fitted at that step to half of the stored features of both domains, and asked about the other half
(where every step is stored, the targets are of the training split); .5 (dashed) is chance: the domains are mixed. It is
1/2 + d/4, d the proxy A-distance. First trial.""".replace("\n", " ")
ASKED = """Its own: the discriminator that the method trained, at the last step, asked about up to 300 held-out examples
a domain, which it did not see either; of several sources the first. It moves with the features: where it is at chance
and a fresh one is not, it has lost track of them, and the domains are not mixed. The area does not mind where its
threshold lies. All of a job's first trial.""".replace("\n", " ")
COUNTED = """Of the target's test split, which no step reads, at every stored evaluation, mean over seeds: labels are
what the model says there. A method's own rule is applied to these predictions; in training it sees other views,
batches and a teacher where it has one, and what it then logged is the last panel.""".replace("\n", " ")
Jobs = Sequence[Numbers]
Curve = Mapping[int, float]


def domains(jobs: Jobs) -> Section:
    """What discriminators tell of the domains: a fresh linear one over time, the method's own at the end."""
    parts, title = [], "Telling the domains apart"
    if any(len(fresh(job)) > 1 for job in jobs):
        shown = [job for job in jobs if fresh(job)]
        panel = {"accuracy of a fresh linear discriminator": fresh}
        parts.append(drawn(lambda: figures.over_time(shown, panel, 0.5), "A fresh discriminator over time"))
        parts.append(paragraph(FRESH, "note"))
    cells = [["method", "step", "a fresh one", "its own", "of the source", "of the target", "area under its curve"]]
    for job in jobs:
        now = fresh(job)
        if job.told is not None or now:
            step = job.told.step if job.told else max(now)
            cells.append([job.label, str(step), f"{now[max(now)]:.2f}" if now else "-", *_told(job)])
    parts.append(table(cells) if len(cells) > 1 else paragraph("No features of both domains are stored yet.", "note"))
    parts += [paragraph(f"{job.label}: {job.lacks['domains']}", "note") for job in jobs if "domains" in job.lacks]
    if any(job.told for job in jobs):
        kept = " adda's own sees the source as its source model does; the fresh one sees both by one network."
        adda = any(job.told and "adda" in job.job for job in jobs)
        parts.append(paragraph(ASKED + kept * adda, "note"))
    return Section("domains", title, "".join(parts))


def fresh(job: Numbers) -> dict[int, float]:
    """{step: accuracy of a linear discriminator}, by the distance 2 (1 - 2 error)."""
    return {step: 0.5 + one.distance / 4 for step, one in job.spaces.items() if one.distance is not None}


def _told(job: Numbers) -> list[str]:
    told = job.told
    each = None if told is None else (told.right, told.source, told.target, told.area)
    return ["-"] * 4 if each is None else [f"{x:.2f}" for x in each]


def labels(jobs: Jobs) -> Section:
    """How many targets get a pseudo-label over time, and how many of these are right."""
    title, ours = "Pseudo-labels", [job for job in jobs if job.pseudo is not None]
    if not ours:
        return Section(
            "labels", title, paragraph(OF_VALUES if jobs[0].metric != "accuracy" else "Nothing is stored yet.", "note")
        )
    right = any(job.pseudo and job.pseudo.precision for job in ours)
    panels: dict[str, Callable[[Numbers], Curve]] = {
        "coverage: share that gets a label": lambda job: _means(job, "coverage")
    }
    panels |= {"precision: share of these that is right": lambda job: _means(job, "precision")} if right else {}
    panels |= {"coverage in training, as logged": logged} if any(map(logged, ours)) else {}
    cells = [["method", "rule", "step", "coverage", "precision", "accuracy of all"]]
    for job in ours:
        assert job.pseudo is not None
        step = max(job.pseudo.coverage)
        share, true = (mean_std(x.get(step, ())) for x in (job.pseudo.coverage, job.pseudo.precision))
        cells.append([job.label, job.pseudo.rule, str(step), share, true, mean_std(job.curve.get(step, ()))])
    how = COUNTED + ("" if right else f" {NO_LABEL}")
    body = drawn(lambda: figures.over_time(ours, panels, 0.0), "Pseudo-labels over time") + table(cells)
    return Section("labels", title, body + paragraph(how, "note"), right)


def logged(job: Numbers) -> Curve:
    """The share of a batch that got a label, as the method logged it; of a sum with its name before it."""
    found = (curve for name, curve in job.logged.items() if name.rpartition("/")[2] in LOGGED)
    return next(found, {}) if job.pseudo is not None and job.pseudo.own else {}


def _means(job: Numbers, of: str) -> Curve:
    return {step: mean(values) for step, values in getattr(job.pseudo, of).items()}


def adversary(job: Numbers, base: Numbers | None) -> list[Finding]:
    """The method's own discriminator, beside a fresh one."""
    if job.told is None:
        return []
    told, now = job.told, fresh(job)
    text = f"The discriminator of {job.label} is right on {told.right:.2f} of held-out examples (chance .5)"
    other = now[max(now)] if now else None
    beside = "" if other is None else f", a fresh linear one on {other:.2f}"
    if told.right >= APART:
        text = f"{text}: the features do not hide the domain from it. Try a higher lam, or more steps."
        return [Finding(False, text, "domains", False)]
    if told.right <= MIXED and max(told.tells, other or 0) >= APART:
        more = beside or f", but the area under its curve is {told.area:.2f}"
        text = f"{text}{more}: it has lost track of the features, and the domains are not mixed"
        return [Finding(False, f"{text}. Try more steps, a lower lam, or a larger one (hidden=).", "domains", False)]
    if told.tells <= MIXED:
        return [Finding(True, f"{text}{beside}: for it the domains are mixed.", "domains", False)]
    return []


def labelling(job: Numbers, base: Numbers | None) -> list[Finding]:
    """Pseudo-labels: confident and wrong, ever more of them and ever worse, hardly any, or as they should be."""
    seen = job.pseudo
    if seen is None or not seen.coverage:
        return []
    share = mean(seen.coverage[max(seen.coverage)])
    if seen.own and share < FEW:
        text = f"{job.label} gives {share:.1%} of the targets a label ({seen.rule}): hardly any is learnt from"
        return [Finding(False, f"{text}. Try a less strict rule, or more steps.", "labels", False)]
    if max(seen.coverage) not in seen.precision:
        return []
    last = max(seen.precision)
    first = min(step for step in seen.precision if step == last or mean(seen.coverage[step]) >= FEW)
    true, before = mean(seen.precision[last]), mean(seen.precision[first])
    gives = f"{job.label} {'gives' if seen.own else 'would give'} {share:.0%} of the targets a label"
    text = f"{gives} ({seen.rule}), and {true:.0%} of these are right"
    if true < WRONG and share > (FEW if seen.own else MANY):
        text = f"{text}: confident and wrong"
        return [Finding(False, f"{text}. {STRICTER if seen.own else WARNING}.", "labels")]
    if seen.own and before - true > FELL and share > mean(seen.coverage[first]):
        text = f"{text}, after {before:.0%} of fewer at step {first}: it learns from its own mistakes"
        return [Finding(False, f"{text}. {STRICTER}, or a lower lam.", "labels")]
    return [Finding(True, f"{text}.", "labels")] if seen.own and true >= PRECISE and share >= SOME else []


STRICTER = "Try a stricter rule (a higher threshold, a smaller share)"
WARNING = "Methods that learn from pseudo-labels would begin with these mistakes"
