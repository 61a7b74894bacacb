"""Multi-task runs: domains as tasks, missing labels, baselines, records, the table, and resuming."""

import csv
import dataclasses
import io
import json

import jax
import numpy as np
import pytest
from tiny import FAST, domain, stop

import tl_jax
from tl_jax import handed
from tl_jax.balancing.table import STRATEGIES
from tl_jax.balancing.tasks import TaskHead
from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain, Examples
from tl_jax.data.match.copies import seen_before
from tl_jax.evaluation.metrics import log_softmax
from tl_jax.kinds.multitask.observe import metrics
from tl_jax.kinds.multitask.tasks import task_problem
from tl_jax.programs.trained import predict as program
from tl_jax.programs.trained.export import Choice, export
from tl_jax.programs.trained.opened import open_model
from tl_jax.run.plan import prepare
from tl_jax.run.store.checkpoints import Checkpoints
from tl_jax.run.wanted import Wanted

NEAR, FAR = domain("near", 0.0), domain("far", 1.0)
SETTINGS = {**FAST, "devices": 1, "trials": "map", "steps": 12, "eval_every": 4, "forward_plan": "separate"}


LONG = {"steps": 60, "eval_every": 20, "lr": 0.03, "pictures": True, "forward_plan": "per_domain"}


def relabelled(name: str, classes: tuple[str, ...], label) -> Domain:
    """The examples of NEAR under other labels, every third of them missing in training."""
    parts = [
        Examples(part.x, label(part).astype(np.float32 if not classes else np.int32)) for part in NEAR.splits.values()
    ]
    parts[0].y[::3] = -1 if classes else np.nan
    return Domain(name, classes, *parts)


PAIR = relabelled("pair", ("no", "yes"), lambda part: part.y == 1)
SUM = relabelled("sum", (), lambda part: 5 + 2 * part.x.sum(1))
TASKS = [PAIR, FAR, SUM, NEAR]


def train(run_dir, tasks=TASKS, strategies=("single", "equal", "cagrad"), **change):
    return tl_jax.fit_tasks(tasks, list(strategies), run_dir=str(run_dir), **{**SETTINGS, "seeds": 2, **change})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    domains = {one.name: one for one in TASKS}
    load = prepare.load
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            prepare, "load", lambda spec, data_dir: domains[spec] if spec in domains else load(spec, data_dir)
        )
        yield train(tmp_path_factory.mktemp("multitask") / "run", **LONG)


# Domains as tasks -------------------------------------------------------------------------------


def test_equal_examples_are_one_input_with_labels_side_by_side():
    problem = task_problem(TASKS)
    assert [domain.name for domain in problem.sources] == ["pair + sum + near", "far"]
    places = [(t.name, t.labels, t.input, t.column, t.begin, t.end) for t in problem.tasks]
    assert places == [
        ("pair", "binary", 0, 0, 0, 1),
        ("far", "classes", 1, 0, 1, 4),
        ("sum", "values", 0, 1, 4, 5),
        ("near", "classes", 0, 2, 5, 8),
    ]
    y = problem.sources[0].train.y
    assert y.dtype == np.float32
    assert np.isnan(y[::3, :2]).all()
    np.testing.assert_array_equal(y[:, 2], NEAR.train.y)
    known = ~np.isnan(SUM.train.y)
    np.testing.assert_allclose([y[known, 1].mean(), y[known, 1].std()], [0, 1], atol=1e-5)
    np.testing.assert_allclose(
        y[known, 1] * problem.tasks[2].scale + problem.tasks[2].center, SUM.train.y[known], rtol=1e-4
    )


def test_examples_that_two_tasks_split_otherwise_are_said_to_leak():
    every = np.concatenate([part.x for part in NEAR.splits.values()])
    first, second = (
        handed.one_domain((every, y), name) for name, y in (("a", every[:, 0] > 0), ("b", every[:, 1] > 0))
    )
    assert len(task_problem([first, FAR, second]).sources) == 3
    a, b = seen_before([first, FAR, second], None)
    assert "test examples of a stand in a training split, that of b (test" in a
    assert "test examples of b stand in a training split, that of a (test" in b
    assert seen_before(TASKS, None) == ()


def test_a_task_of_one_label_is_refused():
    with pytest.raises(UserError, match="same: every known label of the train split is 2: nothing to learn"):
        task_problem([NEAR, relabelled("same", ("a", "b", "c"), lambda part: 2 + 0 * part.y)])


