"""A real SLURM on this machine: whatever ends a job, its run has the results of one that nothing disturbed."""

import contextlib
import json
import os
import signal
import socket
from pathlib import Path

import loopback
import numpy as np
import pytest
from loopback import Cluster, until
from tiny import records

from tl_jax.run.settings.config import Config
from tl_jax.run.store.lock import holder_of
from tl_jax.sweep.clusters import data, slurm
from tl_jax.sweep.clusters.tasks import Asked
from tl_jax.sweep.directory import Plan, SweepDirectory
from tl_jax.sweep.plan import Run

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(bool(loopback.lacking()), reason=loopback.lacking())]
TINY = Config(
    source=("digits:handwritten",),
    target="digits:photo",
    network="mlp(bottleneck=8, hidden=(8,))",
    methods=("dann",),
    seeds=(0,),
    steps=14000,
    eval_every=2000,
    batch_size=8,
)
NAMES = ("whole", "warned", "pre-empted", "killed", "limited", "on-a-bad-node", "cancelled")
WRONG = "mistaken"
DIVIDED = "divided"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    root = tmp_path_factory.mktemp("slurm")
    for path in (root, *root.parents[:2]):
        path.chmod(0o755)  # munge is another user
    found = Cluster(root)
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="module")
def planned(cluster, tmp_path_factory) -> SweepDirectory:
    """One run, seven times under another name, and one that cannot be."""
    found = SweepDirectory(tmp_path_factory.mktemp("a sweep"))
    made = [Run(name, TINY, 1) for name in NAMES]
    made.append(Run(DIVIDED, Config(**{**vars(TINY), "steps": 300, "eval_every": 20}), 1))
    made.append(Run(WRONG, Config(**{**vars(TINY), "target": "folder:/nowhere"}), 1))
    options = {"devices": 1, "quiet": True, "pictures": False, "platform": "cpu"}
    found.keep(Plan(Config(), options, "", tuple(made)))
    return found


@pytest.fixture(scope="module")
def sweep(planned) -> SweepDirectory:
    """The same, once its first run has ended undisturbed."""
    submit(planned, "whole")
    ended(planned, "whole")
    return planned


def submit(sweep: SweepDirectory, name: str, *flags: str) -> str:
    """Submit a run as the line of a sweep does; the job's number."""
    (said,) = slurm.submit(sweep, [name], Asked(flags))
    return said.split()[1].rstrip(":")


def begun(sweep: SweepDirectory, name: str, stood: int = 0) -> None:
    """Wait until it trains: after its next evaluation."""
    until(lambda: sweep.standing(name) > stood, f"{name} trains")


def ended(sweep: SweepDirectory, name: str) -> None:
    until(lambda: sweep.state(name).state == "finished", f"{name} finishes", 400)


def worker(sweep: SweepDirectory, name: str, stood: int = 0) -> int:
    """The process that trains a run, stood still where it is: a test takes minutes of waiting, and no computing."""
    begun(sweep, name, stood)
    found = until(lambda: holder_of(sweep.run(name)), f"{name} is held")
    os.kill(found[0], signal.SIGSTOP)
    return found[0]


