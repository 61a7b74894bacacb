"""A run whose sets stream: the same numbers as one whose sets lie on the device, wherever it begins."""

import dataclasses

import jax
import numpy as np
import pytest
from tiny import FAST, assert_equal_runs, domain, stop

import tl_jax
from tl_jax.core.errors import UserError
from tl_jax.data.pipeline.window import Window
from tl_jax.run.execute import streaming
from tl_jax.run.execute.streaming import Draws, feed, plan
from tl_jax.training.state import Data

SOURCE, TARGET = domain("near", 0.0, size=600), domain("far", 1.0, size=600)
SMALL = 10_000
"""Bytes: of two sets of 19 200, each step draws 1 024 for either trial."""


@pytest.fixture(scope="module")
def filed(tmp_path_factory):
    """The two domains with their training examples in a file, as decoded images lie."""

    def put(one):
        path = tmp_path_factory.mktemp("files") / "x.npy"
        np.save(path, np.concatenate([one.validation.x, one.train.x]))
        x = np.load(path, mmap_mode="r")[len(one.validation.x) :]
        return dataclasses.replace(one, train=one.train._replace(x=x))

    return put(SOURCE), put(TARGET)


def fit(run_dir, methods="dann", domains=(SOURCE, TARGET), **change):
    settings = {"seeds": 2, "devices": 1, "trials": "vmap", **FAST, "steps": 12, **change}
    return tl_jax.fit(*domains, methods, run_dir=str(run_dir), **settings)


@pytest.fixture(scope="module")
def resident(tmp_path_factory):
    """A run with its sets on the device."""
    path = tmp_path_factory.mktemp("resident")
    fit(path)
    return path


@pytest.mark.exact
def test_worker_processes_change_no_number(resident, tmp_path, filed):
    fit(tmp_path, domains=filed, device_bytes=SMALL, workers=2)
    assert_equal_runs(resident, tmp_path)


@pytest.mark.exact
def test_a_run_read_by_threads_and_stopped_goes_on_as_it_would_have(resident, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop(patch, at="step 7/")  # in the middle of an interval and of a window
        assert not fit(tmp_path, device_bytes=SMALL).complete
    assert fit(tmp_path, device_bytes=2 * SMALL).complete  # with windows of another length
    assert_equal_runs(resident, tmp_path)


@pytest.mark.exact
def test_what_a_method_reads_whole_stays_on_the_device(tmp_path, capsys):
    for name, limit in (("a", 0), ("b", SMALL)):
        fit(tmp_path / name, "adabn", device_bytes=limit, quiet=False, seeds=1)
    assert "source0 streamed in windows of 9 steps" in capsys.readouterr().out
    assert_equal_runs(tmp_path / "a", tmp_path / "b")


@pytest.mark.exact
def test_few_labels_stream_by_trial_to_several_devices(tmp_path):
    for name, limit in (("a", 0), ("b", SMALL)):
        fit(tmp_path / name, "source_only", labels_per_class=(2, 4), seeds=1, steps=6, devices=2, device_bytes=limit)
    assert_equal_runs(tmp_path / "a", tmp_path / "b")


def draws(**change) -> Draws:
    return Draws(
        **{"seeds": np.array([0, 1], np.uint32), "rows": None, "batch": (16, 16), "total": 50, "whole": {}, **change}
    )


def data() -> Data:
    return Data(((SOURCE.train.x, SOURCE.train.y),), TARGET.train.x)  # pyright: ignore


def test_windows_are_as_long_as_the_limit_allows():
    assert plan(data(), draws(), 2 * SOURCE.train.x.nbytes) is None
    windows = plan(data(), draws(), SMALL)
    assert windows is not None
    assert windows.steps == SMALL // (2 * 2 * 2 * 16 * 32)
    assert len(windows) == -(-50 // windows.steps)
    with pytest.raises(UserError, match="--device_bytes=4096 or more"):
        plan(data(), draws(), 4000)


def test_at_most_two_windows_are_on_the_device():
    windows = plan(data(), draws(), SMALL)
    assert windows is not None
    begun = streaming.begin(windows, data())
    before = {id(x) for x in jax.live_arrays()}
    held = lambda: [x for x in jax.live_arrays() if id(x) not in before and x.ndim == 2]
    seen = 0
    supply = feed(windows, begun, lambda tree: jax.device_put(tree, jax.devices()[0]), step=0, workers=0)
    for end, window in supply:
        assert isinstance(window.target, Window)
        assert len(held()) <= 4  # two sets, two windows of each
        del window
        seen = end
    assert seen >= 50
