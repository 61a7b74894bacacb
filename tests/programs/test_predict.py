"""What a trained model says of examples: as the run said it, and of others through the same door."""

import csv
import dataclasses
import io
import shutil

import numpy as np
import pytest
import tiny
from PIL import Image

import tl_jax
from tl_jax import Domain, Examples
from tl_jax.core.errors import UserError
from tl_jax.core.printable import printable
from tl_jax.data.load import everything
from tl_jax.data.match.like import given, joined, labels_like, like
from tl_jax.evaluation.metrics import log_softmax
from tl_jax.handed import named_objects
from tl_jax.methods import ADAPTATION, named_method
from tl_jax.methods.contract import Method
from tl_jax.methods.source_only import source_only
from tl_jax.programs.trained import predict as program
from tl_jax.programs.trained.opened import open_model, with_objects
from tl_jax.run.plan import prepare
from tl_jax.run.settings.config import Config
from tl_jax.run.wanted import Wanted, trial_of

DOMAINS = {domain.name: domain for domain in (tiny.SOURCE, tiny.TARGET)}
HOW = {**tiny.FAST, "steps": 9, "eval_every": 3, "seeds": 2, "devices": 1, "trials": "map", "ema": 0.9}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("predict") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "load", lambda spec, data_dir: DOMAINS[spec])
        methods = ["source_only", "mcc"]
        yield tl_jax.fit(tiny.SOURCE, tiny.TARGET, methods, run_dir=str(root), sweep={"lam": [0.1, 1.0]}, **HOW)


@pytest.fixture(scope="module")
def mcc(run):
    return tl_jax.load(run.run_dir, "mcc", 1, values={"lam": 1.0})


def stored(run, job, trial):
    with np.load(sorted(run.run_dir.glob(f"records/{job}/0*.npz"))[-1]) as file:
        return {name: x[trial] for name, x in file.items() if name.endswith("/logits")}


def test_predictions_are_those_that_the_run_stored(run, mcc):
    assert (mcc.seed, mcc.values["lam"], mcc.step, mcc.classes) == (1, 1.0, 9, ("a", "b", "c"))
    want = stored(run, "mcc", 3)
    assert repr(mcc) == "<mcc, seed 1, lam 1, of 9 steps>"
    x = tiny.TARGET.test.x
    p = np.exp(log_softmax(want["target_test/logits"]))
    np.testing.assert_allclose(mcc.probabilities(x), p, rtol=1e-4, atol=1e-5)
    assert mcc.predict(x.tolist()).tolist() == [mcc.classes[k] for k in p.argmax(1)]
    np.testing.assert_allclose(mcc.probabilities(x[:1]), p[:1], rtol=1e-4, atol=1e-5)
    assert mcc.features(x).shape == (33, 8)


def test_a_source_is_taken_by_its_own_statistics_and_scale(run, mcc):
    x, want = tiny.SOURCE.validation.x, stored(run, "mcc", 3)["source0_val/logits"]
    np.testing.assert_allclose(mcc.probabilities(x, "source0"), np.exp(log_softmax(want)), rtol=1e-4, atol=1e-5)
    assert np.abs(mcc.probabilities(x) - np.exp(log_softmax(want))).max() > 1e-3
    with pytest.raises(UserError, match=r"Unknown domain of mcc 'source1'. Did you mean 'source0'"):
        mcc.predict(x, "source1")


def test_another_trial_is_another_model(run, mcc):
    other = tl_jax.load(run.run_dir, "mcc", trial=0)
    assert (other.seed, other.values["lam"]) == (0, 0.1)
    want = stored(run, "mcc", 0)["target_test/logits"]
    got = other.probabilities(tiny.TARGET.test.x)
    np.testing.assert_allclose(got, np.exp(log_softmax(want)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Wanted("mcc"), "several values of lam: choose with --values=lam=0.1 or --values=lam=1"),
        (Wanted("mcc", 7, {"lam": 1.0}), "There are: seed 0, 1; lam 0.1, 1"),
        (Wanted("mcc", values={"lamb": 1.0}), "Did you mean 'lam'"),
        (Wanted("mcc", trial=4), "trials 0 to 3"),
        (Wanted("mcc", 0, trial=1), "--trial counts trials"),
    ],
)
def test_a_trial_that_is_not_there_or_one_of_several_is_named(mcc, wanted, message):
    with pytest.raises(UserError, match=message):
        trial_of(mcc.task, wanted)


