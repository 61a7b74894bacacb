"""Pretrained features across the domains of Office-31, where TL_JAX_DATA has the files."""

import os
from pathlib import Path

import pytest

from experiments.office31 import DOMAINS, WEIGHTS, across, features

ROOT = Path(os.environ.get("TL_JAX_DATA", ""))
there = all(path.exists() for path in (ROOT / WEIGHTS, ROOT / "office31"))


@pytest.mark.slow
@pytest.mark.skipif(not there, reason="TL_JAX_DATA has no office31 and no weights of MobileNetV2")
def test_the_figures_on_record():
    x = {name: features(name) for name in DOMAINS}
    nearest, linear = across(x["amazon"], x["webcam"])
    assert nearest == pytest.approx(67.5, abs=1)
    assert linear == pytest.approx(76.1, abs=1)
    nearest, linear = across(x["webcam"], x["amazon"])
    assert nearest == pytest.approx(60.0, abs=1)
    assert linear == pytest.approx(67.1, abs=1)
