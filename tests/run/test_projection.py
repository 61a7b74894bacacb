"""Any features can be shown."""

import numpy as np
import pytest

from tl_jax.run.report.projection import projected

DRAWN = np.random.default_rng(0).normal(size=(60, 8))
CASES = {
    "collapsed": np.ones((60, 8)),
    "dead": np.zeros((60, 8)),
    "of two places": np.repeat(DRAWN[:2], 30, 0),
    "one of its own": np.concatenate([np.ones((59, 8)), DRAWN[:1]]),
    "width 1": DRAWN[:, :1],
    "three": DRAWN[:3],
    "one": DRAWN[:1],
    "none": DRAWN[:0],
    "NaN": np.full((60, 8), np.nan),
}


@pytest.mark.parametrize("case", CASES)
def test_what_has_no_neighbours_is_shown_by_its_axes(case):
    found, by = projected(CASES[case].astype(np.float32))
    assert found.shape == (len(CASES[case]), 2)
    assert np.isfinite(found).all()
    assert by == "PCA"


@pytest.mark.parametrize("scale", [1.0, 1e30, 1e-30])
def test_features_of_any_size_have_neighbours(scale):
    found, by = projected(DRAWN * scale)
    assert found.shape == (60, 2)
    assert np.isfinite(found).all()
    assert by == "t-SNE"
