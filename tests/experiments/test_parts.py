"""Pages of many runs: a mean over the domains that were left out, of trials that ended; methods by their last step."""

from experiments.parts import ranked, table
from tl_jax.run.execute.divergence import MARK


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
