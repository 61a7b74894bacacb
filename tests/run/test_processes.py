"""One run of several processes: how they are named, and that two of them train what one does."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from side_by_side import finished, free_ports
from tiny import FAST, domain, records

import tl_jax
from tl_jax.core import processes
from tl_jax.core.errors import UserError


def test_an_address_names_the_coordinator_the_number_of_processes_and_this_one():
    found = processes._addresses("[::1]:1234,4,3")
    assert found == {"coordinator_address": "[::1]:1234", "num_processes": 4, "process_id": 3}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("node1", "write auto, slurm, tpu, or COORDINATOR,PROCESSES,THIS"),
        ("node1,2,0", "write"),  # no port
        ("node1:1234,2", "write"),
        ("node1:1234,2,-1", "write"),
        ("node1:1234,2,2", "process 2 of 2"),
        ("node1:1234,1,0", "There are at least two"),
    ],
)
def test_another_form_is_refused_with_the_one_that_is_meant(given, said):
    with pytest.raises(UserError, match=said):
        processes.join(given)


def test_under_slurm_it_says_what_is_missing(monkeypatch):
    for name in ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    for said, name, value in (
        ("no job of SLURM's", "SLURM_JOB_ID", "7"),
        ("with srun", "SLURM_STEP_NODELIST", "node1"),
        ("one task", "SLURM_NTASKS", "1"),
    ):
        with pytest.raises(UserError, match=said):
            processes.join("slurm")
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SLURM_NTASKS", "2")
    assert processes._addresses("slurm") == {"cluster_detection_method": "slurm"}


def test_a_process_alone_decides_and_writes_for_itself():
    assert processes.first()
    assert not processes.several()
    assert processes.told(lambda: 3) == processes.together(lambda: 3) == 3
    assert processes.any_of(True)
    assert processes.same("this")


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> tuple[Path, list[list]]:
    """The directory of the runs of pair.py, and what each of its two processes said."""
    runs = tmp_path_factory.mktemp("pair")
    coordinator = f"127.0.0.1:{free_ports(1)[0]}"
    here = {**os.environ, "JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "1"}
    words = [sys.executable, str(Path(__file__).with_name("pair.py")), str(runs), coordinator]
    said = []
    for printed in finished([[*words, this] for this in ("0", "1")], here):
        lines = [line.removeprefix("said ") for line in printed.splitlines() if line.startswith("said ")]
        said.append([json.loads(line) for line in lines])
    return runs, said


@pytest.mark.slow
def test_two_processes_train_what_one_does_also_after_a_stop_of_one_and_on_another_number(two, tmp_path):
    runs, (said, others) = two
    # Where they differ in a setting nothing is begun; a stop of the second is one of both; so is the end.
    assert "processes differ" in said[0]
    assert not (runs / "differ").exists()
    assert said[1:] == others[1:] == [[False, True, 0], [False, True, 0], [True, False, 2]]
    stops = [json.loads((runs / name / "stops.jsonl").read_text()) for name in ("trials", "batch")]
    assert [one["step"] for one in stops] == [8, 8]
    # One process goes on with what two have begun, there with sets that stream.
    pair = domain("near", 0.0, size=600), domain("far", 1.0, size=600)
    settings = {
        **FAST,
        "seeds": 2,
        "devices": 1,
        "optimizer": "sgd",
    }  # Adam makes rounding large where a gradient is near 0
    assert tl_jax.fit(*pair, "dann", trials="map", run_dir=str(runs / "batch"), **settings).complete
    tl_jax.fit(*pair, "dann", trials="vmap", run_dir=str(tmp_path / "alone"), **settings)
    for name in ("trials", "batch"):
        assert_close(runs / name, tmp_path / "alone")


def assert_close(one: Path, other: Path) -> None:
    """Losses and predictions agree as far as sums in another order do."""
    lines = lambda run: [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for mine, theirs in zip(lines(one), lines(other), strict=True):
        assert mine["step"] == theirs["step"]
        assert mine["seed"] == theirs["seed"]
        np.testing.assert_allclose(mine["total"], theirs["total"], rtol=1e-5)
    after, before = records(one), records(other)
    assert after.keys() == before.keys()
    for name, x in before.items():
        np.testing.assert_allclose(after[name], x, rtol=1e-5, atol=1e-5, err_msg=name)
