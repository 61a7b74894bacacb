"""Terms are compared with NumPy in double precision."""

import jax
import pytest


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield
