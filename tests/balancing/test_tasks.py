"""The loss of a task, with missing labels, against straight-line NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.balancing.tasks import LABELS, TaskHead, task_loss

RNG = np.random.default_rng(0)
Z = {"classes": RNG.normal(size=(6, 4)), "binary": RNG.normal(size=(6, 1)), "values": RNG.normal(size=(6, 1))}
Y = {
    "classes": np.array([3, np.nan, 0, 1, np.nan, 2]),
    "binary": np.array([1, np.nan, 0, 1, np.nan, 0.0]),
    "values": np.array([0.5, np.nan, -2, 1, np.nan, 0.1]),
}


def by_hand(kind, z, y):
    losses = []
    for row, label in zip(z, y, strict=True):
        if np.isnan(label):
            continue
        if kind == "classes":
            losses.append(-row[int(label)] + np.log(np.exp(row).sum()))
        elif kind == "binary":
            p = 1 / (1 + np.exp(-row[0]))
            losses.append(-(label * np.log(p) + (1 - label) * np.log(1 - p)))
        else:
            losses.append((row[0] - label) ** 2)
    return sum(losses) / max(len(losses), 1)


@pytest.mark.parametrize("kind", LABELS)
def test_the_loss_is_the_mean_over_labelled_rows(kind):
    np.testing.assert_allclose(
        task_loss(kind, Z[kind], jnp.asarray(Y[kind])), by_hand(kind, Z[kind], Y[kind]), rtol=1e-6
    )


@pytest.mark.parametrize("kind", LABELS)
def test_rows_without_a_label_have_no_gradient(kind):
    slope = jax.grad(lambda z: task_loss(kind, z, jnp.asarray(Y[kind])))(jnp.asarray(Z[kind]))
    missing = np.isnan(Y[kind])
    assert not np.asarray(slope)[missing].any()
    assert np.asarray(slope)[~missing].any(axis=1).all()


@pytest.mark.parametrize("kind", LABELS)
def test_without_a_label_loss_and_gradient_are_zero(kind):
    none = jnp.full(6, jnp.nan)
    value, slope = jax.value_and_grad(lambda z: task_loss(kind, z, none))(jnp.asarray(Z[kind]))
    assert value == 0
    assert not slope.any()


def test_a_name_is_one_part_of_a_path():
    head = TaskHead("office31/amazon", "classes", ("a", "b", "c"), 0, 0, 4, 7)
    assert head.group == "office31.amazon"
    assert head.width == 3
