"""Runs whose target has classes of its own, and runs that draw classes equally often."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import FAST, SOURCE, TARGET, domain, records

import tl_jax
from tl_jax.core.errors import UserError
from tl_jax.data.domain import changed
from tl_jax.data.pipeline.rows import balanced
from tl_jax.methods.source_only import source_only
from tl_jax.run.plan.problem import Problem
from tl_jax.training.recipe import Recipe
from tl_jax.training.step import sample

QUICK = {**FAST, "steps": 6, "eval_every": 3, "seeds": 1, "devices": 1, "trials": "map"}
BIG = domain("big", 0.0, size=90)
STRANGE = domain("strange", 1.0, ("a", "b", "c", "d"), 80)


def test_own_classes_of_the_target_have_scores_of_their_own(tmp_path):
    methods = ["source_only", "osbp", "target_only"]
    result = tl_jax.fit(SOURCE, STRANGE, methods, run_dir=str(tmp_path), label_space="open", **QUICK)
    assert "HOS" in result.table
    assert "of the classes that the source has" in result.table
    (last,) = {len(record["selectors"]["last"]) for record in result.records}
    assert last == len({"step", "source/accuracy"}) + 5 + 3
    logits = records(tmp_path)["source_only/00000006.npz/target_test/logits"][0]
    y, scores = STRANGE.test.y, result.records[0]["selectors"]["last"]
    assert scores["target/accuracy"] == pytest.approx((logits.argmax(1) == y)[y < 3].mean())
    assert 0 <= scores["target/unknown_recall"] <= 1
    stored, scores = records(tmp_path), result.records[1]["selectors"]["last"]
    unknown = stored["osbp/00000006.npz/target_test/unknown"][0] > 0
    assert scores["target/unknown_recall"] == pytest.approx(unknown[y == 3].mean())
    assert "source_only/00000006.npz/target_test/unknown" not in stored
    lines = (tmp_path / "predictions.csv").read_text().splitlines()
    said = [line.endswith(",yes") for line in lines if line.startswith("osbp,") and ",test," in line]
    np.testing.assert_array_equal(said, unknown)


def test_a_class_that_the_network_lacks_is_never_drawn_with_its_label():
    target = changed(STRANGE, classes=("a", "b", "c"))
    method = source_only()._replace(labels="target")
    data = Problem((SOURCE,), target).training(method)
    rows = data.list_of(0)
    assert rows is not None
    np.testing.assert_array_equal(np.flatnonzero(STRANGE.train.y < 3), rows)


def test_the_bound_needs_a_batch_of_classes_that_the_source_has(tmp_path):
    settings = {**QUICK, "run_dir": str(tmp_path / "run"), "label_space": "open", "batch_size": 60}
    with pytest.raises(UserError, match="strange has 60 training examples of the source's classes, the batch is 61"):
        tl_jax.fit(BIG, STRANGE, "target_only", **{**settings, "batch_size": 61})
    assert not (tmp_path / "run").exists()
    tl_jax.fit(BIG, STRANGE, "target_only", **settings)


def uneven(name: str) -> tl_jax.Domain:
    """Sixty examples of which six are of class c, twelve of b."""
    one = domain(name, 0.0)
    y = np.repeat(np.arange(3, dtype=np.int32), (42, 12, 6))
    return dataclasses.replace(one, train=one.train._replace(y=y))


def test_small_classes_are_repeated():
    y = np.array([0, 0, 0, 1, 2, 2])
    np.testing.assert_array_equal(balanced(y, np.arange(6)), [0, 1, 2, 3, 3, 3, 4, 5, 4])
    np.testing.assert_array_equal(balanced(y, np.array([2, 5, 4])), [2, 2, 5, 4])


def test_classes_are_drawn_equally_often_and_by_seed_and_step_alone():
    data = jax.tree.map(jnp.asarray, Problem((uneven("near"),), TARGET).training(source_only(), even=True))
    recipe = Recipe(None, source_only(), batch_size=14)  # pyright: ignore

    @jax.jit
    def drawn(seed, step):
        return sample(recipe, _State(seed, step), data).sources[0]

    batches = [drawn(jnp.uint32(3), jnp.int32(step)) for step in range(9)]
    labels = np.concatenate([batch.y for batch in batches])
    np.testing.assert_array_equal(np.bincount(labels), [42, 42, 42])  # one epoch of 3 x 42
    rows = np.concatenate([batch.index for batch in batches])
    np.testing.assert_array_equal(np.bincount(rows), np.repeat((1, 3.5, 7), (42, 12, 6)).astype(int) + _extra(rows))


def _extra(rows):
    """42 draws of 12 examples: half of them once more."""
    more = np.bincount(rows)[42:54] == 4
    assert more.sum() == 6
    return np.concatenate([np.zeros(42, int), more.astype(int), np.zeros(6, int)])


class _State:
    """What the sampler reads of a state."""

    rows = None

    def __init__(self, seed, step):
        self.seed, self.step = seed, step


@pytest.mark.exact
def test_a_balanced_run_streams_to_the_same_numbers(tmp_path):
    for name, limit in (("a", 0), ("b", 5_000)):
        tl_jax.fit(
            domain("near", 0.0, size=600),
            domain("far", 1.0, size=600),
            "source_only",
            run_dir=str(tmp_path / name),
            balanced=True,
            device_bytes=limit,
            **QUICK,
        )
    a, b = records(tmp_path / "a"), records(tmp_path / "b")
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_balancing_without_classes_is_refused():
    with pytest.raises(UserError, match="--balanced says nothing to unsupervised transfer"):
        tl_jax.fit(SOURCE, TARGET, "simclr", kind="unsupervised", balanced=True)
