"""A run of a published network for sound: the rate it is told, what it keeps as published, and training end to end."""

import dataclasses

import numpy as np
import pytest
from published import sounding
from tiny import FAST

import tl_jax
from tl_jax.data.domain import Domain, changed
from tl_jax.kinds.table import KINDS, prepare
from tl_jax.run.plan.effects import without_effect
from tl_jax.run.plan.types import Options
from tl_jax.run.store.contents import contents
from tl_jax.training.freezing import resolve

KEPT = ("backbone/extract/*", "frozen")


def tones(name, seed):
    """Two pitches, 8000 samples a second, of different lengths."""
    rng = np.random.default_rng(seed)

    def part(n):
        y = np.arange(n) % 2
        wave = 9000 * np.sin(2 * np.pi * (300 + 500 * y[:, None]) * np.arange(1600) / 8000) + rng.normal(
            0, 500, (n, 1600)
        )
        return (wave * (np.arange(1600) < rng.integers(900, 1600, (n, 1)))).astype(np.int16), y

    return Domain(name, ("low", "high"), part(24), part(8), part(12), rate=8000)


NEAR, FAR = tones("near", 0), tones("far", 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return sounding(tmp_path_factory.mktemp("published"), "wav2vec2")


def planned(folder, kind="transductive", **settings):
    asked = {"network": f"wav2vec2(bottleneck=0, from={str(folder)!r})", "source": ("near",), "target": "far"}
    config = dataclasses.replace(KINDS[kind].defaults, **{**asked, "batch_size": 8, **settings})
    return prepare(config, Options(devices=1), {"near": NEAR, "far": FAR})


def test_its_convolutions_stay_as_published_unless_a_rule_says_otherwise(folder):
    setup = planned(folder, methods=("source_only",))
    assert setup.config.network.endswith("rate=8000)")
    (task,) = setup.tasks
    assert KEPT in task.rules
    factors = resolve(task.rules, task.shapes)
    assert {path.split("/")[1] for path, factor in factors.items() if not factor} == {"extract"}
    (line,) = without_effect(setup.config, setup.tasks)
    assert line.endswith(
        "backbone/extract/* stays as it comes, as published; --freeze='backbone/extract/*=1' trains it."
    )
    assert contents(setup)["network"].keys() == {"config.json", "preprocessor_config.json"}
    trained = planned(folder, methods=("source_only",), freeze=(("backbone/extract/*", "1"),))
    assert all(resolve(trained.tasks[0].rules, task.shapes).values())
    assert without_effect(trained.config, trained.tasks) == []


def test_recordings_that_do_not_say_their_rate_are_said(folder):
    config = dataclasses.replace(
        KINDS["transductive"].defaults, network="audio_cnn", source=("near",), target="far", methods=("source_only",)
    )
    config = dataclasses.replace(config, batch_size=8)
    silent = {name: changed(domain, rate=0) for name, domain in (("near", NEAR), ("far", FAR))}
    setup = prepare(config, Options(devices=1), silent)
    (line,) = without_effect(setup.config, setup.tasks)
    assert line.startswith("near, far: nothing says how many samples a second these have; --network=audio_cnn takes")
    setup = prepare(config, Options(devices=1), {"near": NEAR, "far": FAR})
    assert without_effect(setup.config, setup.tasks) == []


def test_from_scratch_nothing_is_kept(folder):
    strategies = ("scratch", "full", "layer_decay")
    setup = planned(folder, "inductive", source=(), strategies=strategies, labels_per_class=(4,))
    assert [KEPT in task.rules for task in setup.tasks] == [False, True, True]


@pytest.mark.slow
def test_a_run_is_trained_remembers_its_rate_and_predicts(folder, tmp_path):
    network = f"wav2vec2(bottleneck=0, from={str(folder)!r})"
    how = {**FAST, "network": network, "steps": 2, "eval_every": 2, "batch_size": 8, "seeds": 1, "remat": True}
    run = tl_jax.fit(NEAR, FAR, ["source_only"], run_dir=str(tmp_path / "run"), trials="map", devices=1, **how)
    model = tl_jax.load(run.run_dir, source=NEAR, target=FAR)
    assert np.isfinite(model.features(FAR.test.x)).all()
