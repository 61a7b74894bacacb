"""Files are whole or absent, and what is not as it was written is found."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.core.files import write_atomically
from tl_jax.run.plan.fits import check_options
from tl_jax.run.plan.types import Options
from tl_jax.run.store.manifest import Manifest, append
from tl_jax.run.store.names import slug
from tl_jax.run.store.rundir import RunDirectory, bring, read_lines, write_json


def line(job: str, step: int) -> dict:
    return {"job": job, "step": step, "total": 1.5}


def written(tmp_path, jobs=("mcc",), steps=(10, 20, 30)) -> RunDirectory:
    directory = RunDirectory(tmp_path)
    for job in jobs:
        directory.begin(job, "map")
    for step in steps:
        for job in jobs:
            directory.keep_record(job, step, {"target/logits": np.full((1, 4, 3), step, np.float32)}, [line(job, step)])
    return directory


def flip(path, where: int, bit: int = 3) -> None:
    content = bytearray(path.read_bytes())
    content[where] ^= 1 << bit
    path.write_bytes(bytes(content))


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    write_atomically(path, b"old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


def test_runs_that_begin_together_may_share_folders_that_are_not_there_yet(tmp_path):
    def begin(i: int) -> None:
        for turn in range(50):
            check_options(Options(run_dir=tmp_path / f"runs{turn}" / "a" / str(i)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(begin, range(8)))
    assert not list(tmp_path.iterdir())


def test_nan_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "results.json", {"accuracy": float("nan")})
    assert not (tmp_path / "results.json").exists()


def test_what_a_job_wrote_after_the_checkpoint_is_dropped_for_that_job_alone(tmp_path):
    directory = written(tmp_path, ("dann", "mcc"))
    directory.begin_again("mcc", 10)
    kept = [(line["job"], line["step"]) for line in read_lines(tmp_path / "metrics.jsonl")]
    assert kept == [("dann", 10), ("mcc", 10), ("dann", 20), ("dann", 30)]
    assert list(directory.records("mcc")) == [10]
    assert list(directory.records("dann")) == [10, 20, 30]
    assert directory.manifest("mcc").mode == "map"


def test_records_come_back_and_stray_ones_are_not_read(tmp_path):
    directory = written(tmp_path)
    stray = directory.record_path("mcc", 99)
    stray.write_bytes(directory.record_path("mcc", 10).read_bytes())
    found = directory.records("mcc")
    assert list(found) == [10, 20, 30]
    assert found[20]["target/logits"].tolist() == np.full((1, 4, 3), 20.0).tolist()


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "deleted", "another step's"])
def test_a_record_that_is_not_as_it_was_written_is_found(damage, tmp_path):
    directory = written(tmp_path)
    path = directory.record_path("mcc", 20)
    if damage == "deleted":
        path.unlink()
    elif damage == "flipped":
        flip(path, len(path.read_bytes()) // 2)
    else:
        content = {
            "cut": path.read_bytes()[:-9],
            "empty": b"",
            "another step's": directory.record_path("mcc", 10).read_bytes(),
        }
        path.write_bytes(content[damage])
    assert directory.lost("mcc", [10, 20, 30]) == ["00000020.npz", "features.npz"]
    with pytest.raises(UserError, match="lost or damaged"):
        directory.records("mcc")


def test_every_flipped_bit_of_a_manifest_costs_its_line_alone(tmp_path):
    directory = written(tmp_path, steps=(10, 20))
    path = directory.manifest("mcc").path
    whole, content = directory.manifest("mcc").files, path.read_bytes()
    for where in range(0, len(content), 7):
        flip(path, where, bit=where % 8)
        found = Manifest(path.parent)
        assert all(whole[name] == entry for name, entry in found.files.items())
        assert len(found.files) + 2 >= len(whole)  # a newline that goes takes two lines with it
        path.write_bytes(content)


def test_a_line_cut_short_by_a_kill_spoils_no_other(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(b'{"a": 1}\n{"b"')
    append(path, ['{"c": 2}'])
    assert path.read_text().splitlines() == ['{"a": 1}', '{"b"', '{"c": 2}']


def test_metrics_are_written_anew_from_the_evaluations_and_it_is_said(tmp_path):
    directory, path = written(tmp_path, ("dann", "mcc")), tmp_path / "metrics.jsonl"
    assert directory.mend_metrics(["dann", "mcc"]) == ""
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[0], lines[2][:-5], *lines[3:], json.dumps(line("mcc", 99))]) + "\n")
    said = directory.mend_metrics(["dann", "mcc"])
    assert all(
        part in said for part in ("1 lines damaged", "1 lines repeated", "2 lines missing", "1 lines of no evalu")
    )
    assert sorted(path.read_text().splitlines()) == sorted(lines)
    path.unlink()
    assert "6 lines missing" in directory.mend_metrics(["dann", "mcc"])
    assert directory.mend_metrics(["dann", "mcc"]) == ""


def test_a_file_that_follows_from_others_is_written_only_where_it_differs(tmp_path):
    path = tmp_path / "table.md"
    assert not bring(path, b"a")
    before = path.stat().st_mtime_ns
    assert not bring(path, b"a")
    assert path.stat().st_mtime_ns == before
    assert bring(path, b"b")


def test_slugs_are_file_names():
    assert slug("cdan(entropy=True)") == "cdan-entropy-True"
    assert slug("mcc") == "mcc"
    assert slug("shot: source model").startswith("shot-source-model-")


def test_every_name_has_a_slug_of_its_own():
    names = [
        "afn(step=1.5)",
        "afn(step=-1.5)",
        "f(a=1.)",
        "f(a=1)",
        "f(a='1')",
        "f(a=1, b=2)",
        "f(a=1,b=2)",
        "a/b",
        "a-b",
    ]
    names += ["..", "", "-", "x" * 300, "x" * 301, "é" * 200, "single a b", "single a  b", "single a\nb"]
    slugs = [slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(0 < len(s.encode()) < 200 and not s.startswith(".") and "/" not in s for s in slugs)
