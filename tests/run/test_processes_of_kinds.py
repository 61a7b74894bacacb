"""Every kind of transfer as two processes on one machine: the files of one process with as many devices."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

KINDS = {
    "transductive": ["--method=dann"],
    "inductive": ["--strategy=full", "--strategy=lp_ft", "--labels_per_class=5", "--pretrain_steps=20"],
    "unsupervised": ["--method=simclr"],
    "multitask": ["--strategy=single", "--strategy=pcgrad"],
    "generalisation": ["--method=erm"],
    "test_time": ["--method=tent", "--corrupt=fog@3"],
}


def started(root: Path, kind: str, *words: str, devices: int) -> subprocess.Popen:
    line = [sys.executable, "-m", "tl_jax.launch.main", kind, *KINDS[kind], *words, f"--run_dir={root}"]
    settings = ["--steps=20", "--seeds=2", "--pictures=false"]
    here = {**os.environ, "JAX_NUM_CPU_DEVICES": str(devices)}
    return subprocess.Popen([*line, *settings], env=here, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_train_what_one_does(kind, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    both = [started(tmp_path / "two", kind, f"--distributed={address},2,{i}", devices=1) for i in (0, 1)]
    ended = [process.communicate(timeout=600)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], ended[0][-2000:]
    alone = started(tmp_path / "one", kind, "--devices=2", devices=2)
    assert (alone.communicate(timeout=600), alone.returncode)[1] == 0
    runs = sorted(path.parent.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("metrics.jsonl"))
    assert runs
    for run in runs:
        two, one = (tmp_path / side / run / "metrics.jsonl" for side in ("two", "one"))
        assert two.read_bytes() == one.read_bytes()
