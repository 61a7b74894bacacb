"""The commands of sweeps as a person meets them."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from launched import launched as launch

TINY = ["--network=mlp(hidden=(8,),bottleneck=8)", "--steps=8", "--eval_every=4", "--seeds=2", "--batch_size=16"]
LINE = ["transductive", "--dir=s", "--source=digits:handwritten", "--target=digits:photo", "--platform=cpu", *TINY]
OVER = ["--over=method=source_only, dann", "--over=lam=0.1, 1"]


def test_a_dry_run_says_what_would_be_run_and_writes_nothing(tmp_path):
    done = launch("sweep", *LINE, *OVER, "--dry_run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 runs (one a program), 6 trials" in done.stdout
    assert "4 trials of 8 steps (lam=0.1, 1)" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_in_one_program_is_said_before_anything_is_written(tmp_path):
    done = launch("sweep", *LINE, "--over=method=dann, dan2", cwd=tmp_path)
    assert done.returncode == 2
    assert "Unknown method 'dan2'" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_sweep_is_killed_and_goes_on_and_ends_as_a_table(tmp_path):
    words = [sys.executable, "-m", "launch.sweep", *LINE, *OVER, "--processes=1"]
    first = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL)
    limit = time.monotonic() + 300
    while not list(tmp_path.glob("s/runs/*/metrics.jsonl")) and time.monotonic() < limit:
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    done = launch("sweep", *LINE, *OVER, "--processes=1", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "finished       2 runs       6 trials" in done.stdout
    steps = [json.loads(x) for x in (next(tmp_path.glob("s/runs/dann*")) / "metrics.jsonl").read_text().splitlines()]
    assert len(steps) == 2 * 4
    again = launch("sweep", *LINE, *OVER, cwd=tmp_path)
    assert "finished       2 runs" in again.stdout
    table = launch("sweep", "collect", "--dir=s", "--best=lam", "--format=latex", "--out=out", cwd=tmp_path)
    assert table.returncode == 0, table.stderr
    assert r"\toprule" in table.stdout
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {"trials.csv", "table.md", "table.tex", "table.csv"}
    status = launch("sweep", "status", "--dir=s", cwd=tmp_path)
    assert "s: 2 runs, 6 trials" in status.stdout


UNTRAINED = '''
"""`tl-jax sweep` with runs that score without training: the best lr is 0.01."""
import json, math, sys
from tl_jax.launch import main, sweep

last, line = int(sys.argv[1]), sys.argv[2:]

def work(pool, names):
    plan = pool.sweep.plan()
    for name in names:
        run = plan.run(name)
        lrs = dict(run.config.sweep)["lr"]
        score = lambda lr: {"selectors": {"selected": {"score": -abs(math.log10(lr) + 2)}}}
        found = [{"seed": s, "values": {"lr": lr}, **score(lr)} for lr in lrs for s in run.config.seeds]
        pool.sweep.run(name).mkdir(parents=True)
        (pool.sweep.run(name) / "results.json").write_text(json.dumps(found))
        (pool.sweep.run(name) / "finished.json").write_text("{}")
        if len(plan.rounds) == last:
            raise SystemExit("killed")
    return True

sweep.work = work
main.start("sweep", line)
'''


@pytest.mark.slow
def test_a_search_goes_on_after_a_kill_with_the_points_that_it_would_have_asked_for(tmp_path):
    pytest.importorskip("optuna")
    line = [*LINE, "--method=dann", "--over=lr=log_uniform(1e-4, 1e-1)", "--search=tpe", "--draws=9", "--rounds=3"]
    go = lambda cwd, kill: subprocess.run(
        [sys.executable, "-c", UNTRAINED, str(kill), *line], capture_output=True, text=True, cwd=cwd, timeout=600
    )
    for folder in ("whole", "cut"):
        (tmp_path / folder).mkdir()
    whole = go(tmp_path / "whole", 0)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert "finished       3 runs      18 trials" in whole.stdout
    assert "killed" in go(tmp_path / "cut", 2).stderr
    assert go(tmp_path / "cut", 0).returncode == 0
    plans = [(tmp_path / folder / "s" / "plan.json").read_text() for folder in ("whole", "cut")]
    assert plans[0] == plans[1]
    assert len(json.loads(plans[0])["of"]["rounds"]) == 3


def test_what_a_sweep_gives_every_run_is_not_given_to_all_besides(tmp_path):
    for given, words in (
        (("--over=lam=0.1,1", "--lam=3"), "--lam is given, and every run of the sweep has a value of its own"),
        (("--over=method=dann,mcc", "--method=dan"), "--method is given"),
        (("--over=lr=uniform(0.1, 1)", "--draws=-2"), "draws"),
    ):
        done = launch("sweep", "transductive", f"--dir={tmp_path}/s", *given, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
    assert list(tmp_path.iterdir()) == []
