"""The page about a run: on records written by the store's own means, and words on made-up numbers."""

import dataclasses
import json
import re

import numpy as np
import pytest
import tiny

from tl_jax.core.batching import some
from tl_jax.core.errors import UserError
from tl_jax.evaluation.metrics import ece
from tl_jax.kinds.table import KINDS, prepare
from tl_jax.programs.analyze import analyze as program
from tl_jax.programs.analyze import figures
from tl_jax.programs.analyze.measured import numbers as measures
from tl_jax.programs.analyze.measured import shares
from tl_jax.programs.analyze.measured.found import Numbers, Reliability, Scores, Shift, Space
from tl_jax.programs.analyze.page import text
from tl_jax.programs.analyze.words import findings
from tl_jax.programs.select import judged
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config
from tl_jax.run.store.rundir import FEATURES, RunDirectory, packed, write_json

BAD = "<script>x()</script>"
CLASSES = (BAD, "b $x$", "c")
SOURCE, TARGET = tiny.domain("near", 0.0, CLASSES), tiny.domain("far", 1.0, CLASSES)
UNLABELLED = tiny.domain("far", 1.0, CLASSES)
for part in UNLABELLED.splits.values():
    part.y[:] = -1
CONFIG = Config(
    source=("near",), target="far", network=tiny.NETWORK, methods=("source_only", "mcc"), seeds=(0, 1), steps=12,
    eval_every=6, batch_size=16, select="dev",
)  # fmt: skip
PARTS = (
    "run",
    "words",
    "curves",
    "classes",
    "calibration",
    "mistakes",
    "features",
    "domains",
    "labels",
    "shares",
    "choices",
)


def write(root, target=TARGET, steps=(6, 12), features=True, config=CONFIG):
    """A run directory as training leaves it: the model is right the more often the later, and mcc the more so."""
    write_json(root / "config.json", dataclasses.asdict(config))
    setup = prepare(config, Options(devices=1), {"near": SOURCE, "far": target})
    directory, kind, draw = RunDirectory(root), KINDS["transductive"], np.random.default_rng(0)
    y = {"target": TARGET.train.y, "target_validation": TARGET.validation.y, "target_test": TARGET.test.y}
    y["source0_val"] = SOURCE.validation.y
    results, logits = [], {}
    for task in setup.tasks:
        job, name = task.job, task.job.name
        directory.begin(name, "map")
        for step in steps:
            sure = step / 12 + (name == "mcc")
            logits = {k: np.eye(3)[v] * sure + draw.normal(size=(2, len(v), 3)) for k, v in y.items()}
            seen = {f"{k}/logits": z.astype(np.float32) for k, z in logits.items()}
            if features:
                seen |= {f"{k}/features": draw.normal(size=(2, len(v), 8)).astype(np.float32) for k, v in y.items()}
            score = kind.score(task, seen)
            logged = {"source": 0.5, "confusion": 0.25, "total": 0.5 + 0.25 * job.trials[0][1][0][1], "grad_norm": 1.0}
            logged = logged if name == "mcc" else {"source": 0.5, "total": 0.5, "grad_norm": 1.0}
            about = [{"job": name, "step": step, "seed": seed, "values": dict(v)} for seed, v in job.trials]
            of = lambda i, score=score: {metric: values[i] for metric, values in score.items()}
            lines = [{**line, **logged, **of(i)} for i, line in enumerate(about)]
            directory.keep_record(name, step, seen, lines)
        if steps[-1] == 12:
            kept = {"target": draw.normal(size=(33, 8)), "target_y": target.test.y[np.sort(some(33, 300))]}
            kept |= {"source": draw.normal(size=(21, 8)), "source_y": SOURCE.validation.y[np.sort(some(21, 300))]}
            for split in target.splits:
                z = logits.get(f"target_{split}", logits["target"])
                kept |= {f"predicted/{split}/class": z.argmax(-1), f"predicted/{split}/probability": z.max(-1)}
            directory.keep_file(name, FEATURES, packed(kept))
            results += kind.results(task, directory)
    kind.write(setup, directory)
    (root / "results.json").write_text(json.dumps(results))


def page(root, domains=(SOURCE, TARGET), **how):
    path, said = program.analyze(root, domains={domain.name: domain for domain in domains}, **how)
    return path.read_text(), said


