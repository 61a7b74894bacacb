"""Files are whole or absent."""

import json

import pytest

from tl_jax.core.places import write_atomically
from tl_jax.run.rundir import RunDirectory, read_lines, slug, write_json


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    write_atomically(path, b"old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


def test_nan_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "results.json", {"accuracy": float("nan")})
    assert not (tmp_path / "results.json").exists()


def test_metric_lines_after_the_checkpoint_are_dropped_for_that_job_alone(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.add_metrics({"job": job, "step": step} for step in (10, 20, 30) for job in ("dann", "mcc"))
    directory.keep_metrics("mcc", 10)
    kept = [(line["job"], line["step"]) for line in read_lines(tmp_path / "metrics.jsonl")]
    assert kept == [("dann", 10), ("mcc", 10), ("dann", 20), ("dann", 30)]


def test_a_line_cut_short_is_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps({"job": "mcc", "step": 10}) + '\n{"job": "mc')
    assert read_lines(path) == [{"job": "mcc", "step": 10}]


def test_slugs_are_file_names():
    assert slug("cdan(entropy=True, form='tllib')") == "cdan-entropy-True-form-tllib"
    assert slug("shot: source model") == "shot-source-model"
