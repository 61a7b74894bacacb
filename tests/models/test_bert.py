"""Published text encoders: a block against NumPy, sizes and pieces from a folder, and what is refused."""

import json
import shutil
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from published import CONFIG, published
from quick import QUICK
from scipy.special import erf

from tl_jax.core.errors import UserError
from tl_jax.core.trees import flatten
from tl_jax.models.files.pretrained import load, save
from tl_jax.models.networks import NETWORKS, build, network
from tl_jax.models.parts.recipe import Pretrained
from tl_jax.models.sequences.deberta import Distances, skewed
from tl_jax.models.sequences.modernbert import rotated
from tl_jax.models.sequences.tokens import pieces

SMALL = {"vocabulary": 30, "width": 8, "heads": 2, "layers": 1, "bottleneck": 0}


@cache
def made(name):
    net = build(NETWORKS[name](**SMALL, pooling="mean"), 3)
    shapes = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 4), jnp.int32))[0]
    rng = np.random.default_rng(1)
    return net, jax.tree.map(lambda s: rng.normal(0, 0.4, s.shape).astype(np.float32), shapes)


@cache
def run(name):
    net, _ = made(name)
    return jax.jit(lambda params, x: net.apply(params, {}, x)[0].features, compiler_options=QUICK)


def norm(x, p, epsilon):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + epsilon) * p["scale"] + p["bias"]


def straight(p, ids, mask, epsilon=1e-12):
    """Embeddings and one block of one text [t] in float64, two heads of four."""
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), p)["backbone"]
    dense = lambda x, q: x @ q["kernel"] + q["bias"]
    e, b = p["embed"], p["block1"]
    x = e["word"]["embedding"][ids] + e["position"]["embedding"][: len(ids)] + e["type"]["embedding"][0]
    x = norm(x, e["norm"], epsilon)
    q, k, v = np.split(dense(x, b["attention"]["qkv"]), 3, axis=1)
    heads = []
    for part in (slice(0, 4), slice(4, 8)):
        a = np.exp(q[:, part] @ k[:, part].T / 2) * mask
        heads.append(a / a.sum(1, keepdims=True) @ v[:, part])
    x = norm(x + dense(np.concatenate(heads, 1), b["attention"]["out"]), b["norm1"], epsilon)
    h = dense(x, b["dense1"])
    x = norm(x + dense(h * (1 + erf(h / np.sqrt(2))) / 2, b["dense2"]), b["norm2"], epsilon)
    return (x * mask[:, None]).sum(0) / mask.sum()


def test_a_block_is_what_the_equations_say():
    ids = np.array([[5, 9, 2, 7, 0, 0], [4, 3, 8, 1, 6, 2]], np.int32)
    params = made("minilm")[1]
    want = [straight(params, row, (row != 0).astype(float)) for row in ids]
    np.testing.assert_allclose(run("minilm")(params, ids), want, atol=2e-6)


def test_roberta_counts_no_padding_and_exchanges_its_id_with_0():
    params = made("roberta")[1]  # of whose vocabulary 1 is padding: here 1 is what it calls 0
    ids = np.array([[1, 5, 7, 0, 0], [0, 0, 1, 5, 7]], np.int32)
    got = run("roberta")(params, ids)
    table = params["backbone"]["embed"]["word"]["embedding"]
    told = []
    for row in (0, 1):
        noise = (np.arange(30) == row)[:, None] * np.arange(8.0)
        other = jax.tree.map(lambda a, noise=noise: a if a is not table else np.float32(a + noise), params)
        told.append(np.abs(run("roberta")(other, ids)[0] - got[0]).max())
    assert told[0] > 1e-2
    assert told[1] < 1e-6
    np.testing.assert_allclose(got[0], got[1], atol=2e-6)


def test_places_are_turns_of_pairs_and_only_their_distance_is_seen():
    x = np.random.default_rng(0).normal(size=(1, 5, 2, 4)).astype(np.float32)
    got = np.asarray(rotated(jnp.asarray(x), 100.0))
    for t in range(5):
        for i, angle in enumerate((t, t / 10)):  # 100^(-2i/4)
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            np.testing.assert_allclose(got[0, t, :, [i, i + 2]], turn @ x[0, t, :, [i, i + 2]], atol=1e-6)
    same = np.asarray(rotated(jnp.asarray(np.repeat(x[:, :1], 5, axis=1)), 100.0))[0, :, 0]
    np.testing.assert_allclose(same[0] @ same[2], same[2] @ same[4], atol=1e-5)


def test_distances_are_apart_when_near_and_in_logarithms_when_far():
    far = Distances(buckets=8, furthest=33)
    got = far.row(np.array([0, 1, 3, 4, 5, 8, 9, 16, 32, 99, -1, -4, -5, -99])) - 8
    assert got.tolist() == [0, 1, 3, 4, 5, 5, 6, 6, 7, 7, -1, -4, -5, -8]
    assert Distances(buckets=0, furthest=5).row(np.array([-9, -2, 4, 9])).tolist() == [0, 3, 9, 9]
    x = np.arange(2 * 3 * 5).reshape(2, 3, 5)
    want = [[[row[i, j - i + 2] for j in range(3)] for i in range(3)] for row in x]
    assert np.asarray(skewed(jnp.asarray(x))).tolist() == want