@pytest.fixture(scope="module", autouse=True)
def _cheap():
    """Distances, and criteria that fit something, have tests of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "a_distance", lambda x_s, x_t, key: 1.5)
        patch.setattr(program, "judged", lambda root, setup, names: judged(root, setup, ("im", "source_val")))
        yield


@pytest.fixture
def undrawn(monkeypatch):
    monkeypatch.setattr(figures, "svg", lambda draw, said: f"<svg aria-label='{said}'>")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("analyze") / "run"
    write(root)
    return root


@pytest.fixture(scope="module")
def whole(run):
    return page(run)[0]


def section(html, name):
    return re.search(rf'<section id="{name}">(.*?)</section>', html, re.DOTALL)[1]  # pyright: ignore


def test_every_part_is_there_and_what_reads_target_labels_is_marked(whole):
    for name in PARTS:
        assert section(whole, name), name
    marked = {name for name in PARTS if "with the target" in section(whole, name).partition("</h2>")[0]}
    assert marked == {"curves", "classes", "calibration", "mistakes", "features", "labels", "shares", "choices"}
    assert whole.count("<svg") >= 10
    assert "Not drawn" not in whole
    assert "share of the loss" in section(whole, "curves")
    assert "of 12" in section(whole, "run")
    assert "source_val" in section(whole, "choices")


def test_the_page_needs_no_network_and_no_name_is_markup(whole):
    assert "<script" not in whole
    assert not re.findall(r'(?:src|href)="(?!data:|#)', re.sub(r' xmlns:xlink="[^"]*"| xlink:href="#', " ", whole))
    assert text(BAD) in section(whole, "classes")
    assert "b $x$" in section(whole, "features")


def test_numbers_on_the_page_are_those_of_the_records(run, whole):
    z = RunDirectory(run).record("mcc", 12)["target_test/logits"]
    right = np.mean([ece(one, TARGET.test.y) for one in z])
    assert f"mcc: ECE {right:.3f}" in whole
    results = [r for r in json.loads((run / "results.json").read_text()) if r["method"] == "mcc"]
    assert f"{np.mean([r['selectors']['last']['target/accuracy'] for r in results]):.3f}" in section(whole, "run")
    counts = measures.counts(TARGET.test.y, z[0].argmax(1), 3)
    assert counts.sum(1).tolist() == [11, 11, 11]
    assert np.trace(counts) == (z[0].argmax(1) == TARGET.test.y).sum()


def test_without_the_data_the_run_s_own_labels_and_names_stand_in(run, undrawn):
    html, _ = page(run, domains=(), out=run.parent / "bare.html", seed=1, jobs=["mcc"])
    assert "Labels and names are those that the run kept" in html
    assert text(BAD) in section(html, "classes")
    assert "row" in section(html, "mistakes")
    assert "no choice can be judged" in section(html, "choices")
    assert "<script" not in html
    z = RunDirectory(run).record("mcc", 12)["target_test/logits"][1]
    assert f"mcc: ECE {ece(z, TARGET.test.y):.3f}" in html


def test_a_target_without_labels_and_a_run_that_stands_half_way(tmp_path, undrawn):
    write(tmp_path, UNLABELLED, steps=(3, 6), config=dataclasses.replace(CONFIG, eval_every=3), features=False)
    (tmp_path / "records" / "mcc" / "00000003.npz").unlink()
    html, said = page(tmp_path, (SOURCE, UNLABELLED))
    for name in ("curves", "classes", "calibration", "mistakes", "shares"):
        assert "No label of the target" in section(html, name), name
    assert "1 of 2 evaluations are not stored any more" in html
    assert "No job has ended yet" in section(html, "features")
    assert "stands at step 6 of 12" in " ".join(one.text for one in said)
    assert not any(one.labels for one in said)


def test_what_cannot_be_shown_is_one_message_and_nothing_is_written(run, tmp_path):
    write_json(tmp_path / "config.json", dataclasses.asdict(dataclasses.replace(CONFIG, kind="multitask", methods=())))
    out = run.parent / "none.html"
    for root, how, message in (
        (run, {"jobs": ["mc"]}, "Did you mean 'mcc'"),
        (run, {"seed": 7}, "There are: 0, 1"),
        (tmp_path, {}, "a run of multitask"),
        (tmp_path / "not", {}, "not a run directory"),
    ):
        with pytest.raises(UserError, match=message) as error:
            page(root, out=out, **how)
        assert error.value.code == 2
    assert not out.exists()


def job(name, last, **more):
    seeds = tuple(range(len(last)))
    curve = {10: last}
    return Numbers(**{"job": name, "label": name, "seeds": seeds, "step": 10, "steps": 10, "curve": curve, **more})


BASE = job("source_only", (0.5, 0.52, 0.51))
EVEN = np.full(4, 0.25)
RULES = [
    (job("m", (0.8, 0.83, 0.81)), True, "m ends 0.303 ± 0.006 above source_only"),
    (job("m", (0.3, 0.33, 0.31)), False, "negative transfer"),
    (job("m", (0.3, 0.73, 0.51)), False, "within the seeds' spread"),
    (job("m", (0.8,) * 3, diverged=("seed 3 at step 4",)), False, "1 of 4 trials of m diverged"),
    (job("m", (0.8,) * 3, steps=20), False, "stands at step 10 of 20"),
    (job("m", (0.6,), scores=Scores((0.6,), (0.6,), (0.9,), (10,), (2,))), False, "0.300 under its best step (about"),
    (job("m", (0.6,), scores=Scores((0.6,), (0.9,), (0.9,), (2,), (2,))), True, "take the selected step"),
    (job("m", (0.9,), scores=Scores((0.9,), (0.6,), (0.9,), (2,), (9,))), False, "Try another criterion"),
    (job("m", (0.8,), said=np.array([0.5, 0.5, 0, 0]), labels=EVEN, names=tuple("abcd")), False, "2 of 4 classes"),
    (job("m", (0.8,), said=np.array([1.0, 0, 0, 0])), False, "use 1.0 of 4 classes"),
    (job("m", (0.5,) * 3, shares={"source": {9: 0.999}, "domain": {9: 0.001}}), False, "domain of m is never over"),
    (job("m", (0.5,) * 3, shares={"source": {9: 0.05}, "domain": {9: 0.95}}), False, "domain is 95% of the loss"),
    (job("m", (0.8,), reliability=Reliability(EVEN, EVEN, EVEN, 0.3, 0.3)), False, "surer than it is right"),
    (job("m", (0.8,), reliability=Reliability(EVEN, EVEN, EVEN, 0.03, 0.0)), True, "m is calibrated: ECE 0.030"),
    (job("source_only", (0.8,), shift=Shift(EVEN, None, np.array([0.7, 0.1, 0.1, 0.1]))), False, "0.45 of it by"),
    (job("source_only", (0.8,), scores=Scores((0.8,), source=(0.4,))), False, "has not learnt it"),
    (job("m", (0.8,), curve={k: (k / 10,) for k in range(1, 11)}), False, "still rises (+0.200"),
    (job("m", (0.8,), confusion=np.diag([9.0] * 4) + 12 * np.eye(4, k=3), names=tuple("abcd")), False, "100% of"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "good", "words"), RULES, ids=[words for *_, words in RULES])
def test_a_sentence_follows_its_number(one, good, words):
    said = findings([one] if one.job == "source_only" else [BASE, one])
    assert [finding.good for finding in said if words in finding.text] == [good], said


def test_distances_are_read_beside_those_without_adaptation():
    far = lambda name, d, last: job(name, last, spaces={10: Space(1.0, 2.0, 1.0, 2.0, d)})
    base = far("source_only", 1.8, (0.5,) * 3)
    said = lambda d, last: " ".join(f.text for f in findings([base, far("m", d, (last,) * 3)]))
    assert "brought the domains together: proxy A-distance 0.50 beside 1.80" in said(0.5, 0.8)
    assert "as before (proxy A-distance 1.75" in said(1.75, 0.4)
    assert "as before" not in said(1.75, 0.8)


def test_numbers_that_are_unremarkable_are_not_remarked_upon():
    quiet = job("m", (0.9, 0.9), said=EVEN, labels=EVEN, names=tuple("abcd"), scores=Scores((0.9,), (0.9,), (0.9,)))
    assert findings([quiet]) == []


def test_the_shares_of_the_classes_are_estimated_where_only_they_differ():
    confused = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.0, 0.3, 0.7]])
    each = lambda n, p: np.repeat(range(3), np.rint(n * p).astype(int))
    said = lambda sizes: np.eye(3)[np.concatenate([*map(each, sizes, confused)])][None]
    of = lambda sizes: (said(sizes), np.repeat(range(3), sizes))
    (source, y_s), (target, y_t) = of([400, 400, 400]), of([840, 240, 120])
    found = measures.shift((source, y_s), target, y_t)
    assert found is not None
    assert found.estimated is not None
    assert found.true is not None
    np.testing.assert_allclose(found.estimated, [0.7, 0.2, 0.1], atol=1e-6)
    np.testing.assert_allclose(found.true, [0.7, 0.2, 0.1])


def test_terms_are_told_from_other_numbers_by_adding_up():
    logged = {
        "source": {5: 1.0, 10: 0.5},
        "confusion": {5: 0.4, 10: 0.2},
        "certain": {5: 0.3, 10: 0.9},
        "grad_norm": {5: 1.0, 10: 1.0},
    }
    total = {"total": {5: 1.0 + 0.5 * 0.4, 10: 0.5 + 0.5 * 0.2}}
    method = shares.method_of("mcc", KINDS["transductive"].methods)
    assert method is not None
    weight = lambda step: shares.weights(method, CONFIG, {"lam": 0.5, "temperature": 2.5}, step, 10)
    found = shares.weighted(logged | total, weight)
    assert set(found) == {"source", "confusion"}
    assert found["confusion"][10] == pytest.approx(0.1 / 0.6)
    assert shares.weighted({"a": {5: 1.0}, "total": {5: 9.0}}, weight) == {}


def test_calibration_counts_every_trial_and_its_bins_are_the_metric_s():
    draw = np.random.default_rng(0)
    z, y = draw.normal(size=(2, 50, 4)), draw.integers(0, 4, 50)
    found = measures.reliability(z, y)
    assert found is not None
    assert found.count.sum() == 100
    assert found.ece == pytest.approx(np.mean([ece(one, y) for one in z]))
    assert measures.used(np.array([0.5, 0.5, 0.0])) == pytest.approx(2.0)
