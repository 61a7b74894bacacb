"""The grammar of specs, and splits that are fixed and alike in every class."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.data.load import load
from tl_jax.data.spec import find, parse
from tl_jax.data.splits import given, hold_out, split


@pytest.mark.parametrize(
    ("text", "scheme", "path", "fragment", "options"),
    [
        ("folder:/a/b#s.csv?size=96", "folder", "/a/b", "s.csv", {"size": "96"}),
        ("usps@7291", "", "usps@7291", "", {}),
        ("office31/amazon@all?size=96&resize=112", "", "office31/amazon@all", "", {"size": "96", "resize": "112"}),
        ("tfds:imagenet_r:test", "tfds", "imagenet_r:test", "", {}),
        (r"wav:r?label=^(\d+)_&group=a%26b=?", "wav", "r", "", {"label": r"^(\d+)_", "group": "a&b=?"}),
    ],
)
def test_a_spec_falls_into_its_parts(text, scheme, path, fragment, options):
    assert parse(text)[:5] == (text, scheme, path, fragment, options)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("folder:x?size", "'size' is not name=value"),
        ("foldr:x", "Unknown domain 'foldr:x'"),
        ("mnits", "Did you mean 'mnist'?"),
        ("office31/amazn", "Did you mean 'office31/amazon'?"),
        ("office31", "name one of office31/amazon"),
        ("usps@72", "Did you mean '7291'?"),
        ("usps?sise=3", "Unknown option of usps: 'sise'"),
        ("digits:printed?sise=3", "Unknown option of digits"),
        ("mnist", "Neither --data_dir nor TL_JAX_DATA is set"),
    ],
)
def test_a_spec_that_names_nothing_is_answered_with_what_there_is(text, said):
    with pytest.raises(UserError) as caught:
        load(text)
    assert said in str(caught.value)


def test_paths_are_found_here_and_then_under_the_data_folder(tmp_path, monkeypatch):
    (tmp_path / "data" / "x.npz").parent.mkdir()
    (tmp_path / "data" / "x.npz").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    spec = parse("npz:x.npz")
    assert find(spec, "x.npz", "data").exists()
    monkeypatch.setenv("TL_JAX_DATA", str(tmp_path / "data"))
    assert find(spec, "x.npz", "") == tmp_path / "data" / "x.npz"
    with pytest.raises(UserError) as caught:
        find(spec, "y.npz", "")
    assert str(tmp_path / "y.npz") in str(caught.value)
    assert str(tmp_path / "data" / "y.npz") in str(caught.value)


@hypothesis.given(st.lists(st.integers(0, 5), min_size=1, max_size=120))
@hypothesis.settings(max_examples=40, deadline=None)
def test_a_split_holds_every_row_once_and_its_share_of_every_class(labels):
    y = np.array(labels)
    rows = split(y)
    np.testing.assert_array_equal(np.sort(np.concatenate(rows)), np.arange(len(y)))
    for c in np.unique(y):
        n = (y == c).sum()
        counts = [(y[part] == c).sum() for part in rows]
        assert counts[0] >= 1
        assert abs(counts[2] - 0.2 * n) <= 1
        assert abs(counts[1] - 0.1 * n) <= 1


def test_many_small_classes_still_give_their_share():
    rows = split(np.repeat(np.arange(30), 3))
    assert [len(part) for part in rows] == [63, 9, 18]


def test_a_split_is_fixed_mixed_and_moved_by_its_seed():
    y = np.repeat(np.arange(4), 25)
    for a, b in zip(split(y), split(y), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (split(y, seed=1).train != split(y).train).any()
    assert len(np.unique(y[split(y).train[:15]])) == 4  # not class after class


def test_groups_stay_together_and_values_are_split_as_one():
    groups = np.repeat(list("abcdefgh"), [40, 10, 10, 10, 10, 10, 5, 5])
    rows = split(np.zeros(100, np.int32), groups=groups)
    assert all(set(groups[a]).isdisjoint(groups[b]) for a, b in ((rows[0], rows[1]), (rows[0], rows[2]), rows[1:]))
    assert [len(part) for part in rows] == pytest.approx([70, 10, 20], abs=12)
    assert [len(part) for part in split(np.linspace(0, 1, 50))] == [35, 5, 10]


def test_given_parts_keep_their_test_and_hold_out_a_missing_validation():
    y, part = np.arange(40) % 2, np.repeat([0, 2], [30, 10])
    rows = given(y, part)
    assert set(rows.test) == set(range(30, 40))
    assert len(rows.validation) == 3
    assert set(rows.train) | set(rows.validation) == set(range(30))
    kept, held = hold_out(y)
    assert set(kept) | set(held) == set(range(40))
