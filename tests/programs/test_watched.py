"""Discriminators and pseudo-labels on the page about a run: against the methods' own code; words of made-up numbers."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

import tl_jax
from tl_jax.core.types import At, Batch, Labeled, Model, Network, Output, Unlabeled
from tl_jax.evaluation.label_free.record import Seen
from tl_jax.kinds.predicting.records import Evaluated
from tl_jax.losses import mlp
from tl_jax.losses.classes import domain_logistic, supervised
from tl_jax.methods import ADAPTATION
from tl_jax.methods.contract import Example, Own
from tl_jax.programs.analyze import figures
from tl_jax.programs.analyze.analyze import _environment
from tl_jax.programs.analyze.measured import adversary, confidence
from tl_jax.programs.analyze.measured.evaluations import numbers
from tl_jax.programs.analyze.measured.found import Numbers, Pseudo, Space, Told
from tl_jax.programs.analyze.measured.read import read
from tl_jax.programs.analyze.watched import domains, labels
from tl_jax.programs.analyze.words import findings
from tl_jax.training.state import model_of

N, D, C = 40, 6, 3
DRAW = np.random.default_rng(0)
LOOKS_UP = Network(lambda key, x: ({}, {}), lambda params, stats, x, **how: (Output(x, 1.0 * x), stats))
NO_MODEL = Model({}, {}, {}, {})


def output(shift: float = 0.0, width: int = D) -> Output:
    logits = DRAW.normal(0, 2, (N, C)) + np.array([1.0, 0, 0])
    return Output(jnp.asarray(DRAW.normal(shift, 1, (N, width)), jnp.float32), jnp.asarray(logits, jnp.float32))


def at(method, progress: float) -> At:
    values = {name: jnp.float32(value) for name, value in method.values.items()}
    return At(jnp.int32(1), jnp.float32(progress), jnp.float32(1), values, jax.random.key(0))


def batch(x: Output) -> Batch:
    rows = jnp.arange(N)
    return Batch((Labeled(x.logits, rows % C, rows),), Unlabeled(x.logits, rows))


@pytest.mark.parametrize("name", ["adamatch", "flexmatch", "freematch", "cbst"])
def test_the_page_labels_those_targets_that_the_method_does(name):
    method, source, target = ADAPTATION[name](**({"threshold": 0.6} if name == "flexmatch" else {})), output(), output()
    now, memory = at(method, 0.4), {}
    if method.refresh is not None:
        memory = method.refresh(LOOKS_UP, NO_MODEL, target.logits, now)
    if name == "freematch":  # the moving averages when they have come to rest
        q = jax.nn.softmax(target.logits)
        memory = {"tau": q.max(1).mean(), "mean": q.mean(0), "labels": q.mean(0)}
    out = {"source": source, "source_strong": source, "target": target, "target_strong": target}
    logged = method.terms(Own({}, memory), out, batch(target), now).metrics
    how = confidence.rule_of(f"mcc + {name}(lam=2.0)", dict(method.values))
    assert how.own
    p, p_s = (np.asarray(jax.nn.softmax(x.logits)) for x in (target, source))
    _, taken = how.rule(p, confidence.At(p_s, how.values, 0.4))
    assert 0 < taken.sum() < N
    assert taken.mean() == pytest.approx(float(logged["chosen" if name == "cbst" else "mask_rate"]), abs=1e-6)


def test_a_value_that_two_methods_of_a_sum_share_is_the_method_s_own():
    how = confidence.rule_of("fixmatch + flexmatch", {"fixmatch_threshold": 0.7, "flexmatch_threshold": 0.9})
    assert (how.values["threshold"], how.said) == (0.7, "p >= 0.7")
    assert confidence.rule_of("dann", {"lam": 1.0}).said == "p >= 0.95, set by this page"


def test_labels_that_count_are_judged_where_the_truth_is_known():
    z = np.log(np.array([[0.98, 0.01, 0.01], [0.98, 0.01, 0.01], [0.98, 0.01, 0.01], [0.5, 0.3, 0.2]]))
    one, how = Evaluated(None, Seen(z), Seen(z), ()), confidence.rule_of("mcc", {})
    given = [confidence.given(how, one, np.array(y), 1.0) for y in ([0, 1, -1, 0], [0, 3, 0, 0], [-1, -1, -1, 0])]
    assert given == [(0.75, 0.5), (0.75, pytest.approx(2 / 3)), (0.75, None)]
    found = confidence.pseudo(how, {5: given[:1], 10: given[2:]})
    assert (found.coverage, found.precision) == ({5: (0.75,), 10: (0.75,)}, {5: (0.5,)})


def asked(name: str, width: int = D):
    """(method, its own, outputs by domain, scores by domain) of outputs that are all of one entropy."""
    method = ADAPTATION[name](hidden=8)
    rows = jnp.asarray(np.stack([DRAW.permutation([2.0, 0.0, -1.0]) for _ in range(2 * N)]), jnp.float32)
    out = {
        "source": output(1.0, width)._replace(logits=rows[:N]),
        "target": output(0.0, width)._replace(logits=rows[N:]),
    }
    model = NO_MODEL._replace(params={"head": {"kernel": jnp.ones((width, C))}})
    own = method.init(jax.random.key(1), Example(out["source"].features[:2], rows[:2], rows[:2], 1), model)
    seen = {side: Seen(np.asarray(x.logits), np.asarray(x.features)) for side, x in out.items()}
    if "bridge" in own.params:  # what is stored was predicted with it
        own = own._replace(params={**own.params, "bridge": jax.tree.map(jnp.zeros_like, own.params["bridge"])})
    return method, own, out, [adversary.JUDGES[name](own.params, own.memory, seen[side]) for side in out]


@pytest.mark.parametrize(("name", "width"), [("dann", D), ("adda", D), ("cdan", D), ("cdan", 2000), ("gvb", D)])
def test_a_discriminator_is_asked_as_its_method_asks_it(name, width):
    method, own, out, scores = asked(name, width)
    loss = method.terms(own, out, batch(out["target"]), at(method, 0.5)).losses["domain"]
    assert float(loss) == pytest.approx(float(domain_logistic(*scores)), rel=1e-4)


def test_of_classes_and_of_sources_it_is_the_whole_s_and_the_first_s():
    method, own, out, scores = asked("mdan")
    hardest = method.terms(own, out, batch(out["target"]), at(method, 0.5)).losses["hardest"]
    risk = supervised(out["source"].logits, batch(out["target"]).y, at(method, 0.5))
    assert float(hardest - risk) == pytest.approx(float(domain_logistic(*scores)), rel=1e-3)
    method, own, out, scores = asked("daan")
    found = []
    for error in (0.1, 0.4):  # two shares of one and the same two losses
        part = Own(own.params, {**own.memory, "whole": jnp.float32(error)})
        terms = method.terms(part, out, batch(out["target"]), at(method, 0.5))
        found.append((float(terms.losses["domain"]), float(terms.metrics["omega"])))
    (one, w), (other, v) = found
    assert (one * v - other * w) / (v - w) == pytest.approx(float(domain_logistic(*scores)), rel=1e-3)


def test_every_method_that_is_asked_has_such_a_discriminator():
    for name in adversary.JUDGES:
        assert all(x.shape == (N,) for x in asked(name)[-1]), name
        assert adversary.judged_by(f"mcc + {name}(lam=0.1)") == (name, name)
    assert adversary.judged_by("dann") == ("dann", "")
    assert adversary.judged_by("mine.py:dann") is None


def test_the_area_under_the_curve_counts_pairs():
    s, t = np.array([0.0, 1.0, 2.0, 2.0]), np.array([1.0, -1.0, 2.0])
    want = np.mean([(a > b) + 0.5 * (a == b) for a in s for b in t])
    assert adversary.above(s, t) == pytest.approx(want)


def job(**more) -> Numbers:
    return Numbers(**{"job": "m", "label": "m", "seeds": (0,), "step": 10, "steps": 10, **more})


def given(share, right, own=True):
    return Pseudo("p >= 0.9", own, dict(zip((5, 10), ((x,) for x in share), strict=True)), right)


def far(d):
    return {10: Space(1.0, 1.0, 1.0, 1.0, d)}


WORDS = [
    (job(told=Told(10, 0.5, 0.54, 0.5)), True, "on 0.52 of held-out examples (chance .5): for it"),
    (job(told=Told(10, 0.5, 0.5, 0.5), spaces=far(0.4)), True, "a fresh linear one on 0.60: for it the domains are"),
    (job(told=Told(10, 0.5, 0.5, 0.5), spaces=far(1.8)), False, "a fresh linear one on 0.95: it has lost track"),
    (job(told=Told(10, 1.0, 0.0, 0.1)), False, "the area under its curve is 0.10: it has lost track"),
    (job(told=Told(10, 0.9, 0.9, 0.97)), False, "the features do not hide the domain from it"),
    (job(pseudo=given((0.1, 0.6), {5: (0.7,), 10: (0.5,)})), False, "60% of the targets a label (p >= 0.9), and 50%"),
    (job(pseudo=given((0.1, 0.6), {10: (0.5,)}, own=False)), False, "m would give 60% of the targets a label"),
    (job(pseudo=given((0.1, 0.6), {5: (0.99,), 10: (0.85,)})), False, "after 99% of fewer at step 5"),
    (job(pseudo=given((0.1, 0.01), {})), False, "1.0% of the targets a label (p >= 0.9): hardly any"),
    (job(pseudo=given((0.1, 0.6), {5: (0.95,), 10: (0.96,)})), True, "96% of these are right."),
]  # fmt: skip


@pytest.mark.parametrize(("one", "good", "words"), WORDS, ids=[words for *_, words in WORDS])
def test_a_sentence_follows_its_number(one, good, words):
    said = findings([one])
    assert [(finding.good, finding.labels) for finding in said if words in finding.text] == [
        (good, bool(one.pseudo and one.pseudo.precision))
    ], said


def test_what_is_between_and_what_is_only_counted_is_not_remarked_upon():
    quiet = (job(told=Told(10, 0.7, 0.7, 0.7)), job(pseudo=given((0.5, 0.6), {})))
    loud_by_the_page = job(pseudo=given((0.1, 0.4), {10: (0.6,)}, own=False))
    first_of_one_example = job(pseudo=given((0.01, 0.6), {5: (1.0,), 10: (0.85,)}))
    assert findings([*quiet, loud_by_the_page, first_of_one_example]) == []


def test_the_sections_say_why_something_is_not_there(monkeypatch):
    monkeypatch.setattr(figures, "svg", lambda draw, said: "<svg>")
    html = domains([job(lacks={"domains": "it cannot be asked."})]).body
    assert "No features of both domains are stored yet" in html
    assert "m: it cannot be asked." in html
    assert "Labels are values" in labels([job(metric="r2")]).body
    unknown = labels([job(pseudo=given((0.1, 0.6), {}), logged={"fixmatch/mask_rate": {10: 0.3}})])
    assert "No label of the target" in unknown.body
    assert not unknown.labels


def test_the_environment_says_what_is_not_installed(tmp_path):
    kept = {"packages": {"tl_jax": None, "jax": "0.9"}, "python": "3.12", "platform": "cpu", "devices": ["cpu"]}
    (tmp_path / "environment.json").write_text(json.dumps(kept))
    assert dict(_environment(tmp_path))["versions"].startswith("tl_jax not installed, jax 0.9; Python 3.12")


@pytest.mark.slow
def test_the_discriminator_of_a_run_is_that_of_its_last_checkpoint(tmp_path):
    how = {**tiny.FAST, "steps": 6, "eval_every": 3, "devices": 1}
    run = tl_jax.fit(tiny.SOURCE, tiny.TARGET, ["dann", "adda"], run_dir=str(tmp_path / "run"), **how)
    given = {domain.name: domain for domain in (tiny.SOURCE, tiny.TARGET)}
    whole = read(run.run_dir, domains=given)
    dann, adda = (numbers(whole, job) for job in whole.jobs)
    assert dann is not None
    assert adda is not None
    assert dann.told is not None
    assert adda.told is not None
    model = tl_jax.load(run.run_dir, "dann", source=tiny.SOURCE, target=tiny.TARGET)
    judge = model_of(model.state).own["discriminator"]
    score = lambda x, domain: np.asarray(mlp.apply(judge, jnp.asarray(model.features(x, domain))))[:, 0]
    s, t = score(tiny.SOURCE.validation.x, "source0"), score(tiny.TARGET.test.x, "target")
    want = (6, (s > 0).mean(), (t <= 0).mean(), adversary.above(s, t))
    np.testing.assert_allclose(dann.told, want, atol=1e-6)
    (asked_again,) = (job for job in whole.jobs if job.name == "adda")
    shutil.rmtree(run.run_dir / "checkpoints" / "adda")
    reason = adversary.told(whole, asked_again, whole.directory.record("adda", 6), "")
    assert "has no checkpoint of adda" in str(reason)
    assert "diverged (step 3)" in str(adversary.told(whole, asked_again, {}, "step 3"))
