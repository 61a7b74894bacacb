"""Pages of many runs: a mean over the domains that were left out, of trials that ended; methods by their last step."""

import json
import sys

from experiments.parts import Transfer, done, pivoted, ranked, table
from tl_jax.run.execute.divergence import MARK
from tl_jax.sweep.tables.pivot import Asked


def record(method, seed, accuracy):
    return {"method": method, "seed": seed, "selectors": {"last": {"step": 9, "target/accuracy": accuracy}}}


def test_a_method_has_the_mean_of_its_domains_and_the_spread_of_that_mean():
    left_out = {
        "a": [record("erm", 1, 0.6), record("erm", 0, 0.4)],
        "b": [record("erm", 0, 0.8), record("erm", 1, 0.8)],
    }
    assert table(left_out, "last").splitlines()[2] == "| erm | 0.500 | 0.800 | 0.650 ± 0.071 |"


def test_a_method_that_diverged_somewhere_has_no_mean():
    broken = {"method": "irm", "seed": 0, MARK: "step 3"}
    left_out = {"a": [broken, record("irm", 1, 0.5)], "b": [record("irm", 0, 0.7), record("irm", 1, 0.9)]}
    assert table(left_out, "last").splitlines()[2] == "| irm | 0.500 | 0.800 | 1 of 4 trials diverged |"


def test_methods_of_one_transfer_stand_by_their_last_step_under_the_bounds():
    found = {"dann": (0.7, 0.9), "mcc": (0.9, 0.9), "bbse": (0.2, 0.3), "source_only": (0.5, 0.6)}
    choices = ("last", "selected", "oracle")
    records = [
        {"method": method, "seed": seed, "selectors": {choice: {"target/accuracy": score} for choice in choices}}
        for method, scores in found.items()
        for seed, score in enumerate(scores)
    ]
    records.append({"method": "mcc", "seed": 2, MARK: "step 3"})
    lines = ranked(records).splitlines()[2:]
    assert [line.split(" | ")[0] for line in lines] == ["| source_only", "| mcc", "| dann", "| bbse"]
    assert lines[1].startswith("| mcc | 0.900 ± 0.000 | 0.900 ± 0.000 | 0.900 ± 0.000 | 1 of 3")
    assert lines[3].endswith("NEGATIVE TRANSFER: 0.300 ± 0.000 under source_only |")


def test_a_page_is_of_the_runs_that_are_finished_each_at_the_setting_that_the_criterion_chose(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["page.py", "page"])
    scores = {"dann": {0.1: (0.9, 0.4), 0.2: (0.2, 0.8)}, "mcc": {0.1: (0.5, 0.5)}}
    for method, found in scores.items():
        place = tmp_path / "runs" / "name" / "a_to_b" / method
        place.mkdir(parents=True)
        every = [
            {**record(method, 0, test), "source": "a", "target": "b", "values": {"lr": lr}}
            for lr, (_, test) in found.items()
        ]
        for one, (score, test) in zip(every, found.values(), strict=True):
            one["selectors"]["selected"] = {"target/accuracy": test, "criterion": "im", "score": score}
        (place / "results.json").write_text(json.dumps(every))
        (place / "config.json").write_text(json.dumps({"kind": "transductive"}))
        if method == "dann":
            (place / "finished.json").write_text("{}")
    records = done("name", [Transfer("a to b", ["a"], "b", methods=("dann",))], ("dann", "mcc"))
    assert [one["method"] for one in records["a to b"]] == ["dann", "dann"]
    asked = Asked(best=("lr",), score="last/target/accuracy")
    assert "| dann | <u>0.400 (lr=0.1)</u> |" in pivoted("name", asked).splitlines()
