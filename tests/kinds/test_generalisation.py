"""Generalisation: a domain that neither training nor selection meets."""

import numpy as np
import pytest
from tiny import FAST, SOURCE, TARGET, domain, records

import tl_jax
from tl_jax.core.errors import UserError
from tl_jax.data.domain import changed

MIDDLE = domain("middle", 0.5)
ASKED = {"kind": "generalisation", "seeds": 2, **FAST, "eval_every": 12}


def scrambled(of):
    """The domain with other training examples, and other validation labels."""
    train = of.train._replace(x=np.flip(of.train.x, 1).copy() + 3)
    return changed(of, train=train)


def test_a_domain_is_judged_that_nothing_was_given_of(tmp_path):
    result = tl_jax.fit([SOURCE, MIDDLE], TARGET, ["erm", "mldg"], run_dir=str(tmp_path / "a"), **ASKED)
    assert {record["method"] for record in result.records} == {"erm", "mldg"}
    last = [r["selectors"]["last"]["target/accuracy"] for r in result.records]
    assert min(last) > 0.5
    assert all(set(r["selectors"]) == {"last", "selected", "oracle"} for r in result.records)
    assert "baseline" in result.table
    assert "No example of far is seen in training or selection" in result.table
    # Whatever the target's training examples are, and none of them is stored.
    tl_jax.fit([SOURCE, MIDDLE], scrambled(TARGET), "mldg", run_dir=str(tmp_path / "b"), **ASKED)
    a, b = records(tmp_path / "a"), records(tmp_path / "b")
    assert not any("/target/" in name for name in a)
    assert b
    for name, x in b.items():
        if not name.split("/")[2].startswith("predicted"):
            np.testing.assert_array_equal(x, a[name], err_msg=name)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"select": "im"}, "sees no example of the target.*source_val"),
        ({"labels_per_class": [3]}, "--labels_per_class says nothing to generalisation transfer"),
        ({"methods": ["dann"]}, "Unknown method 'dann'.*erm.*mldg"),
    ],
)
def test_what_would_look_at_the_target_is_refused(settings, said):
    asked = {"methods": ["erm"], **ASKED, **settings}
    with pytest.raises(UserError, match=said):
        tl_jax.fit([SOURCE, MIDDLE], TARGET, **asked)


def test_one_source_is_no_two_domains():
    with pytest.raises(UserError, match="two or more"):
        tl_jax.fit(SOURCE, TARGET, ["mldg"], **ASKED)
