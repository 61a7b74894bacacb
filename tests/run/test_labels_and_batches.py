"""How labels count in the loss, how many examples a step has of each domain, and passes instead of steps."""

import dataclasses

import jax
import numpy as np
import pytest
from tiny import FAST, SOURCE, TARGET, domain

from tl_jax import Domain, api
from tl_jax.core.errors import UserError
from tl_jax.data.pipeline.rows import balanced_weights
from tl_jax.kinds.table import KINDS, prepare
from tl_jax.run.execute.execution import execution
from tl_jax.run.plan.setup import labelling
from tl_jax.run.plan.types import Options
from tl_jax.training.create import create
from tl_jax.training.step import sample


def rare(one: Domain) -> Domain:
    """The domain with 20, 20 and 5 training examples of its classes."""
    rows = np.sort(np.concatenate([np.flatnonzero(one.train.y == k)[:n] for k, n in enumerate((20, 20, 5))]))
    return dataclasses.replace(one, train=one.train._replace(x=one.train.x[rows], y=one.train.y[rows]))


def setup(source: Domain = SOURCE, target: Domain = TARGET, kind: str = "transductive", **settings):
    usual = {name: value for name, value in FAST.items() if name not in ("quiet", "pictures")}
    asked = {**usual, "methods": ("dann",), "seeds": (0,), "source": ("near",), "target": "far", **settings}
    config = dataclasses.replace(KINDS[kind].defaults, **asked)
    return prepare(config, Options(devices=1, trials="map"), {"near": source, "far": target})


def test_balanced_weights_are_those_by_which_every_class_counts_alike():
    (task,) = setup(rare(SOURCE), class_weights=("balanced",), label_smoothing=0.1).tasks
    found = labelling(task)
    assert found.smoothing == 0.1
    np.testing.assert_allclose(found.weights, 45 / (3 * np.array([20, 20, 5])), rtol=1e-12)
    assert execution(task, Options(devices=1, trials="map"), "map").recipe.labelling == found


def test_weights_are_of_the_rows_that_are_drawn():
    y = np.array([0, 0, 0, 1, 1, 1])
    assert balanced_weights([y], [np.array([0, 3, 4, 5])], None, 3) == (4 / 3, 4 / 9, 1.0)
    assert balanced_weights([y], [], np.array([[0, 1, 2, 3], [0, 1, 2, 4]]), 2) == (2 / 3, 2.0)


def test_a_number_for_each_class_is_taken_from_text_and_from_python(monkeypatch):
    monkeypatch.setattr(api, "_run", lambda config, *rest: config)
    config = api.fit(SOURCE, TARGET, quiet=True, class_weights=[1, 1, 2.5])
    assert config.class_weights == ("1", "1", "2.5")
    assert api.fit(SOURCE, TARGET, quiet=True, class_weights="1,1,2.5").digest() == config.digest()
    (task,) = setup(class_weights=config.class_weights).tasks
    assert labelling(task).weights == (1.0, 1.0, 2.5)


def test_a_step_has_as_many_of_the_target_as_asked_for_and_as_many_of_the_source_as_ever():
    (task,) = setup(batch_size=8, target_batch_size=24).tasks
    recipe = execution(task, Options(devices=1, trials="map"), "map").recipe
    drawn = lambda start, data: sample(recipe, create(recipe, data, start), data)
    batch = jax.eval_shape(drawn, jax.tree.map(lambda x: x[0], task.starts()), task.data)
    assert [source.x.shape[0] for source in batch.sources] == [8]
    assert batch.target.x.shape[0] == batch.target.index.shape[0] == 24


def test_passes_over_the_largest_training_set_are_rounded_up_to_steps():
    assert setup(epochs=2, batch_size=16).config.steps == 8  # of 60 examples: 7.5
    assert setup(domain("near", 0.0, size=90), epochs=0.1, batch_size=16).config.steps == 1


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"class_weights": ("1", "2")}, ["--class_weights has 2 numbers, there are 3 classes: a, b, c"]),
        ({"class_weights": ("balanced",), "balanced": True}, ["--balanced", "counts it twice"]),
        ({"label_smoothing": 1.0}, ["--label_smoothing=1", "but not, 1"]),
        ({"target_batch_size": 1}, ["--target_batch_size=1: two or more"]),
        ({"target_batch_size": 61}, ["Target far has 60", "the batch is 61", "--target_batch_size=60"]),
        ({"target_batch_size": 17, "accumulate": 2}, ["--accumulate=2: the batch of 17"]),
        ({"kind": "inductive", "target_batch_size": 8}, ["--target_batch_size says nothing to inductive"]),
    ],
)
def test_what_cannot_be_is_said(settings, parts):
    with pytest.raises(UserError) as caught:
        setup(**settings)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("weights", "part"), [("1,no", "give balanced, or a number"), ("1,0", "above 0"), ([1, float("nan")], "above 0")]
)
def test_weights_that_are_none_are_said(weights, part):
    with pytest.raises(UserError, match=part):
        api.fit(SOURCE, TARGET, class_weights=weights)


def test_steps_and_passes_are_not_given_both():
    with pytest.raises(UserError, match="--steps and --epochs"):
        api.fit(SOURCE, TARGET, steps=3, epochs=1)


def test_values_have_no_classes_to_weigh():
    values = lambda one: dataclasses.replace(
        one, classes=(), **{s: part._replace(y=part.x.sum(1).astype(np.float32)) for s, part in one.splits.items()}
    )
    with pytest.raises(UserError, match="--label_smoothing is of classes"):
        setup(values(SOURCE), values(TARGET), label_smoothing=0.1, methods=("source_only",))