def test_what_is_no_model_of_the_run_is_named(run, tmp_path):
    for wanted, message in (
        (Wanted(), "several models: choose one with --job"),
        (Wanted("mc"), "Did you mean 'mcc'"),
        (Wanted("mcc", select="oracle"), "no model that could be had without those labels"),
        (Wanted("mcc", select="best"), "Unknown --select 'best'"),
    ):
        with pytest.raises(UserError, match=message):
            open_model(run.run_dir, wanted)
    with pytest.raises(UserError, match="not a run directory"):
        open_model(tmp_path, Wanted())


def test_the_selected_step_is_taken_or_said_to_be_gone(run, mcc, monkeypatch):
    steps = [r["selectors"]["selected"]["step"] for r in run.records if r["method"] == "mcc"]
    for trial, step in enumerate(steps):  # of every trial the step that is its own
        model = tl_jax.load(run.run_dir, "mcc", trial=trial, select="selected")
        assert model.step == step
        with np.load(run.run_dir / f"records/mcc/{step:08d}.npz") as file:
            want = file["target_test/logits"][trial]
        got = model.probabilities(tiny.TARGET.test.x)
        np.testing.assert_allclose(got, np.exp(log_softmax(want)), rtol=1e-4, atol=1e-5)
    monkeypatch.setattr("tl_jax.run.wanted.selected_step", lambda *_: 6)
    assert tl_jax.load(run.run_dir, "source_only", select="selected").step == 6
    monkeypatch.setattr("tl_jax.run.wanted.selected_step", lambda *_: 1)
    with pytest.raises(UserError, match=r"step 1 is gone: .* of step 6 and 9. --select=last"):
        tl_jax.load(run.run_dir, "source_only", select="selected")


def test_data_that_have_changed_are_refused_and_handed_over_ones_taken(run, monkeypatch):
    moved = tiny.domain("far", 1.0, size=63)
    with pytest.raises(UserError, match=r"trained on other data .* the examples of far \(train"):
        tl_jax.load(run.run_dir, "source_only", target=moved)
    monkeypatch.setattr(prepare, "load", lambda spec, data_dir: (_ for _ in ()).throw(UserError(f"No {spec}.")))
    with pytest.raises(UserError, match=r"without the data .* No near. .*tl_jax.load"):
        tl_jax.load(run.run_dir, "source_only")
    assert tl_jax.load(run.run_dir, "source_only", source=tiny.SOURCE, target=tiny.TARGET).step == 9


def test_what_the_model_cannot_take_is_one_message(mcc):
    for x, message in (
        (tiny.TARGET.test.x[:, :5], r"shape \[5\]; the model was trained on \[8\]"),
        (np.zeros((4, 8, 8, 3), np.uint8), "vector needs float32"),
        (np.full((2, 8), np.nan), "NaN"),
        (tiny.TARGET.test.x[:0], "not one example"),
    ):
        with pytest.raises(UserError, match=message):
            mcc.predict(x)
    with pytest.raises(UserError, match="--label_space=closed"):
        mcc.rejected(tiny.TARGET.test.x)


def rows(found, **how):
    return list(csv.DictReader(io.StringIO(program.written(found, "", **how).decode())))


def test_a_file_without_labels_gives_a_row_an_example(mcc, tmp_path):
    x = tiny.TARGET.test.x
    np.savez(tmp_path / "new.npz", x=x[:2])
    found = program.predict(mcc, str(tmp_path / "new.npz"))
    assert program.scores(found) == []
    table = rows(found, every=True)
    assert list(table[0]) == ["example", "class", "probability", "entropy", "p(a)", "p(b)", "p(c)"]
    assert [row["example"] for row in table] == ["row 0", "row 1"]
    p = mcc.probabilities(x[:2])
    assert [float(row["probability"]) for row in table] == pytest.approx(p.max(1), abs=1e-6)
    assert [float(row["entropy"]) for row in table] == pytest.approx(-(p * np.log(p)).sum(1), abs=1e-6)
    assert [float(row["p(b)"]) for row in table] == pytest.approx(p[:, 1], abs=1e-6)
    assert [row["class"] for row in table] == mcc.predict(x[:2]).tolist()


