"""The page of generalisation: a mean over the domains that were left out, of trials that ended."""

from experiments.parts import table
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
