"""Whatever is done to a run: the undisturbed numbers, or one message. Run with: pytest -m faults -n0"""

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import sweeps
import trials

pytestmark = pytest.mark.faults
FINE = ("right", "message")


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    where = tmp_path_factory.mktemp("bases")
    right = trials.undisturbed(where / "finished")
    trials.interrupted(where / "interrupted")
    return where, right


@pytest.mark.parametrize("base", ["finished", "interrupted"])
def test_a_flipped_bit_in_any_file_never_moves_a_number_in_silence(base, bases, tmp_path):
    where, right = bases
    rng = random.Random(0)
    for i, path in enumerate(trials.files(where / base)):
        trial = trials.flipped(where / base, right, tmp_path / str(i), path, rng)
        assert trial.outcome in FINE, trial


@pytest.mark.parametrize("base", ["finished", "interrupted"])
def test_a_file_that_is_lost_never_moves_a_number_in_silence(base, bases, tmp_path):
    where, right = bases
    for i, path in enumerate(trials.files(where / base)):
        trial = trials.deleted(where / base, right, tmp_path / str(i), path)
        assert trial.outcome in FINE, trial


@pytest.mark.parametrize("base", ["finished", "interrupted"])
def test_other_data_or_code_is_refused(base, bases, tmp_path):
    where, right = bases
    assert {trial.outcome for trial in trials.changed(where / base, right, tmp_path)} == {"message"}


@pytest.mark.parametrize("size", ["32k", "100k", "200k"])
def test_a_full_disk_costs_no_number(size, bases, tmp_path):
    trial = trials.full_disk(tmp_path / "disk", bases[1], size)
    if trial is None:
        pytest.skip("mounting a small tmpfs is not allowed here")
    assert trial.outcome == "right", trial


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_killed_at_a_random_moment_the_same_line_gives_the_same_numbers(share, bases, tmp_path):
    trial = trials.killed(tmp_path / "run", bases[1], 12 * share)
    assert trial.outcome == "right", trial


@pytest.mark.parametrize("count", [2, 4])
def test_several_at_once_do_each_other_no_harm(count, bases, tmp_path):
    trial = trials.together(tmp_path / "run", bases[1], count)
    assert trial.outcome == "right", trial


def test_a_sweep_that_is_killed_again_and_again_ends_as_one_that_is_not(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert sweeps.begin(tmp_path / "undisturbed").wait() == 0
    right = sweeps.numbers(tmp_path / "undisturbed")
    found = sweeps.sweep(tmp_path / "killed", right, 4, 20, random.Random(0))
    assert found
    assert not [kill for kill in found if kill.wrong]
