"""A stop between two evaluations: saved where it stands, and the same numbers as without it, to the bit."""

import json

import numpy as np
import pytest
from tiny import FAST, SOURCE, TARGET, assert_equal_runs, stop

import tl_jax
from tl_jax.run.execute.pace import GROWTH, SECONDS, Pace
from tl_jax.run.store.stops import Stops

HOW = {**FAST, "steps": 8, "eval_every": 4, "seeds": 2, "devices": 1, "ema": 0.7}
STOPS = ("shot: source model step 2/8", "shot step 5/8")


def fit(run_dir):
    """A job that begins from a hidden one, with refreshes of its memory, weights averaged, some from step 3 on."""
    rules = [("backbone/dense1/*", "frozen@3")]
    return tl_jax.fit(SOURCE, TARGET, "shot", run_dir=str(run_dir), freeze=rules, trials="vmap", **HOW)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run without a stop, and one that was stopped in its hidden job, and in the second stage of the other."""
    place = tmp_path_factory.mktemp("stops")
    fit(place / "whole")
    for at in STOPS:
        with pytest.MonkeyPatch.context() as patch:
            stop(patch, at)
            assert not fit(place / "cut").complete
        assert [int(path.name) for path in place.glob("cut/stopped/*/*")] == [2 if "source" in at else 5]
    assert fit(place / "cut").complete
    return place / "whole", place / "cut"


def test_results_metrics_and_records_are_those_of_a_run_without_it(stopped):
    assert_equal_runs(*stopped)


def test_it_leaves_the_checkpoints_as_they_are_and_a_line(stopped):
    steps = [sorted(str(path.relative_to(one)) for path in one.glob("checkpoints/*/*")) for one in stopped]
    assert steps[0] == steps[1]
    assert not list(stopped[1].glob("stopped/*"))
    lines = [json.loads(line) for line in (stopped[1] / "stops.jsonl").read_text().splitlines()]
    assert [(line["job"], line["step"]) for line in lines] == [("shot: source model", 2), ("shot", 5)]


def test_what_is_older_than_a_checkpoint_or_beyond_an_evaluation_is_not_gone_on_with(tmp_path):
    kept = Stops(tmp_path, "job")
    assert kept.last(0, 8) is None
    for after, before, found in ((0, 8, 5), (4, 8, 5), (5, 8, None), (6, 8, None), (0, 4, None)):
        kept.save(5, {"x": np.ones(2)})
        assert kept.last(after, before) == found
        assert (tmp_path / "stopped" / "job").is_dir() == (found is not None)
        kept.forget()


def test_a_dispatch_is_a_step_until_one_was_measured_and_never_grows_by_more_than_is_safe():
    pace = Pace()
    pace.took(1, 60.0)  # which was compiling
    assert pace.steps == 1
    pace.took(1, 0.001)
    assert pace.steps == GROWTH
    pace.took(2, 0.002)  # an evaluation came before
    assert pace.steps == 2 * GROWTH
    pace.took(16, 0.8)
    assert pace.steps == round(SECONDS / 0.05)
    pace.took(pace.steps, 60.0)  # agreed once
    assert pace.steps == round(SECONDS / 0.05)
    slow = Pace()
    slow.took(1, 90.0)
    slow.took(1, 30.0)
    assert slow.steps == 1
