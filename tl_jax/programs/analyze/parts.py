"""The sections of the page, each from the numbers of the jobs; what cannot be shown says why."""

from collections.abc import Callable, Sequence

import numpy as np

from tl_jax.data.domain import known
from tl_jax.programs.analyze import figures
from tl_jax.programs.analyze.measured.found import Numbers, Space, base_of
from tl_jax.programs.analyze.measured.mistakes import most_confused
from tl_jax.programs.analyze.measured.numbers import apart
from tl_jax.programs.analyze.page import Section, card, grid, matrix, paragraph, table, text
from tl_jax.run.report.table import Table, mean_std

WHOLE = 20
"""Classes up to which a matrix and bars are shown; of more, what differs most."""
NO_LABEL = "No label of the target's test split is known, so nothing is said of it here."
OF_VALUES = "Labels are values: there are no classes."
Jobs = Sequence[Numbers]


def drawn(draw: Callable, said: str) -> str:
    """A picture, or a line of why it was not drawn: one that fails costs no page."""
    try:
        return figures.svg(draw, text(said))
    except Exception as error:
        return paragraph(f"Not drawn: {type(error).__name__}: {error}", "note")


def curves(jobs: Jobs) -> Section:
    """The metric and the terms of the loss over steps."""
    scored = [job for job in jobs if job.curve]
    parts = [drawn(lambda: figures.scores(jobs), "The metric over steps") if scored else paragraph(NO_LABEL, "note")]
    if scored:
        said = (
            "Mean over seeds, the band from least to greatest. Triangle: the step that the run's criterion selected, a "
        )
        parts.append(
            paragraph(f"{said}seed each; star: the best one by the target's validation labels (oracle).", "note")
        )
    shown = [
        (job.label, drawn(lambda job=job: figures.losses(job), f"Loss of {job.label}")) for job in jobs if job.logged
    ]
    parts.append(grid(shown))
    told = (
        "Shares are of the loss's value with its weights, and say nothing of an adversarial term's reversed gradient."
    )
    if without := [job.label for job in jobs if len(job.logged) and not job.shares]:
        told += f" Of {', '.join(without)} no logged numbers add up to the loss by weight: there are no shares."
    return Section("curves", "Learning curves", "".join([*parts, paragraph(told, "note")]), bool(scored))


def classes(jobs: Jobs) -> Section:
    """Accuracy within each class, and who is taken for whom."""
    ours = [job for job in jobs if job.confusion is not None]
    if not ours:
        why = OF_VALUES if jobs[0].metric != "accuracy" else NO_LABEL
        found = [
            (job.label, drawn(lambda job=job: figures.values(job), "Predicted over true")) for job in jobs if job.pairs
        ]
        return Section("classes", "Per class", paragraph(why, "note") + grid(found), bool(found))
    how = "Rows are true, columns predicted: mean counts over seeds, shaded by the share of the row."
    return Section(
        "classes",
        "Per class",
        _recalls(ours) + paragraph(how, "note") + grid((j.label, _confusion(j)) for j in ours),
        True,
    )


def _recalls(jobs: Jobs) -> str:
    first = jobs[0]
    assert first.confusion is not None
    size = first.confusion.sum(1)
    kept = np.flatnonzero(size > 0)
    if len(kept) > WHOLE:
        worst = np.mean([_recall(job) for job in jobs], 0)
        kept = kept[np.argsort(worst[kept], kind="stable")][:WHOLE]
    cells = [["class", "examples", *(job.label for job in jobs)]]
    for k in kept:
        each = [job.recall[:, k].tolist() if job.recall is not None else [] for job in jobs]
        cells.append([first.names[k], f"{size[k]:.0f}", *(mean_std(values, 2) for values in each)])
    several = f" The {WHOLE} of lowest mean, of {int((size > 0).sum())} classes." if (size > 0).sum() > WHOLE else ""
    return paragraph(
        f"Share of each class's test examples that is right, mean ± deviation over seeds.{several}", "note"
    ) + table(cells)


def _recall(job: Numbers) -> np.ndarray:
    return np.zeros(len(job.names)) if job.recall is None else job.recall.mean(0)


def _confusion(job: Numbers) -> str:
    counts = job.confusion
    assert counts is not None
    if len(counts) <= WHOLE:
        whole = np.maximum(counts.sum(1, keepdims=True), 1e-9)
        shown = [[f"{c:.0f}" if c > 0.5 else "·" if c else "" for c in row] for row in counts.tolist()]
        return matrix((counts / whole).tolist(), shown, job.names)
    pairs = most_confused(counts, job.names, WHOLE)
    return table(
        [["true", "predicted", "examples", "of the class"], *([t, p, f"{n:.1f}", f"{s:.0%}"] for t, p, n, s in pairs)]
    )


def calibration(jobs: Jobs) -> Section:
    """Whether 0.9 means nine of ten."""
    ours = [job for job in jobs if job.reliability is not None]
    if not ours:
        return Section(
            "calibration", "Calibration", paragraph(OF_VALUES if jobs[0].metric != "accuracy" else NO_LABEL, "note")
        )
    title = lambda job: f"{job.label}: ECE {job.reliability.ece:.3f}"
    found = [
        (title(job), drawn(lambda job=job: figures.calibration(job), f"Reliability of {job.label}")) for job in ours
    ]
    how = "Bars: accuracy of the test examples by confidence, fainter where they are few; red: the gap to the "
    how += (
        "confidence. ECE: of 15 bins, mean over seeds; above the diagonal it is less sure than right, under it surer."
    )
    return Section("calibration", "Calibration", grid(found) + paragraph(how, "note"), True)


