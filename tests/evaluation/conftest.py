"""Double precision for the tests that ask for it."""

import jax
import pytest


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield
