"""Parameter trees as flat dicts."""

import hypothesis
import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np

from tl_jax.core.trees import flatten, moving_average, size_of, unflatten

names = st.text("abc1_", min_size=1, max_size=3)
trees = st.dictionaries(names, st.recursive(st.integers(), lambda node: st.dictionaries(names, node, min_size=1)))


@hypothesis.given(trees)
@hypothesis.settings(max_examples=30, deadline=None)
def test_flat_and_nested_are_the_same_tree(tree):
    flat = flatten(tree)
    assert unflatten(flat) == tree
    assert flatten(unflatten(flat)) == flat
    assert not any(isinstance(value, dict) for value in flat.values())


def test_paths_are_joined_by_slashes_below_a_prefix():
    tree = {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    assert flatten(tree) == {"a/b": 1, "a/c/d": 2, "e": 3}
    assert flatten(tree, "method") == {"method/a/b": 1, "method/a/c/d": 2, "method/e": 3}
    assert flatten({"a": {}, "b": 1}) == {"b": 1}


def test_a_moving_average_keeps_the_share_of_the_old_leaf_by_leaf():
    old, new = (
        {"a": jnp.array([1.0, 2.0]), "b": {"c": jnp.array(10.0)}},
        {"a": jnp.zeros(2), "b": {"c": jnp.array(0.0)}},
    )
    average = moving_average(old, new, 0.75)
    np.testing.assert_allclose(average["a"], [0.75, 1.5])
    np.testing.assert_allclose(average["b"]["c"], 7.5)


def test_sizes_count_scalars_and_bytes():
    assert size_of({"a": np.zeros((3, 2), np.float32), "b": [np.zeros(5, np.uint8)]}) == (11, 29)
    assert size_of({}) == (0, 0)
