"""A device with too little memory: half as many trials at once until they fit, and a message where one does not."""

import jax.numpy as jnp
import numpy as np
import pytest
from tiny import FAST, SOURCE, TARGET, records

import tl_jax
from tl_jax.core.errors import MachineError
from tl_jax.run.execute import calibration, execution
from tl_jax.training.trials import half_as_many, over_trials

HOW = {
    **FAST,
    "steps": 2,
    "eval_every": 2,
    "seeds": 5,
    "devices": 1,
    "trials": "vmap",
    "quiet": False,
    "optimizer": "sgd",
}
FULL = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 4096 bytes."


def fit(run_dir):
    return tl_jax.fit(SOURCE, TARGET, "source_only", run_dir=str(run_dir), **HOW)


@pytest.fixture
def small(monkeypatch):
    """A device whose memory is enough for some of the ways to run trials."""
    original = execution.programs

    def only(*modes):
        def full(*_):
            raise RuntimeError(FULL)

        def programs(recipe, factors, mode):
            made = original(recipe, factors, mode)
            return made if mode in modes else made._replace(run=full)

        monkeypatch.setattr(execution, "programs", programs)

    return only


def test_trials_run_in_parts_that_fit_and_it_is_said(small, tmp_path, capsys):
    whole = fit(tmp_path / "whole")
    capsys.readouterr()
    small("vmap/2", "map")
    assert fit(tmp_path / "parts").complete
    said = " ".join(capsys.readouterr().out.split())
    assert "5 trials need more memory than the device has at once; from here on vmap/3" in said
    assert "from here on vmap/2" in said
    assert '"vmap/2"' in (tmp_path / "parts" / "execution.json").read_text()
    one, other = records(tmp_path / "whole"), records(tmp_path / "parts")
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=2e-4, atol=1e-5, err_msg=name)
    assert fit(tmp_path / "parts").records[0]["seed"] == whole.records[0]["seed"]  # read back


def test_one_trial_that_does_not_fit_is_a_message(small, tmp_path):
    small()
    with pytest.raises(MachineError, match=r"too little memory. It was tried with one trial at once.* --batch_size"):
        fit(tmp_path / "run")


def test_parts_are_halves_down_to_one():
    modes = ["vmap"]
    while (mode := half_as_many(modes[-1], 6)) is not None:
        modes.append(mode)
    assert modes == ["vmap", "vmap/3", "vmap/2", "map"]


def test_every_trial_is_computed_once_in_any_way():
    x = jnp.arange(7.0)
    for mode in ("vmap", "vmap/2", "vmap/7", "vmap/9", "map"):
        np.testing.assert_array_equal(over_trials(lambda one, by: one * by, mode)(x, 3.0), 3.0 * x)


def test_what_does_not_fit_is_measured_in_parts(monkeypatch, tmp_path):
    def time(mode):
        if mode in ("vmap", "vmap/4"):
            raise RuntimeError(FULL)
        return {"map": 8.0, "vmap/2": 1.0}[mode], True

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert calibration._Measured("eight", time).most("vmap", 8) == ("vmap/2", 1.0)
    kept = calibration._Measured("eight", time)
    assert kept.seconds == {"vmap/2": 1.0}