def test_with_labels_there_are_scores_by_the_names_of_the_classes(run, mcc, tmp_path):
    x, y = tiny.TARGET.test
    names = np.array(["b", "c", "a"])[y]
    shifted = np.where(np.arange(len(y)) < 3, "z", names)  # whose numbers are not the model's, and one class too many
    np.savez(tmp_path / "labelled.npz", x=x, y=shifted)
    found = program.predict(mcc, f"npz:{tmp_path / 'labelled.npz'}")
    right = (mcc.predict(x) == shifted)[3:]
    lines = program.scores(found)
    assert lines[0].startswith(f"accuracy {right.mean():.4g}")
    assert lines[0].endswith("of 30 labelled examples")
    assert "3 of 33 examples are of classes that the model does not know (z)" in found.notes
    taken = (mcc.predict(x) == "b") & (shifted == "a")
    assert next(line for line in lines[lines.index("confusion (rows: true, columns: predicted)") :] if "a " in line)
    row = lines[-3].split()
    assert (row[0], int(row[2])) == ("a", int(taken.sum()))
    assert [row["label"] for row in rows(found)[:4]] == [*"zzz", shifted[3]]


def test_columns_without_the_names_of_the_others_are_matched_by_position_which_is_said(mcc):
    first = mcc.task.problem.target
    named = like(joined(Domain("named", (), *[Examples(tiny.TARGET.test.x)] * 3, features=tuple("hgfedcba"))), first)
    assert "matched by position" in named.notes[0]
    np.testing.assert_array_equal(given(tiny.TARGET.test.x, first).train.x, tiny.TARGET.test.x)


