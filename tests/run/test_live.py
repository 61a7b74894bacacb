"""Metrics while a run goes on, and a run as one JSON object."""

import json
import sys
import types
from pathlib import Path

import pytest
import tiny

import tl_jax
from tl_jax.core.errors import UserError
from tl_jax.launch import flags
from tl_jax.run.conclude import Result
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config
from tl_jax.run.settings.settings import settings


class Writer:
    """What tensorboardX offers of it, with a file that can be read."""

    def __init__(self, place):
        self._path = Path(place) / "events"
        self._path.parent.mkdir(parents=True, exist_ok=True)

    def add_scalar(self, name, value, step):
        with self._path.open("a") as file:
            file.write(json.dumps([name, step, value]) + "\n")

    def flush(self):
        pass

    close = flush


def points(run_dir) -> dict[str, list]:
    """{trial: every point in the order in which it was written}."""
    files = sorted(run_dir.glob("tensorboard/*/*/events"))
    return {path.parent.name: [json.loads(line) for line in path.read_text().splitlines()] for path in files}


def test_a_run_that_was_stopped_has_every_point_once(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", types.SimpleNamespace(SummaryWriter=Writer))
    how = {**tiny.FAST, "seeds": 2, "devices": 1, "trials": "map", "run_dir": str(tmp_path / "run")}
    how |= {"log": "tensorboard", "sweep": {"lam": [0.1]}}
    with monkeypatch.context() as patch:
        tiny.stop(patch)
        assert not tl_jax.fit(tiny.SOURCE, tiny.TARGET, "mcc", **how).complete
    before = points(tmp_path / "run")
    assert {step for trial in before.values() for _, step, _ in trial} == {6}
    run = tl_jax.fit(tiny.SOURCE, tiny.TARGET, "mcc", **how)
    found = points(run.run_dir)
    assert list(found) == ["lam=0.1 seed=0", "lam=0.1 seed=1"]
    lines = [json.loads(line) for line in (run.run_dir / "metrics.jsonl").read_text().splitlines()]
    for seed in (0, 1):
        wanted = {(n, x["step"], x[n]) for x in lines if x["seed"] == seed for n in ("total", "target/accuracy")}
        there = [tuple(point) for point in found[f"lam=0.1 seed={seed}"] if point[0] in ("total", "target/accuracy")]
        assert len(there) == len(wanted) == 8
        assert set(there) == wanted


def test_a_package_that_is_missing_is_said_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UserError, match=r"--log=tensorboard needs tensorboardX: pip install 'tl_jax\[tensorboard\]'"):
        tl_jax.fit(tiny.SOURCE, tiny.TARGET, "mcc", **tiny.FAST, log="tensorboard", run_dir=str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("complete", [True, False])
def test_a_run_is_one_json_object_and_its_exit_code_stays(monkeypatch, capsys, complete):
    given = {one.flag: one.default for one in settings(Options).values() if one.flag}
    given |= {"platform": "auto", "json": True, "list_params": False, "dry_run": False}
    monkeypatch.setattr(flags, "FLAGS", types.SimpleNamespace(**given))
    monkeypatch.setattr(flags, "setup_devices", lambda *_: None)
    asked = []

    def run(config, options, domains):
        asked.append(options)
        return Result([{"method": "mcc", "seed": 0}], "a table", Path("runs/one"), complete)

    monkeypatch.setattr(flags, "run", run)
    if complete:
        flags.train(Config())
    else:
        with pytest.raises(SystemExit) as ended:
            flags.train(Config())
        assert ended.value.code == 130
    assert asked[0].quiet
    said = json.loads(capsys.readouterr().out)
    assert said == {
        "run_dir": "runs/one",
        "complete": complete,
        "records": [{"method": "mcc", "seed": 0}],
        "baselines": [],
    }
