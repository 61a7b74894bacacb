"""Published recipes: their values are those of the sources, and what is given wins."""

import pytest

from tl_jax import api
from tl_jax.core.errors import UserError
from tl_jax.kinds.table import KINDS
from tl_jax.run.plan.fits import check
from tl_jax.run.settings.config import Config, optimizer_call
from tl_jax.run.settings.recipes import RECIPES, published
from tl_jax.run.settings.settings import settings


@pytest.fixture
def fit(monkeypatch):
    """The config that `fit` would run."""
    monkeypatch.setattr(api, "_run", lambda config, *rest: config)
    return lambda **given: api.fit(**{"quiet": True, **given})


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        # One SGD for all (dann.py): lr .01, Nesterov momentum .9, decay 1e-3, schedule ^-.75; one pass of both domains.
        ("tllib", {"optimizer": "sgd", "lr": 0.01, "weight_decay": 1e-3, "forward_plan": "joint"}),
        # SGD .01, Nesterov .9, decay 1e-3, lr (1 + 10 p)^-.75, batches of 64 (image_target.py).
        ("shot", {"optimizer": "sgd", "lr": 0.01, "weight_decay": 1e-3, "batch_size": 64, "lr_schedule": "inverse"}),
        # mu = .01 / (1 + 10 p)^.75, momentum .9, batches of 128, half of each domain (the paper, section 5.2).
        ("dann", {"optimizer": "sgd(nesterov=False)", "lr": 0.01, "lr_schedule": "inverse", "batch_size": 64}),
        # lr .03 cos(arccos(.25) p), plain momentum, L2 of .001 |w|^2 / 2, 64 source examples, an average of .999.
        ("adamatch", {"lr": 0.03, "lr_schedule": "adamatch", "weight_decay": 1e-3, "ema": 0.999, "steps": 131072}),
        # Adam at a constant 5e-5 (hparams_registry.py).
        ("domainbed", {"optimizer": "adam", "lr": 5e-5, "lr_schedule": "constant", "weight_decay": 0.0}),
    ],
)
def test_a_recipe_sets_what_its_source_says(fit, name, facts):
    config = fit(recipe=name)
    check(config)
    assert {key: getattr(config, key) for key in facts} == facts
    assert optimizer_call(config)


def test_the_trunk_of_loaded_weights_moves_a_tenth_as_fast_in_tllib_and_shot(fit):
    for name in ("tllib", "shot"):
        begun, scratch = fit(recipe=name, init_from="a.safetensors"), fit(recipe=name)
        assert begun.lr * begun.lr_new == scratch.lr == 0.01
        assert (begun.lr, scratch.lr_new) == (1e-3, 1.0)
    # Nothing of SHOT's source model is new to the job that adapts it: there a rule gives the bottleneck its rate.
    assert fit(recipe="shot", init_from="a.safetensors").freeze == (("bottleneck/*", "10"),)


def test_what_is_given_wins_and_is_said(fit, capsys):
    config = fit(recipe="adamatch", steps=50, lr=0.1, quiet=False)
    assert (config.steps, config.lr, config.ema) == (50, 0.1, 0.999)
    (line,) = capsys.readouterr().out.splitlines()
    assert "Recipe adamatch, AdaMatch (Berthelot et al. 2022" in line
    assert "weight_decay 0.001, batch_size 64, ema 0.999" in line
    assert line.endswith("given, and so kept: lr, steps.")


def test_a_setting_that_the_kind_has_not_is_left_out_and_an_unknown_recipe_is_refused(fit):
    for kind in ("unsupervised", "inductive", "generalisation", "test_time"):
        assert fit(kind=kind, recipe="tllib").augment == ("none" if kind == "unsupervised" else "crop_flip")
    with pytest.raises(UserError, match=r"Unknown recipe 'tlib'. Did you mean 'tllib'"):
        fit(recipe="tlib")
    with pytest.raises(UserError, match=r"--recipe=dann sets nothing here"):
        published("dann", {}, ())


def test_every_value_is_one_that_its_setting_takes():
    for name, one in RECIPES.items():
        for key in {**one.sets, **one.begun}:
            assert key in settings(Config), (name, key)
            assert any(key not in kind.planning.without for kind in KINDS.values())
