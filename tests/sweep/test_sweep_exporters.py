"""Exporters: every trial once, with its settings, the metrics of its steps and its results."""

import importlib.util
import json
import struct
from pathlib import Path

import pytest

from tl_jax.core.errors import UserError, needed
from tl_jax.run.settings.config import Config
from tl_jax.sweep.exporters.table import EXPORTERS, export
from tl_jax.sweep.exporters.trial import trials
from tl_jax.sweep.tables.collect import collect

CONFIG = Config(methods=("dann", "source_only"), sweep=(("lam", (0.1, 1.0)),), seeds=(0, 1), network="mlp")


@pytest.fixture
def rows(tmp_path):
    """Four trials of dann and two of source_only, two evaluations each."""
    root, records, lines = tmp_path / "run", [], []
    for method, values in (("dann", {"lam": 0.1}), ("dann", {"lam": 1.0}), ("source_only", {})):
        for seed in (0, 1):
            one = {"seed": seed, "values": values}
            scores = {"last": {"step": 8, "target/accuracy": 0.5 + seed / 10}, "selected": {"criterion": "im"}}
            records.append({**CONFIG.described(method), **one, "selectors": scores})
            lines += [{"job": method, "step": s, **one, "total": s / 8, "target/accuracy": None} for s in (4, 8)]
    root.mkdir()
    (root / "results.json").write_text(json.dumps(records))
    (root / "config.json").write_text(json.dumps(CONFIG.to_json()))
    (root / "environment.json").write_text('{"commit": "c0ffee"}')
    (root / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return collect([root]).rows


def goes_on(rows) -> list[dict]:
    """The rows after the first trial was measured once more."""
    path = Path(rows[0]["run_dir"]) / "metrics.jsonl"
    line = json.loads(path.read_text().splitlines()[0])
    path.write_text(path.read_text() + json.dumps({**line, "step": 12}) + "\n")
    return rows


def without(package: str) -> bool:
    return importlib.util.find_spec(package) is None


def test_a_trial_has_its_own_lines_and_the_same_name_each_time(rows):
    found = trials(rows)
    assert len({one.identity for one in found}) == 6
    assert [one.identity for one in trials(rows)] == [one.identity for one in found]
    first = found[0]
    assert first.name == "dann lam=0.1 seed=0"
    assert first.identity.startswith(f"{CONFIG.digest()}-")
    assert first.steps == {4: {"total": 0.5}, 8: {"total": 1.0}}
    assert first.results == {"last/step": 8.0, "last/target/accuracy": 0.5}
    assert (first.settings["lam"], first.settings["network"], first.origin["commit"]) == (0.1, "mlp", "c0ffee")
    assert found[4].name == "source_only seed=0"
    changed = trials(goes_on(rows))
    assert [a.identity for a in changed] == [a.identity for a in found]
    assert [a.content == b.content for a, b in zip(changed, found, strict=True)] == [False] + [True] * 5


def test_what_cannot_be_exported_is_refused_before_anything_is_written(rows, tmp_path, monkeypatch):
    for name, to, message in (("tensorbord", "x", "Did you mean 'tensorboard'"), ("mlflow", "", "as in --to=")):
        with pytest.raises(UserError, match=message):
            export(rows, name, to)
    monkeypatch.setattr("importlib.import_module", lambda name: (_ for _ in ()).throw(ImportError))
    for name in EXPORTERS:
        with pytest.raises(UserError, match=rf"--export={name} needs \w+: pip install 'tl_jax\[{name}\]', or pip"):
            export(rows, name, str(tmp_path / "to"))
    assert not (tmp_path / "to").exists()


def events(folder: Path):
    """Every (tag, step, value) in TensorBoard's files: a length, four bytes, an event, four bytes."""
    event = needed("tensorboardX.proto.event_pb2", "--export").Event
    for path in sorted(folder.glob("events.*")):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (size,) = struct.unpack("<Q", content[at : at + 8])
            found = event.FromString(content[at + 12 : at + 12 + size])
            yield from ((value.tag, found.step, value.simple_value) for value in found.summary.value)
            at += size + 16


@pytest.mark.skipif(without("tensorboardX"), reason="tensorboardX is not installed")
@pytest.mark.filterwarnings("ignore")
def test_tensorboard_has_every_step_and_a_second_export_adds_nothing(rows, tmp_path):
    to = tmp_path / "board"
    assert export(rows, "tensorboard", str(to)) == f"{to}: 6 trials written for tensorboard."
    first = trials(rows)[0]
    found = list(events(to / first.identity))
    assert [(tag, step, value) for tag, step, value in found if tag == "total"] == [
        ("total", 4, 0.5),
        ("total", 8, 1.0),
    ]
    assert ("results/last/target/accuracy", 8, 0.5) in found
    assert any(tag.startswith("trial") for tag, _, _ in found)
    before = {path: path.stat().st_mtime_ns for path in to.rglob("*")}
    assert "0 trials written for tensorboard; 6 were there as they are" in export(rows, "tensorboard", str(to))
    assert {path: path.stat().st_mtime_ns for path in to.rglob("*")} == before
    (to / f"{first.identity}.part").mkdir()  # as a kill leaves it
    assert "1 trials written" in export(goes_on(rows), "tensorboard", str(to))
    assert [step for tag, step, _ in events(to / first.identity) if tag == "total"] == [4, 8, 12]
    assert sorted(path.name for path in to.iterdir()) == sorted(one.identity for one in trials(rows))


@pytest.mark.skipif(without("mlflow"), reason="mlflow is not installed")
@pytest.mark.filterwarnings("ignore")
def test_mlflow_has_every_trial_once(rows, tmp_path):
    to = str(tmp_path / "store")
    assert "6 trials written" in export(rows, "mlflow", to)
    client = needed("mlflow", "--export").MlflowClient(tracking_uri=f"sqlite:///{to}/mlflow.db")
    experiment = client.get_experiment_by_name("tl_jax").experiment_id
    assert len(client.search_runs([experiment])) == 6
    assert "0 trials written" in export(rows, "mlflow", to)
    assert "1 trials written" in export(goes_on(rows), "mlflow", to)
    runs = {run.info.run_name: run for run in client.search_runs([experiment])}
    assert len(runs) == 6
    run = runs["dann lam=0.1 seed=0"]
    assert (run.data.params["lam"], run.data.tags["commit"]) == ("0.1", "c0ffee")
    assert [one.step for one in client.get_metric_history(run.info.run_id, "total")] == [4, 8, 12]
    assert run.data.metrics["results/last/target/accuracy"] == 0.5


@pytest.mark.skipif(without("wandb"), reason="wandb is not installed")
@pytest.mark.filterwarnings("ignore")
def test_wandb_has_every_trial_once_without_a_network(rows, tmp_path):
    to = tmp_path / "wandb"
    folders = lambda: sorted(path.name for path in to.glob("wandb/offline-run-*"))
    assert "2 trials written" in export(rows[:2], "wandb", str(to))
    before = folders()
    assert len(before) == 2
    assert "0 trials written for wandb; 2 were there" in export(rows[:2], "wandb", str(to))
    assert folders() == before
    assert "1 trials written" in export(goes_on(rows)[:2], "wandb", str(to))
    assert len(folders()) == 2
