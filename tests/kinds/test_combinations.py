"""Every method of fine-tuning with every strategy: it can be trained, or there is one message before anything is."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import SOURCE, domain

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain, Examples
from tl_jax.fine_tuning.strategies import STRATEGIES, full
from tl_jax.kinds.inductive.jobs import fine_tuning_jobs
from tl_jax.kinds.inductive.kind import DEFAULTS as INDUCTIVE
from tl_jax.kinds.table import prepare
from tl_jax.methods import FINE_TUNING
from tl_jax.run.execute.begin import HEAD_ALONE
from tl_jax.run.execute.execution import make_recipe
from tl_jax.run.plan.devices import place
from tl_jax.run.plan.problem import Problem
from tl_jax.run.plan.setup import make_task
from tl_jax.run.plan.types import Options, Part
from tl_jax.training.create import create
from tl_jax.training.freezing import resolve
from tl_jax.training.optimizer import adamw
from tl_jax.training.state import with_optimizer
from tl_jax.training.step import make_step

TARGET, OTHER = domain("near too", 0.0), domain("other", 0.5, classes=("p", "q"))
DOMAINS = {d.name: d for d in (SOURCE, TARGET, OTHER)}
NO_FEATURES = {"joint", "lwf", "co_tuning", "bi_tuning", "wise_ft"}
"""Methods that need more than features that are computed once."""


def config(methods, strategies, target=TARGET):
    return dataclasses.replace(
        INDUCTIVE,
        source=(SOURCE.name,),
        target=target.name,
        network="mlp(hidden=(4,), bottleneck=0)",
        methods=tuple(methods),
        strategies=tuple(strategies),
        labels_per_class=(2,),
        seeds=(0,),
        batch_size=16,
    )


def traced(task):
    """A step of the task, by shapes alone."""
    factors = resolve(task.rules, task.shapes)
    recipe = make_recipe(task, "map", place(1, 1, 16, False))
    start = jax.tree.map(lambda x: jnp.asarray(x[0]), task.starts())
    begin = lambda data: with_optimizer(create(recipe, data, start), recipe.method, adamw(), factors)
    _, logged = jax.eval_shape(lambda data: make_step(recipe, factors)(begin(data), data), task.data)
    assert all(value.shape == () for value in logged.values())


@pytest.mark.parametrize("name", FINE_TUNING)
def test_a_method_is_trained_on_kept_features_or_refused_with_the_reason(name):
    here = config([name], ["feature_extraction"])
    if name in NO_FEATURES:
        with pytest.raises(UserError, match=r"feature_extraction: .* and the method .*--strategy=linear_probe"):
            fine_tuning_jobs(here)
        return
    (job,) = fine_tuning_jobs(here)
    rows = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    part = Examples(rows, np.arange(40, dtype=np.int32) % 3)
    features = Problem((), Domain("features", TARGET.classes, part, part, part))
    job = dataclasses.replace(job, strategy=full(), start=None)
    traced(make_task(Part(dataclasses.replace(here, network=HEAD_ALONE), features, job)))


def test_every_method_is_trained_under_the_strategies_that_train_the_trunk():
    for task in prepare(config(FINE_TUNING, ["full"]), Options(), DOMAINS).tasks:
        traced(task)


UNFIT = {"bn_only": "no batch normalisation", "ia3": "no attention", "vpt": "vpt", "prefix": "over places"}
"""What a network of dense layers has not."""


def test_every_strategy_is_prepared():
    unfit = UNFIT | {name: f"{name} begins from the names" for name, make in STRATEGIES.items() if make().named}
    chosen = [name for name in STRATEGIES if name not in unfit]
    assert len(prepare(config(["fine_tune"], chosen), Options(), DOMAINS).tasks) == len(chosen)
    for name, said in unfit.items():
        with pytest.raises(UserError, match=said):
            prepare(config(["fine_tune"], [name]), Options(), DOMAINS)


def test_a_source_of_other_classes_is_no_half_of_a_joint_objective():
    with pytest.raises(UserError, match=r"full: .*no source with the classes of other.*--method=fine_tune"):
        prepare(config(["joint"], ["full"], OTHER), Options(), DOMAINS)
