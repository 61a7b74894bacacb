"""Digests of what a run reads: content, whatever it is called and wherever it lies."""

import dataclasses

import numpy as np
import pytest
from tiny import SOURCE

from tl_jax.run.store import contents
from tl_jax.run.store.contents import changes, of_array, of_domain, of_tree

X = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)


def test_content_type_and_shape_make_the_digest(monkeypatch):
    monkeypatch.setattr(contents, "BLOCK", 256)  # several blocks of rows
    one = X.copy()
    one[31, 3] += 1e-6
    others = [one, X.astype(np.float64), X.reshape(25, 14), X[::-1], X[:49], X.view(np.int32)]
    assert len({of_array(x) for x in [X, *others]}) == 7
    assert of_array(np.asfortranarray(X)) == of_array(np.repeat(X, 2, 0)[::2]) == of_array(X)
    assert of_array(np.zeros((0, 3))) != of_array(np.zeros((0, 4)))
    assert of_array(np.float32(1)) != of_array(np.float32(2))


def test_an_array_in_a_file_is_read_again_when_the_file_was_touched(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(contents, "REMEMBERED", 100)
    read = contents._read
    calls = []
    monkeypatch.setattr(contents, "_read", lambda x: calls.append(1) or read(x))
    path = tmp_path / "x.npy"
    np.save(path, X)
    mapped = np.load(path, mmap_mode="r")
    assert of_array(mapped) == of_array(mapped) == of_array(X)
    assert len(calls) == 2  # once of the file, once of the array in memory
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert of_array(np.load(path, mmap_mode="r")) != of_array(X)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_changed_label_or_example_of_a_split_is_named(split):
    part = SOURCE.splits[split]
    y, x = part.y.copy(), part.x.copy()
    y[-1], x[-1, -1] = (y[-1] + 1) % 3, 7
    before = {"domains": [of_domain(SOURCE)], "weights": "", "code": {}}
    for new, what in ((part._replace(y=y), "labels"), (part._replace(x=x), "examples")):
        after = {**before, "domains": [of_domain(dataclasses.replace(SOURCE, **{split: new}))]}
        assert changes(before, after) == [f"the {what} of near ({split})"]
    assert changes(before, {**before, "domains": [of_domain(dataclasses.replace(SOURCE))]}) == []


def test_classes_are_part_of_a_domain():
    other = dataclasses.replace(SOURCE, classes=("a", "c", "b"))
    (said,) = changes(*({"domains": [of_domain(d)], "weights": "", "code": {}} for d in (SOURCE, other)))
    assert "classes of near" in said


def test_weights_are_told_apart_by_path_and_value():
    trees = [{"a": X}, {"b": X}, {"a": -X}, {"a": X, "b": X}]
    assert len({of_tree(tree) for tree in trees}) == 4


def test_the_code_is_every_source_file_of_the_package():
    files = dict(contents.code())
    assert "losses/classes.py" in files
    assert "__init__.py" in files
