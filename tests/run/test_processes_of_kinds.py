"""Every kind of transfer as two processes on one machine: the files of one process with as many devices."""

import os
import sys
from pathlib import Path

import pytest
from side_by_side import finished, free_ports

KINDS = {
    "transductive": ["--method=dann"],
    "inductive": ["--strategy=full", "--strategy=lp_ft", "--labels_per_class=5", "--pretrain_steps=20"],
    "unsupervised": ["--method=simclr"],
    "multitask": ["--strategy=single", "--strategy=pcgrad"],
    "generalisation": ["--method=erm"],
    "test_time": ["--method=tent", "--corrupt=fog@3"],
}


def trained(root: Path, kind: str, words: list[list[str]], devices: int) -> dict[Path, bytes]:
    """The metrics of the runs below root, one process for each of `words`."""
    line = [sys.executable, "-m", "tl_jax.launch.main", kind, *KINDS[kind], "--steps=20", "--seeds=2"]
    line += ["--pictures=false", f"--run_dir={root}"]
    finished([[*line, *more] for more in words], {**os.environ, "JAX_NUM_CPU_DEVICES": str(devices)})
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("metrics.jsonl")}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_write_what_one_does(kind, tmp_path):
    address = f"127.0.0.1:{free_ports(1)[0]}"
    two = trained(tmp_path / "two", kind, [[f"--distributed={address},2,{i}"] for i in (0, 1)], devices=1)
    assert two
    assert two == trained(tmp_path / "one", kind, [["--devices=2"]], devices=2)
