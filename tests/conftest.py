"""Eight fake CPU devices, strict shapes, no network: set before JAX starts."""

import os
from pathlib import Path

import jaxlib.version

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "8")
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")
os.environ.setdefault("MPLBACKEND", "agg")
# Processes that tests start see this checkout, wherever they run.
os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
# A test runs its programs once or twice, so nearly all of its time is the compiler's: half of that is spared where
# LLVM does not optimise and fusions are not lowered through MLIR. Two programs of the same numbers to the bit are so
# only where they are compiled as in a run: tests of that are marked `exact`, and have a call of their own.
# A flag that XLA does not know ends the process: this one is there up to jaxlib 0.10, the other two still are in 0.12.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    + " --xla_cpu_use_fusion_emitters=false" * (jaxlib.version.__version_info__ < (0, 11)),
)

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
