"""What a batch knows of its domains."""

import jax
import numpy as np

from tl_jax.core.types import Batch, Labeled, LabeledTarget, Output, Unlabeled


def part(kind, begin, n):
    rows = np.arange(begin, begin + n)
    return kind(rows[:, None], rows % 3, rows)


def test_outputs_of_several_sources_are_told_apart_by_domain():
    batch = Batch((part(Labeled, 0, 4), part(Labeled, 4, 2), part(LabeledTarget, 6, 3)), None)
    assert batch.domains == ("source0", "source1", "target")
    joined = Output(np.arange(9)[:, None], np.arange(9)[:, None] * 2)
    split = batch.split(joined)
    assert [out.features[:, 0].tolist() for out in split] == [[0, 1, 2, 3], [4, 5], [6, 7, 8]]
    assert all((out.logits == 2 * out.features).all() for out in split)
    for out, source in zip(batch.split(batch.y), batch.sources, strict=True):
        np.testing.assert_array_equal(out, source.y)


def test_whether_a_part_is_the_targets_survives_every_program():
    batch = Batch((part(Labeled, 0, 2), part(LabeledTarget, 2, 2)), Unlabeled(np.zeros((3, 1)), np.arange(3)))
    assert jax.jit(lambda batch: batch)(batch).domains == ("source0", "target")
    assert jax.tree.map(lambda x: x, batch._replace(target=None)).target is None
