"""--lr_new: a rate of its own for what no weights were loaded for, without naming a path."""

import numpy as np
import pytest
import test_freeze_rules
from test_freeze_rules import factors, prepared
from tiny import domain

from tl_jax.core.errors import UserError
from tl_jax.run.plan.effects import without_effect


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Weights of the trunk alone."""
    (task,) = prepared(("source_only",)).tasks
    shapes = {path: one.shape for path, one in task.shapes.items() if path.startswith("backbone/")}
    named = lambda path: path.replace("/", ".").replace("kernel", "weight")
    path = tmp_path_factory.mktemp("weights") / "trunk.npz"
    np.savez(path, **{named(name): np.zeros(shape[::-1], np.float32) for name, shape in shapes.items()})
    return str(path)


def test_what_the_file_does_not_give_is_new_and_so_is_every_network_of_the_method(file):
    shot, dann = prepared(("shot", "dann"), init_from=file, lr_new=10.0).tasks
    assert dann.rules == (("bottleneck/*", "10"), ("head/*", "10"), ("method/discriminator/*", "10"))
    assert {f for path, f in factors(dann).items() if path.startswith("backbone/")} == {1.0}
    assert shot.start is not None
    assert shot.start.rules == dann.rules[:2]  # the job that trains the source model begins from the file
    assert shot.rules == (("head/*", "frozen"),)  # and this one from that model, of which nothing is new


def test_rules_of_the_user_s_and_of_a_method_come_first(file):
    (dann,) = prepared(("dann",), ("head/bias", "2"), ("method/*", "frozen"), init_from=file, lr_new=10.0).tasks
    found = factors(dann)
    assert (found["head/bias"], found["head/kernel"], found["backbone/dense1/kernel"]) == (2, 10, 1)
    assert not any(f for path, f in found.items() if path.startswith("method/"))


def test_of_a_source_model_nothing_is_new_but_a_head_of_other_classes_and_what_a_strategy_adds(monkeypatch):
    domains = {"near": domain("near", 0.0), "far": domain("far", 0.0, classes=("p", "q"))}
    monkeypatch.setattr(test_freeze_rules, "DOMAINS", domains)
    how = {"kind": "inductive", "labels_per_class": (8,), "select": "target_val", "lr_new": 10.0}
    strategies = ("full", "lora(rank=2)", "layer_decay", "linear_probe", "scratch")
    setup = prepared(("fine_tune",), strategies=strategies, **how)
    full, lora, decayed, probe, scratch = setup.tasks
    assert full.rules == (("head/*", "10"),)
    assert lora.rules[-2:] == (("head/*", "10"), ("lora/*", "10"))
    assert (factors(decayed)["head/kernel"], factors(decayed)["bottleneck/dense1/kernel"]) == (10, 0.65)
    assert (factors(probe)["head/kernel"], factors(probe)["backbone/dense1/kernel"]) == (10, 0)
    assert scratch.rules == ()
    assert without_effect(setup.config, setup.tasks) == ["scratch: begins at random, so --lr_new says nothing there."]


def test_where_all_is_new_or_nothing_it_is_refused_with_the_reason():
    with pytest.raises(UserError, match=r"--lr_new=10 changes nothing: no job begins from weights.*Raise --lr"):
        prepared(("source_only", "dann"), lr_new=10.0)
    with pytest.raises(UserError, match=r"--lr_new=3 changes nothing: all that is trained comes with the weights"):
        prepared(("shot",), lr_new=3.0)
    with pytest.raises(UserError, match="lr_new"):
        prepared(("source_only",), lr_new=0.0)


def test_a_trade_off_that_no_method_has_is_said():
    setup = prepared(("source_only",), lam=3.0)
    assert without_effect(setup.config, setup.tasks) == ["--lam=3.0 changes nothing: source_only has no trade-off."]
