"""Test examples that training has seen."""

import numpy as np
import pytest
from tiny import FAST

import tl_jax
from tl_jax import Domain, Examples
from tl_jax.data.domain import changed
from tl_jax.data.match import copies
from tl_jax.data.match.copies import seen_before


def domain(name, seed, **fields):
    rng = np.random.default_rng(seed)
    part = lambda n: Examples(rng.normal(size=(n, 4)).astype(np.float32), np.arange(n, dtype=np.int32) % 2)
    return changed(Domain(name, ("a", "b"), part(20), part(6), part(8)), **fields)


def with_test_rows(of, rows):
    """The domain with rows [k, 4] in place of its first test examples."""
    x = np.concatenate([rows, of.test.x[len(rows) :]])
    return changed(of, test=of.test._replace(x=x))


NEAR, FAR = domain("near", 0), domain("far", 1)


def test_what_is_apart_has_no_note():
    assert seen_before([NEAR], FAR) == ()


def test_a_copy_in_its_own_training_split_is_counted_and_named():
    (note,) = seen_before([NEAR], with_test_rows(FAR, FAR.train.x[[3, 5]]))
    assert note.startswith("2 of 8 test examples of far stand in a training split, its own (test 0 = train 3; test 1 =")


def test_a_copy_in_the_training_split_of_a_source_is_found_but_not_one_of_the_source_in_the_target_s():
    (note,) = seen_before([NEAR, domain("second", 2)], with_test_rows(FAR, NEAR.train.x[:1]))
    assert "1 of 8 test examples of far stand in a training split, that of near (" in note
    assert seen_before([with_test_rows(NEAR, FAR.train.x[:1])], FAR) == ()


def test_many_places_are_one_note():
    near = [changed(NEAR, name=f"near {i}") for i in range(5)]
    (note,) = seen_before(near, with_test_rows(FAR, np.concatenate([NEAR.train.x[:1], FAR.train.x[1:2]])))
    assert "2 of 8 test examples of far stand in a training split, that of near 0, that of near 1," in note
    assert "that of near 2 and 3 more (test 0 = train 0; test 1 = train 1):" in note


@pytest.mark.parametrize("name", ["surf@all", "sums-all"])
def test_a_protocol_that_tests_on_everything_is_no_mistake(name):
    assert seen_before([NEAR], with_test_rows(changed(FAR, name=name), FAR.train.x[:4])) == ()


def test_rows_that_are_equal_by_nature_are_no_copies():
    few = changed(FAR, train=FAR.train._replace(x=np.repeat(FAR.train.x[:5], 4, 0)))
    assert seen_before([NEAR], with_test_rows(few, few.train.x[:4])) == ()


def test_texts_are_compared_as_they_were_written():
    ids = np.ones((20, 4), np.int32)
    texts = {s: np.array([f"{s} {i}" for i in range(len(p.x))], object) for s, p in FAR.splits.items()}
    of = changed(FAR, modality="text", texts=texts, train=FAR.train._replace(x=ids), test=FAR.test._replace(x=ids[:8]))
    assert seen_before([of], of) == ()
    texts["test"][2] = "train 7"
    (note,) = seen_before([], of)
    assert "(test 2 = train 7)" in note


def test_what_is_decoded_as_it_is_read_or_very_large_is_not_looked_at(monkeypatch):
    far = with_test_rows(FAR, FAR.train.x[:2])
    pictures = object.__new__(copies.Pictures)
    assert seen_before([changed(NEAR, train=NEAR.train._replace(x=pictures))], far) == ()
    monkeypatch.setattr(copies, "MOST", 100)
    assert seen_before([NEAR], far) == ()


def test_a_run_says_it_under_its_table():
    far = with_test_rows(FAR, FAR.train.x[:2])
    settings = {**FAST, "steps": 1, "seeds": 1, "network": "mlp(bottleneck=4, hidden=())"}
    table = tl_jax.fit(NEAR, far, "mcc", **settings).table
    assert "2 of 8 test examples of far stand in a training split, its own" in table
