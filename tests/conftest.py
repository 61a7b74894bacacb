"""Eight fake CPU devices, strict shapes, no network: set before JAX starts."""

import os
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "8")
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")
os.environ.setdefault("MPLBACKEND", "agg")
# Processes that tests start see this checkout, wherever they run.
os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])

import jax
import pytest


@pytest.fixture(scope="module", autouse=True)
def _forget():
    """What a module compiled is of no use to the next, and all of it together takes gigabytes."""
    yield
    jax.clear_caches()


@pytest.fixture
def double():
    """Double precision, for the tests that ask for it."""
    with jax.enable_x64(True):
        yield