def mistakes(jobs: Jobs, why: str) -> Section:
    """What it was surest of and wrong."""
    ours = [job for job in jobs if job.mistakes]
    if not ours:
        none = (
            NO_LABEL
            if not any(job.curve for job in jobs)
            else "There are no mistakes on the examples whose label is known."
        )
        return Section("mistakes", "Most certain mistakes", paragraph(none, "note"))
    parts = []
    for job in ours:
        cards = [card([f"said {m.said}, true {m.true}", *_sure(m.sure), m.name], m.picture) for m in job.mistakes]
        parts.append(f'<h3>{text(job.label)}, seed {job.seeds[0]}</h3><div class="grid cards">{"".join(cards)}</div>')
    if not any(m.picture for job in ours for m in job.mistakes):
        parts.append(paragraph(f"By name or row number. {why or 'The examples are no images.'}", "note"))
    return Section("mistakes", "Most certain mistakes", "".join(parts), True)


def _sure(sure: float | None) -> list[str]:
    return [] if sure is None else [f"p = {sure:.3f}"]


def features(jobs: Jobs) -> Section:
    """Features in the plane, and how far the domains are apart in them."""
    ours = [job for job in jobs if "target" in job.plane]
    found = [(job.label, drawn(lambda job=job: figures.plane(job), f"Features of {job.label}")) for job in ours]
    parts = [
        grid(found)
        if found
        else paragraph("No job has ended yet: features to be shown are stored at a job's end.", "note")
    ]
    cells = [["method", "step", "norm: target", "source", "rank: target", "source", "proxy A-distance"]]
    for job in jobs:
        ends = sorted({min(job.spaces), max(job.spaces)}) if job.spaces else []
        cells += [[job.label, str(step), *_space(job.spaces[step])] for step in ends]
    if len(cells) > 1:
        parts.append(table(cells))
    if any(len(job.spaces) > 1 for job in jobs):
        over = {"norm of the target's features": _of("norm"), "effective rank": _of("rank")}
        parts.append(drawn(lambda: figures.over_time(jobs, over), "Features over time"))
    else:
        beside = f": read it beside that of {base.label}" if (base := base_of(list(jobs))) else ""
        how = "Features of the evaluations before were not stored, so the distance is of the last step alone"
        parts.append(paragraph(f"{how}{beside}. A run with --select=dev (or class_ami) keeps them all.", "note"))
    how = "Proxy A-distance: 2 (1 - 2 error) of a linear classifier of the domains on held-out halves, 2 if it tells "
    how += "them apart, 0 if it cannot. Rank: exp of the entropy of the singular values. All of a job's first trial."
    by_class = any(known(job.plane["target_y"]).any() for job in ours)
    return Section("features", "Features", "".join([*parts, paragraph(how, "note")]), by_class)


def _space(one: Space) -> list[str]:
    return [
        "-" if x is None else f"{x:.2f}" for x in (one.norm, one.source_norm, one.rank, one.source_rank, one.distance)
    ]


def _of(name: str) -> Callable[[Numbers], dict[int, float]]:
    return lambda job: {step: getattr(one, name) for step, one in job.spaces.items()}


def shares(jobs: Jobs) -> Section:
    """Collapse and label shift: how often each class is predicted, and how often it is there."""
    ours = [job for job in jobs if job.said is not None]
    if not ours:
        return Section("shares", "Shares of the classes", paragraph(OF_VALUES, "note"))
    parts, labelled = [], any(job.labels is not None for job in ours)
    cells = [
        [
            "method",
            "predictions from labels",
            "classes in use",
            "target from source",
            "by estimate",
            "estimate from labels",
        ]
    ]
    for job in ours:
        assert job.said is not None
        rows, s = {"predicted": job.said}, job.shift
        rows |= (
            {}
            if s is None
            else {"source": s.source} | ({} if s.estimated is None else {"target, estimated": s.estimated})
        )
        rows |= {} if job.labels is None else {"target": job.labels}
        true, guess, source = job.labels, s and s.estimated, s and s.source
        far = lambda a, b: "-" if a is None or b is None else f"{apart(a, b):.3f}"
        now = f"{job.used[max(job.used)]:.2f} of {len(job.said)}" if job.used else "-"
        cells.append([job.label, far(job.said, true), now, far(true, source), far(guess, source), far(guess, true)])
        if len(job.said) <= WHOLE:
            names = job.names[: len(job.said)]
            parts.append((job.label, drawn(lambda rows=rows, names=names: figures.class_shares(rows, names), "Shares")))
    over = {"classes in use by predictions of the target": lambda job: job.used}
    how = "Distances are total variation: the share of examples that would have to be of another class. Classes in "
    how += (
        "use: exp of the entropy of the predictions' shares. By estimate: the source's confusions inverted (black-box "
    )
    how += "shift estimation), right where only the shares differ between the domains." + (
        "" if labelled else f" {NO_LABEL}"
    )
    body = table(cells) + grid(parts) + drawn(lambda: figures.over_time(ours, over), "Classes in use")
    return Section("shares", "Shares of the classes", body + paragraph(how, "note"), labelled)


def choices(found: Table | None, why: str) -> Section:
    """What every criterion would have chosen."""
    body = paragraph(why, "note") if found is None else table(found.cells) + paragraph(found.note, "note")
    return Section("choices", "What criteria choose", body, found is not None)