@pytest.mark.parametrize("name", ["bert", "roberta", "distilbert", "modernbert", "deberta_v3"])
def test_names_of_the_files_go_there_and_back(name, tmp_path):
    params = made(name)[1]
    save(f"{tmp_path}/a.safetensors", params, {}, "huggingface" if name != "roberta" else "roberta")
    got, _, report = load(f"{tmp_path}/a.safetensors", jax.tree.map(np.zeros_like, params), {})
    jax.tree.map(np.testing.assert_array_equal, got, params)
    assert not any((report.unused, report.missing, report.reinitialised))
    shown = ("embed", "block1", "norm", "distance", "distance_norm")
    assert all(path.split("/")[1] in shown for path in flatten(params) if "backbone" in path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return published(tmp_path_factory.mktemp("published"))


def test_texts_become_pieces_with_zeros_behind_them(folder):
    of = Pretrained(str(folder), 5, 0, 14)
    ids, cut = pieces(of, ["a b", "c zz e f g h", ""])
    assert ids.tolist() == [[1, 4, 5, 2, 0], [1, 6, 3, 8, 2], [1, 2, 0, 0, 0]]
    assert (cut, ids.dtype) == (1, np.int32)
    assert pieces(of._replace(pad=1), ["a b"])[0].tolist() == [[0, 4, 5, 2]]  # whose start would be padding: exchanged
    with pytest.raises(UserError, match=r"knows the piece 8, its config.json says 6 pieces"):
        pieces(of._replace(vocabulary=6), ["a e"])


def test_sizes_are_those_of_the_folder(folder):
    recipe = network(f"minilm(from={str(folder)!r}, length=99)")()
    assert recipe.pretrained == Pretrained(str(folder), 20, 0, 14)  # no more pieces than there are places
    assert recipe.backbone(jnp.float32, "lax").pooling == "mean"
    shapes = jax.eval_shape(build(recipe, 3).init, jax.random.key(0), jnp.zeros((1, 4), jnp.int32))[0]
    assert shapes["backbone"]["block1"]["dense1"]["kernel"].shape == (8, 16)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("roberta(from={})", r"says model_type 'bert'. Use --network='bert\(from="),
        ("bert(from={}, width=12)", "leave out those of the call"),
        ("bert(from={}, pooling='max')", "Unknown pooling 'max'"),
        ("bert(from='nowhere/at/all')", "there is no such folder"),
        ("bert(width=9)", "does not divide among 12 heads"),
    ],
)
def test_what_does_not_fit_is_said(folder, call, said):
    with pytest.raises(UserError, match=said):
        network(call.format(repr(str(folder))))()


def test_files_that_are_not_there_are_named(folder, tmp_path):
    folder = shutil.copytree(folder, tmp_path / "copy")
    make = network(f"bert(from={str(folder)!r})")
    (folder / "config.json").write_text(json.dumps(CONFIG | {"hidden_act": "swish"}))
    with pytest.raises(UserError, match="Unknown activation of bert 'swish'"):
        make()
    (folder / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"says model_type ''. Known are bert"):
        make()
    (folder / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match="does not say 'vocab_size'"):
        make()
    (folder / "tokenizer.json").rename(folder / "vocab.txt")
    with pytest.raises(UserError, match=r"no tokenizer.json in this folder .* It has vocab.txt alone: AutoTokenizer"):
        pieces(Pretrained(str(folder), 5, 0, 14), ["a"])


def test_of_deberta_it_is_the_third_that_is_known(tmp_path):
    of = {"relative_attention": True, "position_biased_input": False, "pos_att_type": "p2c|c2p", "type_vocab_size": 0}
    say = lambda **more: (tmp_path / "config.json").write_text(
        json.dumps({**CONFIG, **of, "model_type": "deberta-v2", **more})
    )
    make = network(f"deberta_v3(from={str(tmp_path)!r}, length=99)")
    say(position_buckets=4, share_att_key=True, norm_rel_ebd="layer_norm")
    found = make().backbone(jnp.float32, "lax")
    assert (found.far, found.sizes.epsilon) == (Distances(4, 20, ("p2c", "c2p"), True, True), 1e-7)
    assert make().pretrained == Pretrained(str(tmp_path), 20, 0, 14)
    for name, value in (("conv_kernel_size", 3), ("position_biased_input", True), ("embedding_size", 4)):
        say(**{name: value})
        with pytest.raises(UserError, match=f"config.json with {name} {value} is of another network"):
            make()
    (tmp_path / "spm.model").write_text("")
    with pytest.raises(UserError, match=r"no tokenizer.json in this folder .* It has spm.model alone: AutoTokenizer"):
        pieces(Pretrained(str(tmp_path), 5, 0, 14), ["a"])


def test_without_the_library_the_line_that_installs_it_is_said(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(UserError, match="pip install tokenizers"):
        pieces(Pretrained(str(folder), 5, 0, 14), ["a"])
