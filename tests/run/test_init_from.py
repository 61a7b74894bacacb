"""From a run to files, and from files into another run."""

import dataclasses
import json
import re

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny import FAST, NETWORK, SOURCE, TARGET, domain

import tl_jax
from tl_jax.core.errors import UserError
from tl_jax.kinds import table as kinds
from tl_jax.models.files.pretrained import Report, load
from tl_jax.models.networks import build
from tl_jax.models.networks import network as named
from tl_jax.programs.rank import Candidate, labelled, score_all, table
from tl_jax.programs.trained.export import Choice, export
from tl_jax.run.finished import config_of, restored
from tl_jax.run.plan import prepare
from tl_jax.run.plan.types import Options
from tl_jax.run.plan.weights import read_weights, tensorflow_hint
from tl_jax.run.settings.config import Config

OTHER = domain("other", 0.5, classes=("p", "q"))
INDUCTIVE = {**FAST, "kind": "inductive", "devices": 1, "trials": "map", "steps": 1, "seeds": 1, "labels_per_class": []}
DOMAINS = {d.name: d for d in (SOURCE, TARGET, OTHER)}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run and the files of its second trial."""
    root = tmp_path_factory.mktemp("trained") / "run"
    settings = {**FAST, "devices": 1, "trials": "map", "seeds": 2}
    result = tl_jax.fit(SOURCE, TARGET, ["source_only", "mcd"], run_dir=str(root), **settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "load", lambda spec, data_dir: DOMAINS[spec])
        export(root, Choice("source_only", 1), root / "out")
        export(root, Choice("mcd", 0), root / "mcd")
    return result


@pytest.fixture
def domains_by_name(monkeypatch):
    monkeypatch.setattr(prepare, "load", lambda spec, data_dir: DOMAINS[spec])


@pytest.mark.parametrize(("job", "folder", "trial"), [("source_only", "out", 1), ("mcd", "mcd", 0)])
def test_the_exported_program_predicts_what_the_run_did(trained, job, folder, trial):
    program = jax.export.deserialize(bytearray((trained.run_dir / folder / "model.stablehlo").read_bytes()))
    with np.load(sorted(trained.run_dir.glob(f"records/{job}/0*.npz"))[-1]) as stored:
        want = stored["target_test/logits"][trial]
    np.testing.assert_allclose(program.call(TARGET.test.x), want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(program.call(TARGET.test.x[:3]), want[:3], rtol=1e-4, atol=1e-5)


def test_the_exported_description_says_what_goes_in_and_comes_out(trained):
    about = json.loads((trained.run_dir / "out" / "model.json").read_text())
    assert (about["classes"], about["seed"], about["step"]) == (["a", "b", "c"], 1, 24)
    assert about["input"]["shape"] == [8]


@pytest.mark.parametrize("place", ["{}/out", "{}?job=source_only&seed=1"])
def test_weights_are_where_training_begins(trained, place):
    """After one step at learning rate 0 the predictions are those of the file, or of the run."""
    settings = {**FAST, "steps": 1, "lr": 0.0, "seeds": 2, "forward_plan": "frozen"}
    settings |= {"init_from": place.format(trained.run_dir), "network": NETWORK if "out" in place else "auto"}
    records = tl_jax.fit(SOURCE, TARGET, "source_only", **settings).records
    want = next(r for r in trained.records if r["method"] == "source_only" and r["seed"] == 1)
    for record in records:
        assert record["selectors"]["last"]["target/accuracy"] == want["selectors"]["last"]["target/accuracy"]


def test_in_inductive_transfer_the_trunk_comes_from_the_file_and_nothing_is_pretrained(trained, tmp_path):
    settings = {**INDUCTIVE, "strategies": ["scratch", "linear_probe"], "init_from": str(trained.run_dir / "out")}
    settings |= {"standardise": "none"}
    result = tl_jax.fit([], OTHER, "fine_tune", run_dir=str(tmp_path / "run"), **settings)
    assert {path.name for path in (result.run_dir / "checkpoints").iterdir()} == {"scratch", "linear_probe"}
    assert "Weights of" in result.table
    with np.load(result.run_dir / "records" / "linear_probe" / "features.npz") as stored:
        features = stored["target"]
    arrays = load_file(trained.run_dir / "out" / "weights.safetensors")
    x = OTHER.test.x @ arrays["backbone.dense1.weight"].T + arrays["backbone.dense1.bias"]
    z = np.maximum(x, 0) @ arrays["bottleneck.dense1.weight"].T + arrays["bottleneck.dense1.bias"]
    mean, var = arrays["bottleneck.norm1.running_mean"], arrays["bottleneck.norm1.running_var"]
    z = (z - mean) / np.sqrt(var + 1e-5) * arrays["bottleneck.norm1.weight"] + arrays["bottleneck.norm1.bias"]
    np.testing.assert_allclose(features, np.maximum(z, 0), rtol=1e-4, atol=1e-5)


def test_a_bottleneck_that_the_file_lacks_is_left_out(trained, tmp_path):
    arrays = load_file(trained.run_dir / "out" / "weights.safetensors")
    save_file({n: a for n, a in arrays.items() if n.startswith("backbone")}, tmp_path / "trunk.safetensors")
    settings = {**INDUCTIVE, "strategies": ["linear_probe"], "init_from": str(tmp_path / "trunk.safetensors")}
    plain = {**settings, "network": "mlp(hidden=(16,))"}
    assert "Network mlp(bottleneck=0, hidden=(16,))" in tl_jax.fit([], OTHER, "fine_tune", **plain).table
    with pytest.raises(UserError, match="has no such bottleneck"):
        tl_jax.fit([], OTHER, "fine_tune", **settings)


def test_mistakes_are_named_before_anything_is_written(trained, tmp_path):
    run_dir = str(tmp_path / "run")
    changed = {**FAST, "network": "mlp(bottleneck=8, hidden=(20,))"}
    with pytest.raises(UserError, match="Wrong architecture"):
        tl_jax.fit(SOURCE, TARGET, "mcc", run_dir=run_dir, **changed, init_from=str(trained.run_dir / "out"))
    with pytest.raises(UserError, match="there is no file"):
        tl_jax.fit(SOURCE, TARGET, "mcc", run_dir=run_dir, **FAST, init_from="./nothing.safetensors")
    with pytest.raises(UserError, match="--init_from, which is not given"):
        tl_jax.fit(SOURCE, TARGET, "mcc", run_dir=run_dir, **FAST, allow_mismatch=["backbone/*"])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("", "several models: choose one with --job. There are: source_only, mcd.* behind a '?'"),
        ("?job=mdc", "Did you mean 'mcd'"),
        ("?job=mcd&seed=7", "There are: seed 0, 1"),
        ("?job=mcd&lamb=1", "Unknown value of mcd 'lamb'. Did you mean 'lam'"),
        ("?job=mcd&seed=x", "seed=x: a number is needed"),
        ("?mcd", "'mcd' is not name=value"),
        ("?job=mcd&select=oracle", "no model that could be had"),
        ("/out?job=mcd", "out is no run directory"),
    ],
)
def test_a_model_of_a_run_that_is_not_there_is_named(trained, asked, message):
    with pytest.raises(UserError, match=message):
        tl_jax.fit(SOURCE, TARGET, "mcc", **FAST, init_from=f"{trained.run_dir}{asked}")


@pytest.mark.parametrize(("sharing", "trunks"), [("hard", [""]), ("cross_stitch", ["tower_0/", "tower_1/"])])
def test_tasks_share_the_trunk_of_a_file_under_heads_of_their_own(trained, tmp_path, domains_by_name, sharing, trunks):
    """After one step at learning rate 0 the trunk, or each, is that of the file, of each task alone and of all."""
    settings = {**FAST, "steps": 1, "lr": 0.0, "seeds": 1, "devices": 1, "trials": "map", "network": "auto"}
    settings |= {"init_from": f"{trained.run_dir}?job=mcd", "run_dir": str(tmp_path / "run"), "sharing": sharing}
    result = tl_jax.fit_tasks([SOURCE, OTHER], ["single", "equal"], **settings)
    assert f"Network {NETWORK}" in result.table
    assert f"The trunk begins from {trained.run_dir}?job=mcd." in result.table
    want = load_file(trained.run_dir / "mcd" / "weights.safetensors")
    setup = kinds.prepare(config_of(tmp_path / "run"), Options(), DOMAINS)
    assert [task.job.name for task in setup.tasks] == ["single near", "single other", "equal"]
    for task in setup.tasks:
        _, state = restored(tmp_path / "run", task, setup.weights)
        each = trunks if task.job.name == "equal" else [""]
        for part, place in ((part, f"{part}/{trunk}dense1") for part in ("backbone", "bottleneck") for trunk in each):
            np.testing.assert_array_equal(state.params[f"{place}/kernel"][0].T, want[f"{part}.dense1.weight"])
            np.testing.assert_array_equal(state.params[f"{place}/bias"][0], want[f"{part}.dense1.bias"])


@pytest.mark.parametrize("job", ["simclr", "equal", "tent"])
def test_a_run_of_another_kind_is_begun_from(tmp_path, job):
    how = {**FAST, "steps": 1, "seeds": 2, "devices": 1, "trials": "map", "run_dir": str(tmp_path / "run")}
    if job == "equal":
        tl_jax.fit_tasks([SOURCE, TARGET], [job], **how)
    elif job == "simclr":
        tl_jax.fit(SOURCE, TARGET, [job, "untrained"], kind="unsupervised", view="strong", **how)
    else:
        tl_jax.fit(SOURCE, TARGET, [job], kind="test_time", corrupt=["none"], **how)
    config = Config(source=("near",), target="far", batch_size=16, init_from=str(tmp_path / "run?seed=1"))
    setup = kinds.prepare(config, Options(), DOMAINS)
    report = setup.weights.report
    assert setup.config.network == NETWORK
    head = {"simclr": "reinitialised", "equal": "reinitialised", "tent": "loaded"}[job]
    assert "head/kernel" in getattr(report, head)
    assert any(f"{job}, step 1 of" in note for note in report.notes)
    stored = sorted((tmp_path / "run").glob(f"checkpoints/{job}/1"))
    assert len(stored) == 1
    if job == "simclr":  # the trunk's file is of the first trial
        first = kinds.prepare(dataclasses.replace(config, init_from=str(tmp_path / "run")), Options(), DOMAINS)
        kept = load_file(tmp_path / "run" / "simclr.safetensors")["backbone.dense1.weight"].T
        np.testing.assert_array_equal(first.weights.params["backbone/dense1/kernel"], kept)
        assert np.abs(setup.weights.params["backbone/dense1/kernel"] - kept).max() > 0


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice(), "several models: choose one with --job. There are: source_only, mcd"),
        (Choice("mdc"), "Did you mean 'mcd'"),
        (Choice("mcd", 7), "trials 0 to 1"),
        (Choice("mcd", 0, "timm"), "Unknown naming of this network 'timm'"),
    ],
)
def test_what_cannot_be_exported_is_named(trained, domains_by_name, tmp_path, choice, message):
    with pytest.raises(UserError, match=message):
        export(trained.run_dir, choice, tmp_path / "out")
    with pytest.raises(UserError, match="is not a run directory"):
        export(tmp_path, choice, tmp_path / "out")


@pytest.mark.usefixtures("domains_by_name")
@pytest.mark.parametrize("strategy", ["feature_extraction", "nearest_mean"])
def test_what_was_trained_on_features_is_exported_with_its_trunk(tmp_path, monkeypatch, strategy):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings = {**INDUCTIVE, "strategies": [strategy], "steps": 4, "seeds": 2, "pretrain_steps": 6}
    result = tl_jax.fit(SOURCE, OTHER, "fine_tune", run_dir=str(tmp_path / "run"), **settings)
    export(result.run_dir, Choice(strategy, 1), tmp_path / "out")
    program = jax.export.deserialize(bytearray((tmp_path / "out" / "model.stablehlo").read_bytes()))
    with np.load(sorted(result.run_dir.glob(f"records/{strategy}/0*.npz"))[-1]) as stored:
        want = stored["target_test/logits"][1]
    np.testing.assert_allclose(program.call(OTHER.test.x), want, rtol=1e-3, atol=1e-4)
    weights = tmp_path / "out" / "weights.safetensors"
    if strategy == "nearest_mean":  # distances of unit vectors: no head of the network says what they say
        assert not weights.exists()
    else:
        assert "backbone.dense1.weight" in load_file(weights)


def test_the_file_s_own_head_is_what_co_tuning_begins_with(trained, tmp_path):
    settings = {**INDUCTIVE, "strategies": ["full"], "lr": 0.0, "weight_decay": 0.0}
    path = trained.run_dir / "out"
    for method in ("lwf", "co_tuning"):
        result = tl_jax.fit([], OTHER, method, run_dir=str(tmp_path / method), **settings, init_from=str(path))
        assert len(result.records) == 1
    arrays = {n: a for n, a in load_file(path / "weights.safetensors").items() if not n.startswith("head")}
    save_file(arrays, tmp_path / "trunk.safetensors")
    with pytest.raises(UserError, match="needs a linear head of the source task"):
        tl_jax.fit([], OTHER, "co_tuning", **settings, init_from=str(tmp_path / "trunk.safetensors"))


def report(naming="torchvision", classes=1000, notes=()):
    return Report("file", naming, {}, {"head/kernel": ((1280, classes), (1280, 2))}, {}, {}, notes)


@pytest.mark.parametrize(
    ("network", "found", "words"),
    [
        ("mobilenet_v2", report(), None),
        ("mobilenet_v2(tf=True)", report(classes=1001), None),
        ("resnet18", report(classes=1001), None),
        ("mobilenet_v2", report(classes=1001), r"1001 classes.*mobilenet_v2\(tf=True\)"),
        ("mobilenet_v2", report(notes=("the file says padding: tensorflow SAME",)), r"the file says so.*tf=True"),
        ("mobilenet_v2", report("huggingface"), r"tf=True, epsilon=1e-3"),
    ],
)
def test_weights_of_tensorflow_are_recognised_by_what_the_file_shows(network, found, words):
    said = " ".join(tensorflow_hint(network, found))
    assert re.search(words, said) if words else not said


# Choosing among files ---------------------------------------------------------------------------


def test_candidates_are_ranked_on_the_same_examples(trained):
    seen = labelled(OTHER, 10, 0)
    assert len(seen.y) == 20
    paths = [str(trained.run_dir / name) for name in ("out", "mcd")]
    candidates = [Candidate(NETWORK, path, 0.5, truth) for path, truth in zip(paths, (0.6, 0.8), strict=True)]
    scored = score_all(candidates, seen, resamples=8, seed=0)
    assert {"logme", "leep", "nce", "knn", "static"} <= set(scored[0].scores)
    text = table(scored, seen, "other").text()
    assert "accuracy lost by its choice" in text
    assert "20 labelled examples" in text
    assert all(one.low <= one.value <= one.high for each in scored for one in each.scores.values())


def test_ranking_needs_two_candidates(trained):
    with pytest.raises(UserError, match="at least two"):
        score_all([Candidate(NETWORK, str(trained.run_dir / "out"))], labelled(OTHER, 0, 0), 4, 0)


# Which weights are the model ---------------------------------------------------------------------


def plain_logits(folder, x):
    """What the plain network says with the exported weights alone."""
    about = json.loads((folder / "model.json").read_text())
    network = build(named(about["network"])(), len(about["classes"]))
    like = network.init(jax.random.key(0), x[:2])
    params, stats, _ = load(str(folder / "weights.safetensors"), *jax.tree.map(np.zeros_like, like))
    return network.apply(params, stats, x)[0].logits


def program_logits(folder, x):
    return jax.export.deserialize(bytearray((folder / "model.stablehlo").read_bytes())).call(x)


@pytest.mark.slow  # of every sort of tuning one is trained and exported
@pytest.mark.usefixtures("domains_by_name")
def test_exported_weights_are_the_model_or_are_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    few = {"kind": "inductive", "devices": 1, "trials": "map", "steps": 8, "pretrain_steps": 8, "eval_every": 8}
    strategies = ["lora(rank=2)", "adapter(width=2)", "prototypical"]
    between = {"methods": "wise_ft(alpha=0.3)", "strategies": ["lp_ft"]}
    runs = {
        "tuned": ({"methods": "fine_tune", "strategies": strategies}, strategies),
        "between": (between, ["lp_ft"]),
        "adapted": ({"methods": ["adabn", "mcd"]}, ["adabn", "mcd"]),
    }
    without = {"adapter(width=2)"}
    for name, (asked, jobs) in runs.items():
        how = {**FAST, **(few if "strategies" in asked else {"steps": 8, "eval_every": 8}), "seeds": 1, **asked}
        how |= {"devices": 1, "trials": "map", "standardise": "none"}
        root = tl_jax.fit(SOURCE, TARGET, run_dir=str(tmp_path / name), **how).run_dir
        for job in jobs:
            out = tmp_path / "out"  # one for all: nothing of an earlier export stays
            paths = export(root, Choice(job), out)
            about = json.loads((out / "model.json").read_text())
            want = program_logits(out, TARGET.test.x)
            assert (job in without) == (not (out / "weights.safetensors").exists()) == (about["weights"] is None), job
            assert len(paths) == (2 if job in without else 3)
            if job in without:
                assert "weights alone are not this model" in about["no weights because"]
                assert "model.stablehlo" in about["no weights because"]
            else:
                got = plain_logits(out, TARGET.test.x)
                np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3, err_msg=job)


def test_a_head_goes_by_the_names_of_its_classes(trained, tmp_path):
    network = build(named(NETWORK)(), 3)
    config = Config(init_from=str(trained.run_dir / "out"), network=NETWORK)
    read = lambda classes, config=config: read_weights(config, network, TARGET.test.x[:2], classes)
    as_is, turned, others = read(("a", "b", "c")), read(("c", "a", "b")), read(("a", "b", "d"))
    assert not as_is.report.notes
    for name in ("head/kernel", "head/bias"):
        np.testing.assert_array_equal(turned.params[name], as_is.params[name][..., [2, 0, 1]])
        assert name not in others.params
        assert name in others.report.reinitialised
    assert "order of the classes" in str(turned.report)
    assert "head begun anew: the file's classes are others (a, b, c), not a, b, d" in str(others.report)
    arrays = load_file(trained.run_dir / "out" / "weights.safetensors")
    save_file(arrays, tmp_path / "nameless.safetensors")
    nameless = read(("c", "a", "b"), dataclasses.replace(config, init_from=str(tmp_path / "nameless.safetensors")))
    np.testing.assert_array_equal(nameless.params["head/bias"], as_is.params["head/bias"])
    assert "head taken row by row: the file names no classes" in str(nameless.report)
    # An export's description beside the file, and what Hugging Face writes there.
    for name, file, beside in (
        ("weights", "model.json", {"classes": ["a", "b", "c"]}),
        ("model", "config.json", {"id2label": {"0": "a", "1": "b", "2": "c"}}),
    ):
        folder = tmp_path / name
        folder.mkdir()
        save_file(arrays, folder / f"{name}.safetensors")
        (folder / file).write_text(json.dumps(beside))
        told = read(("c", "a", "b"), dataclasses.replace(config, init_from=str(folder / f"{name}.safetensors")))
        np.testing.assert_array_equal(told.params["head/bias"], turned.params["head/bias"])
