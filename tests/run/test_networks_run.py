"""The network of a run: what `auto` stands for, and that a network of another kind is refused before it is built."""

import json

import numpy as np
import pytest
from tiny import FAST, SOURCE, TARGET

import tl_jax
from tl_jax import Domain, Examples
from tl_jax.core.errors import UserError
from tl_jax.kinds.table import KINDS
from tl_jax.models.networks import NETWORKS, TAKES, modalities
from tl_jax.run.plan.networks import USUAL, resolved
from tl_jax.run.settings.config import Config

SHAPES = {
    "image": ((16, 16, 1), np.uint8),
    "vector": ((8,), np.float32),
    "text": ((5,), np.int32),
    "sound": ((400,), np.int16),
    "series": ((9, 2), np.float32),
}


def made(modality: str, greatest: int = 9, shape: tuple[int, ...] = (), **more) -> Domain:
    usual, dtype = SHAPES[modality]
    x = np.random.default_rng(0).integers(0, greatest + 1, (12, *(shape or usual))).astype(dtype)
    x.flat[0] = greatest
    part = Examples(x, np.arange(12, dtype=np.int32) % 2)
    return Domain("some", ("a", "b"), part, part, part, modality=modality, **more)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("modality", SHAPES)
def test_auto_is_a_network_that_takes_the_examples(modality, kind):
    own = KINDS[kind].planning.networks
    found = resolved(Config(kind=kind), [made(modality)], own).network
    assert modality in modalities(found.partition("(")[0])
    assert resolved(Config(kind=kind, network=found), [made(modality)], own).network == found


def test_every_network_takes_something_and_every_kind_of_example_has_one():
    assert set(TAKES) <= set(NETWORKS)
    assert {m for name in NETWORKS for m in modalities(name)} == set(USUAL) == set(SHAPES)
    assert all(set(own) <= set(USUAL) for own in (kind.planning.networks for kind in KINDS.values()))


def test_auto_knows_the_ids_the_rate_and_the_size():
    network = lambda domain: resolved(Config(), [domain]).network
    assert network(made("text", 11)) == "text_cnn(vocabulary=12)"
    assert network(made("text", 11, vocabulary=50)) == "text_cnn(vocabulary=50)"
    assert network(made("sound", rate=16000)) == "audio_cnn(rate=16000)"
    assert network(made("sound", rate=8000)) == "audio_cnn"
    heard = lambda name, rate: resolved(Config(network=name), [made("sound", rate=rate)]).network
    assert heard("ast", 16000) == "ast"
    assert heard("hubert(layers=2)", 8000) == "hubert(layers=2, rate=8000)"
    assert heard("ast(rate=8000)", 0) == "ast(rate=8000)"
    assert network(made("image", shape=(3, 28, 1))).partition("(")[0] == "mlp"


@pytest.mark.parametrize(
    ("network", "domain", "said"),
    [
        ("cnn", made("vector"), ["takes image", "holds vector [12, 8]", "Networks of vector: mlp;", "--network=auto"]),
        ("mlp", made("text"), ["holds text", "gru, text_cnn, text_transformer", "auto is text_cnn(vocabulary=10)"]),
        ("mlp", made("sound"), ["holds sound", "audio_cnn"]),
        ("gru", made("image"), ["takes text or series", "lenet", "resnet18"]),
        ("audio_cnn", made("series"), ["mlp, gru, conv1d"]),
        ("gru(vocabulary=9)", made("text", 9), ["token ids below 9; the data have 9", "gru(vocabulary=10)"]),
        ("audio_cnn", made("sound", rate=16000), ["8000 samples a second", "16000", "audio_cnn(rate=16000)"]),
        ("wav2vec2", made("sound", rate=0), ["hears 16000 samples a second", "does not say how many it has", "rate="]),
        ("ast(rate=16000)", made("sound", rate=8000), ["has 8000 samples a second, not 16000", "Leave rate= out"]),
    ],
)
def test_a_network_of_another_kind_is_refused_with_those_that_fit(network, domain, said):
    with pytest.raises(UserError) as caught:
        resolved(Config(network=network), [domain])
    for part in said:
        assert part in str(caught.value)


def test_images_too_small_for_a_network_are_refused_with_their_size(tmp_path):
    small = made("image", shape=(3, 3, 1))
    with pytest.raises(UserError, match=r"--network=cnn cannot be built for image 3x3x1"):
        tl_jax.fit(
            small,
            Domain("other", ("a", "b"), *small.splits.values()),
            "source_only",
            network="cnn",
            batch_size=4,
            devices=1,
            run_dir=str(tmp_path / "run"),
        )
    assert not (tmp_path / "run").exists()


def test_a_run_says_which_network_auto_was(tmp_path):
    settings = {**FAST, "steps": 2, "eval_every": 2, "seeds": 1, "devices": 1, "network": "auto", "trials": "map"}
    result = tl_jax.fit(SOURCE, TARGET, "source_only", run_dir=str(tmp_path), **settings)
    used = resolved(Config(), [SOURCE]).network
    assert json.loads((tmp_path / "config.json").read_text())["network"] == used
    assert result.records[0]["network"] == used
    assert f"Network {used}," in result.table