def test_one_input_alone_has_its_tasks_renumbered():
    alone = task_problem(TASKS).of_input(0)
    assert [(t.name, t.input, t.column, t.begin, t.end) for t in alone.tasks] == [
        ("pair", 0, 0, 0, 1),
        ("sum", 0, 1, 1, 2),
        ("near", 0, 2, 2, 5),
    ]


def test_metrics_are_of_labelled_rows_in_the_labels_own_units():
    head = TaskHead("v", "values", (), 0, 0, 1, 2, center=10.0, scale=2.0)
    logits, y = np.array([[9.0, 0.5], [9, 1], [9, 7]]), np.array([0.0, 1.5, np.nan])
    found = metrics(head, logits, y)
    np.testing.assert_allclose(found["mae"], (1.0 + 1.0) / 2)
    np.testing.assert_allclose(found["rmse"], 1.0)
    np.testing.assert_allclose(found["r2"], 1 - 2 / 4.5)
    binary = TaskHead("b", "binary", ("n", "y"), 0, 0, 0, 1)
    np.testing.assert_allclose(
        metrics(binary, np.array([[2.0], [-1], [3], [-2]]), np.array([1, 1, 0, 0.0]))["accuracy"], 0.5
    )
    assert metrics(head, logits, np.full(3, np.nan)) == {}


# A run ------------------------------------------------------------------------------------------


def test_a_record_a_trial_with_every_task_and_one_a_task_for_single(finished):
    many = [r for r in finished.records if r["method"] in ("equal", "cagrad")]
    assert {(r["method"], r["seed"]) for r in many} == {(m, s) for m in ("equal", "cagrad") for s in (0, 1)}
    names = {"pair/accuracy", "far/accuracy", "sum/r2", "sum/rmse", "near/accuracy", "near/macro_f1"}
    for record in many:
        assert names < set(record["selectors"]["last"])
        assert record["source"] == "pair+far+sum+near"
        assert set(record["values"]) == {"lr", "weight_decay"}
    alone = [r for r in finished.records if r["method"] == "single"]
    assert {(r["task"], r["seed"]) for r in alone} == {(t.name, s) for t in TASKS for s in (0, 1)}
    for record in alone:
        assert all(name.startswith(f"{record['task']}/") for name in record["selectors"]["last"] if name != "step")


def test_tasks_are_learnt_although_labels_are_missing(finished):
    for record in finished.records:
        for name, value in record["selectors"]["last"].items():
            assert not name.endswith("accuracy") or value > 0.7, (record["method"], name, value)


def test_the_table_says_both_deltas_and_who_loses(finished):
    assert "Δm % (lower is better)" in finished.table
    assert "Δp % (higher is better)" in finished.table
    assert "baseline: every task alone" in finished.table
    assert "loses: " in finished.table or "no task loses" in finished.table
    for name in ("curves.png", "relative.png"):
        assert (finished.run_dir / name).stat().st_size > 5000


def test_the_metrics_hold_losses_and_weights_by_task(finished):
    lines = [json.loads(line) for line in (finished.run_dir / "metrics.jsonl").read_text().splitlines()]
    line = next(line for line in lines if line["job"] == "equal")
    np.testing.assert_allclose([line[f"weight {task.name}"] for task in TASKS], 0.25)
    np.testing.assert_allclose(line["total"], np.mean([line[task.name] for task in TASKS]), rtol=1e-4)


def test_a_finished_run_is_read_back(finished):
    again = train(finished.run_dir, **LONG)
    assert again.records == finished.records


