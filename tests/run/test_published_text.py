"""A run of a published text network: texts of a csv, its own word pieces, its weights; and what is said of misuse."""

import dataclasses

import numpy as np
import pytest
from published import published
from tiny import FAST, SOURCE

import tl_jax
from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain
from tl_jax.data.load import everything
from tl_jax.data.match.like import like
from tl_jax.kinds.table import KINDS, prepare
from tl_jax.programs.trained.predict import predict
from tl_jax.run.plan.types import Options
from tl_jax.run.plan.words import brought, in_pieces
from tl_jax.run.store.contents import changes, contents

TEXTS = [f"{'a b c'[: 2 * (i % 3) + 1]} {'defg'[i % 4]} {'hi'[i % 2]}" for i in range(40)]
NEW = ["a h", "b c d e f g h i j"]


def written(path, texts=TEXTS, label=True):
    lines = [f"{text},{'pn'[i % 2]}" if label else text for i, text in enumerate(texts)]
    path.write_text("\n".join(["review,kind" if label else "review", *lines, ""]))
    return f"csv:{path}?text=review"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return published(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def network(place):
    return f"minilm(bottleneck=0, from={str(place)!r}, length=6)"


@pytest.fixture(scope="module")
def specs(tmp_path_factory):
    root = tmp_path_factory.mktemp("texts")
    return written(root / "a.csv"), written(root / "b.csv", TEXTS[::-1])


def planned(kind, network, specs, **settings):
    asked = {"network": network, "source": specs[:-1], "target": specs[-1], "batch_size": 8, **settings}
    return prepare(dataclasses.replace(KINDS[kind].defaults, **asked), Options(devices=1), {})


@pytest.fixture(scope="module")
def setup(network, specs):
    return planned("transductive", network, specs, methods=("source_only",))


def test_weights_pieces_and_texts_come_by_the_network(setup, place, network):
    assert (setup.config.init_from, setup.config.network) == (str(place), network)
    assert {path.split("/")[0] for path in setup.weights.params} == {"backbone"}
    target = setup.problem.target
    assert (target.train.x.shape[1], target.vocabulary) == (6, 14)
    split, row = next((s, list(t).index("a b c g i")) for s, t in target.texts.items() if "a b c g i" in t)
    assert target.splits[split].x[row].tolist() == [1, 4, 5, 6, 10, 2]  # "a b c g i" is cut, "a d h" is not
    short = next(
        x for s, t in target.texts.items() for x, text in zip(target.splits[s].x, t, strict=True) if len(text) == 5
    )
    assert short[-2:].tolist() == [2, 0]
    assert "label: 'kind', the only other column" in target.notes
    assert "13 of 40 texts have more than 6 word pieces and were cut (length= of the network)" in target.notes


def test_files_of_the_network_are_among_the_contents(setup, place):
    was, before = contents(setup), (place / "tokenizer.json").read_bytes()
    assert was["network"].keys() == {"tokenizer.json", "config.json"}
    (place / "tokenizer.json").write_bytes(before + b"\n")
    now = contents(setup)
    (place / "tokenizer.json").write_bytes(before)
    assert changes(was, now) == ["tokenizer.json of the network"]


def test_new_texts_are_cut_to_the_pieces_of_the_model(setup, specs, tmp_path):
    first = setup.problem.target
    read = everything(written(tmp_path / "new.csv", NEW, label=False), "", specs[-1], first)
    found = like(in_pieces(read, brought(setup.config), length=6), first)
    assert found.train.x.tolist() == [[1, 4, 11, 2, 0, 0], [1, 5, 6, 7, 8, 2]]
    assert found.texts["train"].tolist() == NEW
    assert "no column of labels" in found.notes


def test_what_holds_no_texts_is_refused(network, specs):
    how = {**FAST, "network": network}
    ids = Domain("ids", ("p", "q"), *[(np.arange(1, 13, dtype=np.int32).reshape(6, 2), np.arange(6) % 2)] * 3)
    with pytest.raises(UserError, match="ids holds token ids without their texts"):
        tl_jax.fit(ids, ids, **how)
    with pytest.raises(UserError, match=r"takes text; near holds vector"):
        tl_jax.fit(SOURCE, SOURCE, **how)
    with pytest.raises(UserError, match=r"takes text; .* holds vector"):
        tl_jax.fit(f"{specs[0]}&form=counts", f"{specs[0]}&form=counts", **how)
    with pytest.raises(UserError, match="length is of hashed words; the network has word pieces of its own"):
        tl_jax.fit(f"{specs[0]}&length=5", f"{specs[0]}&length=5", **how)
    with pytest.raises(UserError, match=r"takes image; .* Networks of text: gru, text_cnn, .*minilm"):
        tl_jax.fit(*specs, **{**how, "network": "resnet18"})
    with pytest.raises(UserError, match="has 28 training examples, the batch is 32"):
        tl_jax.fit_tasks([specs[0]], network=network)


def test_strategies_find_its_blocks(network, specs):
    strategies = ("layer_decay(factor=0.5)", "scratch", "lora")
    setup = planned("inductive", network, specs[1:], strategies=strategies, labels_per_class=(4,))
    decay, scratch, lora = setup.tasks
    assert decay.rules == (("backbone/embed/*", "0.25"), ("backbone/block1/*", "0.5"))
    assert "lora/backbone/block1/attention/qkv/kernel/a" in lora.shapes
    assert setup.weights is not None
    assert not scratch.job.strategy.pretrained


@pytest.mark.slow
def test_a_run_predicts_new_texts(network, specs, tmp_path):
    settings = {"network": network, "steps": 1, "batch_size": 4, "seeds": 1, "devices": 1, "trials": "map"}
    run = tl_jax.fit(*specs, ["source_only"], run_dir=str(tmp_path / "run"), **{**FAST, "eval_every": 1, **settings})
    model = tl_jax.load(run.run_dir)
    found = predict(model, written(tmp_path / "new.csv", NEW, label=False))
    np.testing.assert_allclose(model.features(NEW), found.outputs.features, atol=1e-6)
    assert np.abs(np.diff(found.outputs.features, axis=0)).max() > 1e-3
