"""python -m launch.inductive as a user runs it."""

import json
from functools import partial
from pathlib import Path

from launched import launched

ROOT = Path(__file__).parents[2]
TINY = (
    "--network=mlp(hidden=(8,), bottleneck=8)",
    "--seeds=1",
    "--steps=4",
    "--pretrain_steps=4",
    "--trials=map",
    "--nopictures",
)
FEW = ("--strategy=full", "--labels_per_class=1,2", "--eval_every=4")


launch = partial(launched, "inductive", cwd=ROOT)


def test_two_targets_have_a_folder_each_and_the_same_line_again_says_so(tmp_path):
    line = (*TINY, *FEW, f"--run_dir={tmp_path / 'run'}")
    done = launch(*line)
    assert done.returncode == 0, done.stderr
    for name in ("digits-handwritten", "digits-parity"):
        records = json.loads((tmp_path / "run" / name / "results.json").read_text())
        assert {(r["method"], r["values"]["labels_per_class"]) for r in records} == {
            (strategy, labels) for strategy in ("full",) for labels in (1.0, 2.0)
        }
        assert (tmp_path / "run" / name / "table.md").exists()
    assert launch(*line).stdout.count("This run is complete") == 2


def test_one_target_has_the_directory_itself(tmp_path):
    done = launch(*TINY, *FEW, "--target=digits:parity", f"--run_dir={tmp_path / 'run'}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "results.json").exists()