@pytest.mark.slow  # what tests/run asks of runs with one task
def test_stopped_and_run_again_gives_the_same_to_the_bit(tmp_path, monkeypatch):
    strategies = ("db_mtl",)
    whole = train(tmp_path / "whole", strategies=strategies)
    stop(monkeypatch, at="step 2/")
    assert not train(tmp_path / "cut", strategies=strategies).complete
    monkeypatch.undo()
    assert train(tmp_path / "cut", strategies=strategies).records == whole.records
    for name in ("results.json", "metrics.jsonl"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("strategy", ["equal", "dwa", "uncertainty", "gradnorm", "famo", "gradvac", "db_mtl"])
def test_the_memory_of_a_strategy_is_restored_to_the_bit(strategy, tmp_path):
    shared = {"backbone/kernel": jax.numpy.ones((3, 2))}
    memory = {"balance": STRATEGIES[strategy]().init(2, shared), "step": jax.numpy.int32(4)}
    rng = np.random.default_rng(0)
    memory = jax.tree.map(lambda x: jax.numpy.asarray(rng.normal(size=x.shape).astype(x.dtype)), memory)
    kept = Checkpoints(tmp_path, "job")
    kept.save(1, memory)
    kept.wait()
    jax.tree.map(np.testing.assert_array_equal, kept.restore(1, memory), memory)
    kept.close()


@pytest.mark.parametrize("sharing", ["cross_stitch", "mmoe(experts=2)"])
def test_soft_sharing_trains(sharing, tmp_path):
    result = train(tmp_path / "run", [NEAR, FAR], ["pcgrad"], sharing=sharing, seeds=1)
    assert result.records[0]["sharing"] == sharing
    assert "no single-task baseline in this run" in result.table


# What it trained --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(finished):
    return tl_jax.load(finished.run_dir, "equal", 1)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The test split of every task, with its labels under the names of the classes."""
    folder = tmp_path_factory.mktemp("files")
    for one in TASKS:
        y = np.array(one.classes)[one.test.y] if one.classes else one.test.y
        np.savez(folder / f"{one.name}.npz", x=one.test.x, y=y)
    np.savez(folder / "bare.npz", x=NEAR.test.x)
    return {path.stem: str(path) for path in folder.iterdir()}


def record(finished, method, seed, task=""):
    (found,) = [r for r in finished.records if (r["method"], r["seed"], r.get("task", "")) == (method, seed, task)]
    return found["selectors"]


def test_each_task_says_what_the_run_stored_by_the_statistics_of_its_own_examples(finished, model):
    with np.load(finished.run_dir / "records/equal/00000060.npz") as file:
        stored = {name: file[name][1] for name in ("source0_test", "source1_test")}
    assert model.tasks == ("pair", "far", "sum", "near")
    assert repr(model) == "<equal, seed 1, of 60 steps>"
    near, far = model.probabilities(NEAR.test.x), model.probabilities(FAR.test.x)
    assert [*near] == ["pair", "far", "near"]
    np.testing.assert_allclose(near["near"], np.exp(log_softmax(stored["source0_test"][:, 5:])), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(near["pair"][:, 1], 1 / (1 + np.exp(-stored["source0_test"][:, 0])), rtol=1e-4)
    np.testing.assert_allclose(far["far"], np.exp(log_softmax(stored["source1_test"][:, 1:4])), rtol=1e-4, atol=1e-5)
    said = model.predict(NEAR.test.x)
    assert said["near"].tolist() == [NEAR.classes[k] for k in near["near"].argmax(1)]
    assert set(said["pair"].tolist()) <= {"no", "yes"}
    values = np.nanmean(SUM.train.y) + np.nanstd(SUM.train.y) * stored["source0_test"][:, 4]
    np.testing.assert_allclose(said["sum"], values, rtol=1e-4)


def test_with_labels_the_score_of_a_task_is_that_of_the_run(finished, model, files):
    single = lambda task: tl_jax.load(finished.run_dir, "single", 1, task=task)
    for job, task in (*(("equal", one.name) for one in TASKS), ("single", "sum"), ("single", "far")):
        asked = single(task) if job == "single" else dataclasses.replace(model, only=task)
        found = program.predict(asked, files[task])
        (answer,) = found.said.answers
        want = record(finished, job, 1, task * (job == "single"))["last"]
        assert {f"{task}/{name}": x for name, x in answer.metrics.items()} == pytest.approx(
            {name: x for name, x in want.items() if name.startswith(f"{task}/")}, rel=1e-6
        )
        shown = f"R2 {want['sum/r2']:.4g}" if task == "sum" else f"accuracy {want[f'{task}/accuracy']:.4g}"
        assert shown in program.scores(found)[0]


def test_the_model_of_the_step_that_validation_chose_is_kept(finished, files):
    chosen = record(finished, "equal", 1)["selected"]
    model = tl_jax.load(finished.run_dir, "equal", 1, select="selected", task="near")
    assert model.step == chosen["step"]
    answer = program.predict(model, files["near"]).said.answers[0]
    assert answer.metrics["accuracy"] == pytest.approx(chosen["near/accuracy"])


def test_a_row_has_every_task_and_labels_go_to_the_task_that_they_are_of(model, files):
    rows = lambda found: list(csv.DictReader(io.StringIO(program.written(found, "", True).decode())))
    bare = program.predict(model, files["bare"])
    assert program.scores(bare) == []
    head = "example pair/class pair/probability pair/entropy pair/p(no) pair/p(yes) far/class"
    assert " ".join(rows(bare)[0]).startswith(head)
    assert float(rows(bare)[3]["sum/value"]) == pytest.approx(model.predict(NEAR.test.x)["sum"][3], rel=1e-6)
    found = program.predict(model, files["pair"], files["sum"], files["near"])
    lines = program.scores(found)
    assert [line.split()[0] for line in lines if "labelled examples" in line] == ["pair:", "sum:"]
    assert rows(found)[0]["pair/label"] == "no"
    assert "near/label" not in rows(found)[0]
    assert any("may be of the tasks far, near" in note for note in found.notes)
    with pytest.raises(UserError, match="several statistics"):
        program.embeddings(found)
    one = program.predict(dataclasses.replace(model, only="near"), files["near"])
    kept = program.embeddings(one)
    assert (kept["features"].shape, kept["classes"].tolist()) == ((33, 8), ["a", "b", "c"])


def test_an_exported_program_says_the_same_without_this_package(finished, model, tmp_path):
    x = NEAR.test.x
    alone = tl_jax.load(finished.run_dir, "single", 0, task="sum")
    joint = export(finished.run_dir, Choice("equal", 1), tmp_path / "joint")
    for said, files in ((model, joint), (alone, alone.export(tmp_path / "alone"))):
        about = json.loads(files[-2].read_text())
        found = jax.export.deserialize(bytearray(files[-1].read_bytes())).call(x)
        assert [*about["tasks"]] == [*said.tasks]
        assert {*found} == {*said.tasks}
        for task, want in said.predict(x).items():
            if task == "sum":
                np.testing.assert_allclose(found[task][:, 0], want, rtol=1e-4)
            else:
                assert [about["tasks"][task]["classes"][k] for k in np.argmax(found[task], 1)] == want.tolist()
    assert (tmp_path / "alone" / "weights.safetensors").exists()
    why = json.loads((tmp_path / "joint" / "model.json").read_text())["no weights because"]
    assert "statistics of its own examples" in why


def test_what_is_no_task_of_the_run_is_named(finished, files):
    for wanted, message in (
        (Wanted("equal", task="naer"), "Unknown task 'naer'. Did you mean 'near'"),
        (Wanted("single"), "a model for each task: choose one with --task. There are: pair, sum, near, far"),
        (Wanted("single far", task="sum"), "--job=single far has no model of the task sum"),
        (Wanted("single pair + sum + near", trial=0, task="sum"), "trial 0 of single pair .* is of the task pair"),
    ):
        with pytest.raises(UserError, match=message.replace("+", r"\+")):
            open_model(finished.run_dir, wanted)
    model = open_model(finished.run_dir, Wanted("equal"))
    with pytest.raises(UserError, match="hold other examples"):
        program.predict(model, files["pair"], files["far"])
    with pytest.raises(UserError, match="of its own examples"):
        program.predict(model, files["pair"], domain="source0")


# Mistakes ---------------------------------------------------------------------------------------

WIDE = dataclasses.replace(
    NEAR, name="wide", **{n: Examples(np.tile(p.x, (1, 2)), p.y) for n, p in NEAR.splits.items()}
)
NONE = relabelled("none", (), lambda part: np.full(len(part.y), np.nan))
MISTAKES = {
    "wide has examples of shape": {"tasks": [NEAR, WIDE]},
    "each only once": {"tasks": [NEAR, NEAR]},
    "name at least one task": {"tasks": []},
    "no training example has a label": {"tasks": [NEAR, NONE]},
    "Unknown domain 'digits:partiy'": {"tasks": ["digits:partiy"]},
    "Unknown strategy 'pc_grad'. Did you mean 'pcgrad'": {"strategies": ["pc_grad"]},
    "name at least one strategy": {"strategies": []},
    "has 3 weights for 4 tasks": {"strategies": ["fixed(weights=(1.0, 2.0, 1.0))"]},
    "Unknown sharing 'soft'": {"sharing": "soft"},
    "--sweep=lam": {"sweep": {"lam": [1.0]}},
    "pretrained.*matches 0 of": {"freeze": [("pretrained", "frozen")], "strategies": ["equal"]},
}


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_one_message_and_writes_nothing(message, tmp_path):
    with pytest.raises(UserError, match=message.replace("(", r"\(") if "*" not in message else message):
        train(tmp_path / "run", **MISTAKES[message])
    assert not (tmp_path / "run").exists()