def test_parquet_and_features_hold_the_same(mcc, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    np.savez(tmp_path / "new.npz", x=tiny.TARGET.test.x, y=np.array(list("abc"))[tiny.TARGET.test.y])
    found = program.predict(mcc, str(tmp_path / "new.npz"))
    table = pq.read_table(io.BytesIO(program.written(found, "x.parquet"))).to_pylist()
    assert [row["class"] for row in table] == mcc.predict(tiny.TARGET.test.x).tolist()
    assert [row["label"] for row in table][:3] == ["a", "b", "c"]
    kept = program.embeddings(found)
    assert kept["features"].shape == (33, 8)
    np.testing.assert_array_equal(kept["y"], tiny.TARGET.test.y)
    with pytest.raises(UserError, match=r"--out=x.txt: the ending says the format: .csv or .parquet"):
        program.written(found, "x.txt")


def test_pictures_of_a_folder_come_in_the_order_of_their_names_at_the_size_of_the_model(tmp_path):
    grey = lambda n: (np.arange(n * 64, dtype=np.uint32).reshape(n, 8, 8, 1) % 251).astype(np.uint8)
    part = Examples(grey(6), np.arange(6, dtype=np.int32) % 2)
    first = Domain("seen", ("x", "y"), part, part, part)
    for i in range(3):
        Image.fromarray(np.full((20, 20, 3), 40 * i, np.uint8)).save(tmp_path / f"=p{i}.png")
    found = everything(str(tmp_path), "", "npz:seen.npz", first)
    assert found.train.x.shape == (3, 8, 8, 1)
    assert found.ids["train"].tolist() == ["=p0.png", "=p1.png", "=p2.png"]
    assert labels_like(found, first)[1] == ""
    one = everything(str(tmp_path / "=p2.png"), "", "folder:x?size=16&resize=24", first)
    assert one.train.x.shape == (1, 16, 16, 3)  # as the run's target was read
    assert like(one, first).train.x.shape == (1, 8, 8, 1)
    colour = everything(f"folder:{tmp_path}?size=8", "", "npz:seen.npz", first)
    assert like(colour, first).train.x.shape == (3, 8, 8, 1)
    with pytest.raises(UserError, match="no such file or folder"):
        everything(str(tmp_path / "nothing"), "", "npz:seen.npz", first)


def test_what_stands_in_two_splits_is_predicted_once(tmp_path):
    x = tiny.TARGET.test.x
    np.savez(tmp_path / "splits.npz", x=x[:4], x_test=x[4:7])
    assert everything(str(tmp_path / "splits.npz"), "", "npz:a.npz", tiny.TARGET).ids["train"].tolist() == [
        *(f"row {i}" for i in range(4)),
        *(f"test row {i}" for i in range(3)),
    ]
    assert len(joined(tiny.TARGET).train.x) == 60 + 21 + 33


def test_long_texts_are_refused_and_short_ones_padded():
    ids = lambda n, length: np.arange(n * length, dtype=np.int32).reshape(n, length) % 9 + 1
    first = Domain(
        "text", ("x", "y"), *[Examples(ids(4, 5), np.array([0, 1, 0, 1]))] * 3, modality="text", vocabulary=10
    )
    assert given(ids(2, 3), first).train.x.tolist()[0] == [1, 2, 3, 0, 0]
    assert given(np.pad(ids(2, 5), ((0, 0), (0, 4))), first).train.x.shape == (2, 5)
    with pytest.raises(UserError, match="up to 6 long; those that the model was trained on had at most 5"):
        given(ids(2, 6), first)
    with pytest.raises(UserError, match="token id"):
        given(ids(2, 3) + 9, first)


def test_values_are_in_the_unit_of_their_labels(tmp_path):
    slope = np.random.default_rng(0).normal(size=8)

    def domain(name, seed):
        rng = np.random.default_rng(seed)
        draw = lambda n: rng.normal(size=(n, 8)).astype(np.float32)
        return Domain(name, (), *[Examples(x, 40 + 5 * np.tanh(x @ slope)) for x in (draw(60), draw(21), draw(33))])

    source, target = domain("rule", 0), domain("line", 1)
    how = {**HOW, "steps": 4, "eval_every": 4, "seeds": 1}
    run = tl_jax.fit(source, target, "source_only", run_dir=str(tmp_path / "run"), **how)
    model = tl_jax.load(run.run_dir, source=source, target=target)
    written = list(csv.DictReader(io.StringIO((run.run_dir / "predictions.csv").read_text())))
    want = [float(row["value"]) for row in written if row["split"] == "test"]
    np.testing.assert_allclose(model.predict(target.test.x), want, rtol=1e-5)
    np.savez(tmp_path / "new.npz", x=target.test.x, y=target.test.y)
    found = program.predict(model, str(tmp_path / "new.npz"))
    assert [float(row["value"]) for row in rows(found)] == pytest.approx(want, rel=1e-5)
    metrics = run.records[0]["selectors"]["last"]
    assert program.scores(found)[0].startswith(f"R2 {metrics['target/r2']:.4g}")
    with pytest.raises(UserError, match="predicts values"):
        model.probabilities(target.test.x)


def test_the_command_prints_rows_alone_or_writes_them(run, tmp_path, monkeypatch, capsys):
    from absl.testing import flagsaver

    from tl_jax.launch import predict as script

    if not script.FLAGS.is_parsed():
        script.FLAGS.mark_as_parsed()
    np.savez(tmp_path / "new.npz", x=tiny.TARGET.test.x)
    words = (str(run.run_dir), str(tmp_path / "new.npz"))
    with flagsaver.flagsaver(job="mcc", seed=1, values=["lam=1"]):
        script.main(*words)
        out, err = capsys.readouterr()
        assert len(out.splitlines()) == 34
        assert printable(err).startswith("mcc, seed 1, lam 1, step 9: 33 examples of")
        with flagsaver.flagsaver(out=str(tmp_path / "a.csv"), features=str(tmp_path / "f.npz")):
            script.main(*words)
        assert (tmp_path / "a.csv").read_text() == out
        with np.load(tmp_path / "f.npz") as file:
            assert file["features"].shape == (33, 8)
        with flagsaver.flagsaver(values=["lam=1,2"]), pytest.raises(UserError, match="one value"):
            script.main(*words)
    with pytest.raises(UserError, match="Name a run directory and a spec"):
        script.main(words[0])


def test_objects_from_python_stand_for_their_names_again():
    def own() -> Method:
        return source_only()

    objects = named_objects({"methods": ["mcc", own]})
    (name,) = objects
    config = dataclasses.replace(Config(), methods=("mcc", name))
    again = with_objects(config, objects)
    assert again == config
    assert named_method(again.methods[1], ADAPTATION)[1].lam is None
    with pytest.raises(UserError, match="steps"):
        named_objects({"steps": 3})


def test_a_run_that_keeps_its_records_alone_is_finished_and_says_why_it_is_no_model(run, tmp_path):
    root, how = tmp_path / "run", {**HOW, "sweep": {"lam": [0.1, 1.0]}, "run_dir": str(tmp_path / "run")}
    shutil.copytree(run.run_dir, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "load", lambda spec, data_dir: DOMAINS[spec])
        for _ in range(2):  # nothing is trained, the second time neither
            again = tl_jax.fit(tiny.SOURCE, tiny.TARGET, ["source_only", "mcc"], keep="records", **how)
            assert again.records == run.records
            assert not (root / "checkpoints").exists()
        with pytest.raises(UserError, match="--keep=records"):
            tl_jax.load(root, "mcc", 1, values={"lam": 1.0})
