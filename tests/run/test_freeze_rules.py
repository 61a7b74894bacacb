"""Which of the user's freezing rules count in which job, and what is said of those that do not."""

import pytest
from tiny import NETWORK, SOURCE, TARGET

from tl_jax.core.errors import UserError
from tl_jax.kinds.table import prepare
from tl_jax.run.plan.effects import without_effect
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config
from tl_jax.training.freezing import resolve

DOMAINS = {domain.name: domain for domain in (SOURCE, TARGET)}


def prepared(methods, *freeze, **changes):
    how = {"source": (SOURCE.name,), "target": TARGET.name, "network": NETWORK, "seeds": (0,), "batch_size": 16}
    config = Config(methods=methods, freeze=freeze, **{**how, **changes})
    return prepare(config, Options(), DOMAINS)


def factors(task):
    return resolve(task.rules, task.shapes)


def test_a_rule_about_a_method_s_parameters_is_for_the_jobs_that_have_them():
    setup = prepared(("source_only", "dann"), ("method/*", "10"))
    plain, dann = setup.tasks
    assert plain.rules == ()
    assert set(factors(plain).values()) == {1.0}
    assert {path: f for path, f in factors(dann).items() if f != 1} == dict.fromkeys(
        [path for path in dann.shapes if path.startswith("method/")], 10.0
    )
    assert without_effect(setup.config, setup.tasks) == []


def test_a_rule_that_no_job_has_a_parameter_for_is_refused_with_the_paths_of_all_jobs():
    with pytest.raises(UserError, match=r"'method/critic/\*=\.\.\.' matches 0 of .*Closest: .*method/discriminator"):
        prepared(("source_only", "dann"), ("method/critic/*", "10"))


def test_the_hidden_job_has_none_of_the_user_s_rules():
    (shot,) = prepared(("shot",), ("backbone/*", "frozen")).tasks
    assert shot.start is not None
    assert shot.start.rules == ()
    assert ("backbone/*", "frozen") in shot.rules


def test_a_rule_behind_those_that_decide_everything_it_matches_is_said_or_refused():
    rule = ("head/*", "0.1")
    with pytest.raises(
        UserError, match=r"shot: --freeze='head/\*=0\.1' decides about no parameter: 'head/\*=frozen' of"
    ):
        prepared(("shot",), rule)
    both = prepared(("source_only", "shot"), rule)
    (line,) = without_effect(both.config, both.tasks)
    assert line.startswith("shot: --freeze='head/*=0.1' decides about no parameter")
    assert factors(both.tasks[0])["head/kernel"] == 0.1
    with pytest.raises(UserError, match=r"'\*/bias=2' decides about no parameter: '\*=0\.5' first"):
        prepared(("source_only",), ("*", "0.5"), ("*/bias", "2"))


def test_averages_are_for_those_that_predict_by_the_weights_in_training():
    setup = prepared(("source_only", "mean_teacher", "adabn"), ema=0.99)
    lines = without_effect(setup.config, setup.tasks)
    assert [line.split(":")[0] for line in lines] == ["mean_teacher", "adabn"]
    assert lines[0].endswith("predicts by what it remembers of the weights in training, so --ema says nothing there.")
    with pytest.raises(UserError, match=r"--ema=0.99 changes nothing: mean_teacher predicts by"):
        prepared(("mean_teacher",), ema=0.99)
    with pytest.raises(UserError, match=r"--ema=1: a decay below 1"):
        prepared(("source_only",), ema=1.0)


def test_a_batch_is_cut_into_equal_parts_and_only_blocks_are_computed_again():
    for parts in (3, 16):
        with pytest.raises(UserError, match=rf"--accumulate={parts}: the batch of 16 does not divide"):
            prepared(("source_only",), accumulate=parts)
    with pytest.raises(UserError, match=r"--remat changes nothing: --network=mlp.* has no blocks"):
        prepared(("source_only",), remat=True)


def test_plain_passes_alone_are_augmented_also_those_of_the_source_model():
    setup = prepared(("shot", "fixmatch", "source_only"), augment="weak")
    shot, fixmatch, plain = setup.tasks
    views = lambda task: {(name, view.augment, view.drawn) for name, view in task.job.method.views.items()}
    assert views(plain) == views(shot.start) == {("source", "weak", "plain")}
    assert all(not drawn for _, _, drawn in views(fixmatch))
    assert without_effect(setup.config, setup.tasks) == [
        "fixmatch: has no plain pass, or computes the features of each example once, so --augment says nothing there."
    ]
    with pytest.raises(UserError, match=r"--augment=crop_flip: far holds vector, .* the views none, weak, strong"):
        prepared(("source_only",), augment="crop_flip")
    with pytest.raises(UserError, match=r"--augment=weak changes nothing: fixmatch has no plain pass"):
        prepared(("fixmatch",), augment="weak")


def test_a_rule_about_a_trunk_that_is_passed_once_is_no_rule_about_it():
    how = {
        "kind": "inductive",
        "strategies": ("feature_extraction",),
        "labels_per_class": (6,),
        "source": (TARGET.name,),
    }
    assert prepared(("fine_tune",), ("head/*", "0.5"), **how).tasks[0].rules[0] == ("head/*", "0.5")
    with pytest.raises(UserError, match=r"'backbone/\*=\.\.\.' matches 0 of 2 parameters.*head/"):
        prepared(("fine_tune",), ("backbone/*", "0.5"), **how)
