"""Jobs of SLURM's: the script, how arrays are cut, what is asked of whom. SLURM itself is a function here."""

import re
import subprocess

import pytest

from tl_jax.core.errors import UserError
from tl_jax.run.settings.config import Config
from tl_jax.sweep.clusters import slurm
from tl_jax.sweep.clusters.tasks import Asked, job_name
from tl_jax.sweep.directory import Plan, SweepDirectory
from tl_jax.sweep.plan import Run

NAMES = tuple(f"run-{i}" for i in range(5))


@pytest.fixture
def sweep(tmp_path) -> SweepDirectory:
    found = SweepDirectory(tmp_path / "my sweeps" / "s")
    found.keep(Plan(Config(), {}, "", tuple(Run(name, Config(), 1) for name in NAMES)))
    return found


class Slurm:
    """Answers as the commands do, and remembers what it was asked."""

    def __init__(self, largest: int = 1001, queue: str = ""):
        self.largest, self.queue, self.asked = largest, queue, []

    def __call__(self, words) -> str:
        self.asked.append(list(words))
        if words[0] == "scontrol":
            return f"MaxArraySize            = {self.largest}\nMaxJobCount = 10000\n"
        if words[0] == "sbatch":
            return f"{40 + sum(w[0] == 'sbatch' for w in self.asked)};cluster\n"
        return self.queue


def test_the_script_is_one_that_bash_can_run_and_sets_what_was_asked(sweep):
    text = slurm.script(sweep, sweep.root / "tasks.txt", 7, Asked(["partition=gpu", "time=4:00:00"]))
    assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0
    for line in ("#SBATCH --partition=gpu", "#SBATCH --time=4:00:00", "#SBATCH --signal=USR1@120", "#SBATCH --requeue"):
        assert f"\n{line}\n" in text
    assert "task=$((7 + SLURM_ARRAY_TASK_ID + 1))" in text
    assert "case $code in 75|129|130|138|140|143) ;;" in text


def test_a_task_of_several_processes_is_one_step_of_srun_whose_workers_find_each_other(sweep):
    text = slurm.script(sweep, sweep.root / "tasks.txt", 0, Asked(["nodes=2"], hosts=2))
    assert "\n#SBATCH --ntasks=2\n" in text
    assert "\n#SBATCH --nodes=2\n" in text
    assert "-m tl_jax.sweep.worker" in text
    assert "$names --distributed=slurm\n" in text
    assert "--distributed" not in slurm.script(sweep, sweep.root / "tasks.txt", 0, Asked(["nodes=1"]))
    for flag in ("nodes=2", "ntasks-per-node=4", "ntasks=2"):
        with pytest.raises(UserError, match=f"--slurm={flag}: how many processes .* --hosts"):
            slurm.script(sweep, sweep.root / "tasks.txt", 0, Asked([flag]))


def test_a_task_is_requeued_while_it_comes_further_and_not_after_three_times_without(sweep, tmp_path):
    """The script with commands of its own for srun and scontrol."""
    (tmp_path / "bin").mkdir()
    metrics = sweep.run("run-0") / "metrics.jsonl"
    metrics.parent.mkdir(parents=True)
    for name, body in (("srun", "exit $CODE"), ("scontrol", f"echo $* >> '{tmp_path}/said'")):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "tasks.txt").write_text("run-0\nrun-1\n")
    text = slurm.script(sweep, tmp_path / "tasks.txt", 0, Asked())

    def once(code: int) -> int:
        environment = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "CODE": str(code), "SLURM_ARRAY_TASK_ID": "0"}
        done = subprocess.run(["bash"], input=text, text=True, env={**environment, "SLURM_ARRAY_JOB_ID": "41"})
        return done.returncode

    requeued = lambda: (tmp_path / "said").read_text().count("requeue 41_0")
    assert once(0) == 0
    assert once(2) == 2
    assert not (tmp_path / "said").exists()
    for size in range(1, 6):
        metrics.write_text("x" * size)
        assert once(75) == 0
    assert requeued() == 5
    assert [once(143) for _ in range(4)] == [0, 0, 143, 143]
    assert requeued() == 7


def test_arrays_are_cut_below_the_greatest_and_wait_for_each_other_where_few_may_run(sweep):
    calls = Slurm(largest=2)
    said = slurm.submit(sweep, NAMES, Asked(parallel=1, per_job=2), run=calls)
    submitted = [words for words in calls.asked if words[0] == "sbatch"]
    assert [word for words in submitted for word in words if word.startswith("--array")] == [
        "--array=0-1%1",
        "--array=0-0%1",
    ]
    assert "--dependency=afterany:41" in submitted[1]
    assert all(f"--export={slurm.BARE}" in words for words in submitted)
    assert (sweep.root / "slurm" / "1" / "tasks.txt").read_text() == "run-0 run-1\nrun-2 run-3\nrun-4\n"
    assert re.match(r"job 41: 2 tasks, 4 runs", said[0])
    calls.queue = "41 1 RUNNING\n42 0 PENDING\n77 0 RUNNING\n"
    assert slurm.alive(sweep, calls) == {"run-2": "running", "run-3": "running", "run-4": "queued"}
    states = slurm.overlaid(sweep.states(sweep.plan()), slurm.alive(sweep, calls))
    assert [one.state for one in states] == ["waiting", "waiting", "running", "running", "queued"]
    assert "3 runs are taken off" in slurm.cancel(sweep, calls)
    assert calls.asked[-1] == ["scancel", f"--name={job_name(sweep)}"]
    assert slurm.submit(sweep, [], Asked(), run=calls) == []


def test_what_slurm_refuses_is_a_message():
    with pytest.raises(UserError, match="There is no squeue-of-nowhere here"):
        slurm.call(["squeue-of-nowhere"])
    with pytest.raises(UserError, match="false"):
        slurm.call(["false", "x"])
    for flag, message in (("-p gpu", "long flag"), ("output=x", "sets --output itself")):
        with pytest.raises(UserError, match=message):
            slurm._checked([flag])
