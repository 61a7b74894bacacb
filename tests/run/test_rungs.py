"""A run that is held at a step: the same numbers as without it, and what its criterion says there."""

import numpy as np
import pytest
from tiny import NETWORK, SOURCE, TARGET, assert_equal_runs, records

from tl_jax.evaluation.label_free.criteria import im
from tl_jax.evaluation.label_free.record import Record, Seen
from tl_jax.kinds.table import run
from tl_jax.run import rungs
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config

CONFIG = Config(
    source=("near",),
    target="far",
    network=NETWORK,
    methods=("source_only",),
    steps=8,
    eval_every=2,
    batch_size=16,
    seeds=(0, 1),
)
DOMAINS = {"near": SOURCE, "far": TARGET}


def go(root, until: int = 0):
    how = Options(run_dir=str(root), quiet=True, devices=1, pictures=False, trials="vmap", until=until)
    return run(CONFIG, how, DOMAINS)


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    """A run without a rung, and one that was held at one."""
    place = tmp_path_factory.mktemp("rungs")
    assert go(place / "whole").complete
    assert not go(place / "held", 4).complete
    before = (place / "held" / "metrics.jsonl").read_bytes()
    assert not go(place / "held", 4).complete  # it stands there: nothing is trained
    assert (place / "held" / "metrics.jsonl").read_bytes() == before
    assert len(before.splitlines()) == 2 * 2
    assert go(place / "held").complete
    return place / "whole", place / "held"


def test_its_results_are_those_of_a_run_that_was_not(held):
    assert_equal_runs(*held)


def test_what_its_criterion_says_is_of_the_stored_predictions_at_that_step(held):
    _, cut = held
    logits = records(cut)["source_only/00000004.npz/target/logits"]
    found = rungs.read(cut, 4)
    assert found is not None
    assert found.scores == pytest.approx([im(Record(Seen(one))) for one in logits])
    assert found.mean == pytest.approx(np.mean(found.scores))
    assert rungs.read(cut, 2) is None
    assert rungs.read(cut, 6) is None


def test_a_complete_run_is_judged_at_a_rung_from_what_it_stored(held):
    whole, cut = held
    assert go(whole, 4).complete
    assert rungs.read(whole, 4) == rungs.read(cut, 4)


def test_a_mean_is_of_all_trials_or_none():
    assert rungs.Rung((1.0, 2.0), 0).mean == 1.5
    assert rungs.Rung((1.0, None), 0).mean is None
    assert rungs.Rung((), 0).mean is None