def warned(pid: int) -> bool:
    """Whether a USR1 waits for a process that stands still."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines() if Path(f"/proc/{pid}").exists() else []
    waiting = [int(line.split()[1], 16) for line in status if line.startswith(("SigPnd", "ShdPnd"))]
    return any(bits >> (signal.SIGUSR1 - 1) & 1 for bits in waiting)


def restarts(cluster: Cluster, job: str) -> int:
    shown = cluster.said("scontrol", "show", "job", job)
    return int(shown.partition("Restarts=")[2].split()[0])


def assert_as_undisturbed(sweep: SweepDirectory, name: str) -> None:
    ended(sweep, name)
    whole, other = sweep.run("whole"), sweep.run(name)
    for file in ("results.json", "metrics.jsonl"):
        assert (whole / file).read_bytes() == (other / file).read_bytes(), file
    before, after = records(whole), records(other)
    assert before.keys() == after.keys()
    for key in before:
        np.testing.assert_array_equal(before[key], after[key], err_msg=key)


def test_a_job_that_is_warned_of_its_time_limit_is_requeued(cluster, sweep):
    job = submit(sweep, "warned")
    begun(sweep, "warned")
    cluster.said("scancel", "--signal=USR1", f"{job}_0")
    assert_as_undisturbed(sweep, "warned")
    assert restarts(cluster, f"{job}_0") == 1


def test_a_job_that_is_pre_empted_goes_on(cluster, sweep):
    job = submit(sweep, "pre-empted")
    begun(sweep, "pre-empted")
    words = ["--partition=high", f"--nodes={len(loopback.NODES)}", "--exclusive", "--output=/dev/null"]
    cluster.said("sbatch", *words, "--wrap=sleep 3")
    assert_as_undisturbed(sweep, "pre-empted")
    assert restarts(cluster, f"{job}_0") == 1


def test_a_worker_that_is_killed_is_not_requeued_and_the_same_line_goes_on(cluster, sweep):
    submit(sweep, "killed")
    begun(sweep, "killed")
    found = holder_of(sweep.run("killed"))
    assert found is not None
    os.kill(found[0], signal.SIGKILL)
    until(lambda: not slurm.alive(sweep), "the job ends")
    assert sweep.state("killed").state == "stopped"
    submit(sweep, "killed")
    assert_as_undisturbed(sweep, "killed")


def named(node: str) -> bool:
    """Whether the name of a virtual node leads to this machine."""
    with contextlib.suppress(OSError):
        return socket.gethostbyname(node) == "127.0.0.1"
    return False


@pytest.mark.skipif(not named(loopback.NODES[0]), reason=f"/etc/hosts: 127.0.0.1 {' '.join(loopback.NODES)}")
def test_a_task_of_two_nodes_does_its_run_by_both_and_a_warning_to_one_is_one_to_both(cluster, planned):
    (said,) = slurm.submit(planned, [DIVIDED], Asked([f"nodes={len(loopback.NODES)}"], hosts=2))
    job = said.split()[1].rstrip(":")
    begun(planned, DIVIDED)
    cluster.said("scancel", "--signal=USR1", f"{job}_0")
    ended(planned, DIVIDED)
    assert restarts(cluster, f"{job}_0") == 1
    shown = cluster.said("scontrol", "show", "job", f"{job}_0")
    assert "NumTasks=2" in shown
    assert "NodeList=far,near" in shown
    steps = [json.loads(line)["step"] for line in (planned.run(DIVIDED) / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps)), "one of them writes"


def test_a_mistake_is_kept_and_not_tried_again_and_data_is_read_before(cluster, planned):
    said = slurm.submit(planned, [WRONG], Asked(), data.sets(planned.plan()))
    first, job = (line.split()[1].rstrip(":") for line in said)
    until(lambda: not slurm.alive(planned), "the job ends")
    state = planned.state(WRONG)
    assert (state.state, state.code) == ("failed", 2)
    assert "/nowhere" in state.message
    assert restarts(cluster, f"{job}_0") == 0
    assert "ExitCode=2:0" in cluster.said("scontrol", "show", "job", f"{job}_0")
    assert "ExitCode=2:0" in cluster.said("scontrol", "show", "job", first)
    assert "folder:/nowhere: " in (planned.root / "logs" / f"slurm-{first}-data.txt").read_text()


def test_what_is_cancelled_stays_so_and_the_same_line_goes_on(cluster, sweep):
    submit(sweep, "cancelled")
    begun(sweep, "cancelled")
    assert slurm.alive(sweep) == {"cancelled": "running"}
    assert slurm.cancel(sweep).startswith("1 runs are taken off")
    until(lambda: not slurm.alive(sweep), "the job ends")
    assert sweep.state("cancelled").state == "stopped"
    submit(sweep, "cancelled")
    assert_as_undisturbed(sweep, "cancelled")


def test_a_job_goes_on_past_its_time_limit_again_and_again(cluster, sweep):
    """Each time it stands still until SLURM itself warns it."""
    job, stood = submit(sweep, "limited", "time=3", "signal=USR1@60"), 0
    for passed in range(4):
        pid = worker(sweep, "limited", stood)
        requeued = lambda: restarts(cluster, f"{job}_0") > passed  # noqa: B023
        until(lambda: warned(pid) or requeued(), "a warning", 300)  # noqa: B023
        with contextlib.suppress(ProcessLookupError):  # SLURM 22.05 has continued it itself
            os.kill(pid, signal.SIGCONT)
        until(requeued, "the job is requeued")
        stood = sweep.standing("limited")
    assert_as_undisturbed(sweep, "limited")
    assert restarts(cluster, f"{job}_0") >= 4


def test_a_job_whose_node_fails_is_requeued_and_nothing_runs_twice(cluster, sweep):
    """Its process is still there; the job that follows finds the directory in use, and comes again."""
    job = submit(sweep, "on-a-bad-node")
    pid = worker(sweep, "on-a-bad-node")
    node = cluster.said("squeue", "-h", "-j", job, "-o", "%N").strip()
    cluster.fail(node)
    until(lambda: restarts(cluster, f"{job}_0") >= 2, "the job that follows gives it back")
    assert holder_of(sweep.run("on-a-bad-node")) == (pid, socket.gethostname())
    os.kill(pid, signal.SIGCONT)
    assert_as_undisturbed(sweep, "on-a-bad-node")
    until(lambda: not slurm.alive(sweep), "the job ends")
    cluster.begin(node)
