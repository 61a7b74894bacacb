"""Test time: what comes is predicted by the source model as the method has it by then, and scored once."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from tiny import FAST, NETWORK, SOURCE, TARGET, records, stop

import tl_jax
from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain, Examples
from tl_jax.kinds.table import KINDS, run
from tl_jax.kinds.test_time.jobs import streaming
from tl_jax.kinds.test_time.streams import continual, episodic, mixed, ordered, segments
from tl_jax.methods import TEST_TIME
from tl_jax.models.files.pretrained import save
from tl_jax.models.networks import NETWORKS, build
from tl_jax.naming.calls import parse
from tl_jax.programs.trained import predict as program
from tl_jax.programs.trained.export import Choice, export
from tl_jax.programs.trained.streamed import in_blocks
from tl_jax.run.plan import prepare
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config

ASKED = {"kind": "test_time", "seeds": 2, **FAST, "eval_every": 24}
METHODS = ["no_adaptation", "bn_adapt(prior=0.0)", "tent"]
Y = np.repeat(np.arange(4), 25)


def test_a_stream_has_every_example_once_and_is_another_for_another_seed():
    for how, parts in ((episodic(), 2), (continual(concentration=0.1), 2), (mixed(), 1)):
        found = segments(how, ("a@1", "b@1"), Y, (0, 1))
        assert [part.rows.shape for part in found] == [(2, 200 // parts)] * parts
        for part in found:
            for rows in part.rows:
                np.testing.assert_array_equal(np.sort(rows), np.arange(len(rows)))
            assert (part.rows[0] != part.rows[1]).any()


def test_a_small_concentration_brings_classes_in_runs():
    changes = [np.diff(Y[ordered(Y, c, np.random.default_rng(0))]).astype(bool).sum() for c in (0.0, 1.0, 0.01)]
    assert changes[0] > 60
    assert changes[2] <= 6  # a class or so a slot, of which there are as many as classes
    assert changes[2] <= changes[1] < changes[0]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    where = tmp_path_factory.mktemp("stream") / "run"
    asked = {**ASKED, "stream": "continual(batch=10)", "corrupt": "none"}
    return tl_jax.fit(SOURCE, TARGET, METHODS, run_dir=str(where), **asked), where, asked


def test_every_number_is_the_last_and_said_to_be(result):
    result, where, _ = result
    assert result.complete
    assert len(list((where / "records").iterdir())) == 1 + len(METHODS)  # one source model for all
    assert [r["method"] for r in result.records] == [m for m in METHODS for _ in range(2)]
    for record in result.records:
        last = record["selectors"]["last"]
        assert set(record["selectors"]) == {"last"}
        assert last["target/error"] == pytest.approx(last["error/none"])
        assert last["ms"] > 0
    assert "nothing is chosen" in result.table
    assert result.table.splitlines()[0].split() == ["error", *METHODS]


def test_what_was_predicted_stands_by_example(result):
    _, where, _ = result
    stored = records(where)
    (name,) = [name for name in stored if "no_adaptation" in name and name.endswith("predicted/none")]
    assert stored[name].shape == (2, len(TARGET.test.y))
    error = (stored[name] != TARGET.test.y).mean(1)
    listed = json.loads((where / "results.json").read_text())
    assert [r["selectors"]["last"]["error/none"] for r in listed[:2]] == pytest.approx(error.tolist())


@pytest.mark.parametrize("job", ["no_adaptation", "tent"])
def test_a_stream_is_predicted_as_the_run_predicted_its_own(result, job, tmp_path):
    result, where, _ = result
    model = tl_jax.load(where, job, 1, source=SOURCE, target=TARGET)
    assert repr(model) == f"<{job}, seed 1, of 24 steps>"
    rows = segments(continual(batch=10), ("none",), TARGET.test.y, (0, 1))[0].rows[1]
    np.savez(tmp_path / "new.npz", x=TARGET.test.x[rows], y=np.array(TARGET.classes)[TARGET.test.y[rows]])
    found = program.predict(model, str(tmp_path / "new.npz"))
    (stored,) = [x for name, x in records(where).items() if job in name and name.endswith("predicted/none")]
    want = [TARGET.classes[k] for k in stored[1][rows]]
    assert program.table(found)["class"].tolist() == want
    (record,) = [r for r in result.records if (r["method"], r["seed"]) == (job, 1)]
    assert program.scores(found)[0].startswith(f"error {record['selectors']['last']['error/none']:.4g}, ")
    assert program.table(found)["batch"].tolist() == [i // 10 for i in range(33)]
    assert any("10 a batch, each predicted before" in note for note in found.notes)


def test_what_a_stream_has_not_is_refused_and_blocks_of_classes_are_said(result, tmp_path):
    _, where, _ = result
    domains = {"source": SOURCE, "target": TARGET}
    with pytest.raises(UserError, match="at test time nothing is chosen"):
        tl_jax.load(where, "tent", select="selected", **domains)
    with pytest.raises(UserError, match="a stream is of the target"):
        tl_jax.load(where, "tent", **domains).said([TARGET], "source0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "load", lambda spec, data_dir: {"near": SOURCE, "far": TARGET}[spec])
        with pytest.raises(UserError, match="tent adapts to a stream as it predicts"):
            export(where, Choice("tent"), tmp_path)
    plain = {name: streaming(Config(source=("a",)), [(name, make())])[0].plain for name, make in TEST_TIME.items()}
    assert [name for name, found in plain.items() if found] == ["no_adaptation"]
    assert in_blocks(np.array([1, 1, 0, 0, 2]))
    assert not in_blocks(np.array([1, 0, 1, 2]))
    assert not in_blocks(np.array([1, 1, -1, 2]))


def test_a_run_that_was_stopped_goes_on_to_the_same_errors(result, tmp_path, monkeypatch):
    whole, _, asked = result
    with monkeypatch.context() as patch:
        stop(patch)
        half = tl_jax.fit(SOURCE, TARGET, METHODS, run_dir=str(tmp_path / "run"), **asked)
    assert not half.complete
    assert "not finished" in half.table
    again = tl_jax.fit(SOURCE, TARGET, METHODS, run_dir=str(tmp_path / "run"), **asked)
    of = lambda records: [{k: v for k, v in r["selectors"]["last"].items() if k != "ms"} for r in records]
    assert of(again.records) == of(whole.records)


def test_a_method_is_put_back_where_asked_and_goes_on_where_not(tmp_path):
    """Images with two corruptions; the first has the same errors in both streams, the second not."""
    draw = np.random.default_rng(0)
    y = np.arange(48, dtype=np.int32) % 3
    x = (draw.integers(0, 90, (48, 6, 6, 1)) + 70 * y[:, None, None, None]).astype(np.uint8)
    images = Domain("images", ("a", "b", "c"), Examples(x, y), Examples(x, y), Examples(x, y))
    found = {}
    for form in ("episodic(batch=8)", "continual(batch=8)"):
        asked = {**ASKED, "seeds": 1, "stream": form, "corrupt": ["brightness@3", "gaussian_noise@5"]}
        done = tl_jax.fit(images, images, ["tent(lr=0.3)"], run_dir=str(tmp_path / form[:5]), **asked)
        found[form[:5]] = records(tmp_path / form[:5])
        (record,) = done.records
        errors = [record["selectors"]["last"][f"error/{name}"] for name in asked["corrupt"]]
        assert record["selectors"]["last"]["target/error"] == pytest.approx(np.mean(errors))
        assert len(done.table.split("\n\n")[0].splitlines()) == 2 + 2 + 2  # head, corruptions, mean and time
    a, b = ({k.rpartition("npz/")[2]: v for k, v in found[form].items() if "tent" in k} for form in found)
    np.testing.assert_array_equal(a["confidence/brightness@3"], b["confidence/brightness@3"])
    assert (a["confidence/gaussian_noise@5"] != b["confidence/gaussian_noise@5"]).any()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"corrupt": "fogg@3"}, "fog"),
        ({"corrupt": ["fog@3", "all@3"]}, "only once"),
        ({"corrupt": "fog@3"}, "corruptions are of images, and far holds vector"),
        ({"stream": "dirichlet"}, "continual"),
        ({"stream": "mixed(batch=0)"}, "batch"),
        ({"stream": "mixed(concentration=-1.0)"}, "concentration"),
        ({"methods": ["dann"]}, "tent"),
        ({"labels_per_class": [3]}, "says nothing to test_time transfer"),
        ({"forward_plan": "frozen"}, "statistics move"),
    ],
)
def test_what_makes_no_stream_is_refused(settings, said):
    with pytest.raises(UserError, match=said):
        tl_jax.fit(SOURCE, TARGET, **{"methods": ["tent"], **ASKED, **settings})


def test_a_stream_says_nothing_to_other_kinds():
    with pytest.raises(UserError, match="--corrupt says nothing to transductive"):
        tl_jax.fit(SOURCE, TARGET, ["dann"], **{**FAST, "corrupt": ["fog@3"]})


def test_a_model_of_a_file_needs_no_source(tmp_path):
    network = build(parse(NETWORK, NETWORKS, "network")(), 3)
    params, stats = network.init(jax.random.key(0), TARGET.test.x[:2])
    save(str(tmp_path / "model.safetensors"), params, stats, naming="plain")
    settings = {name: value for name, value in FAST.items() if name not in ("quiet", "pictures")}
    begun = {"source": (), "target": "t", "init_from": str(tmp_path / "model.safetensors"), "corrupt": ("none",)}
    config = dataclasses.replace(
        KINDS["test_time"].defaults, methods=("no_adaptation",), seeds=(0,), **begun, **settings
    )
    options = Options(str(tmp_path / "run"), devices=1, quiet=True, pictures=False)
    (record,) = run(config, options, {"t": TARGET}).records
    wanted = network.apply(params, stats, TARGET.test.x)[0].logits.argmax(-1)
    assert record["selectors"]["last"]["target/error"] == pytest.approx((np.asarray(wanted) != TARGET.test.y).mean())
