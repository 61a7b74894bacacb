"""Loading and saving weights: what is loaded, reported, refused."""

import json
import os
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.core.trees import flatten, unflatten
from tl_jax.models.files.pretrained import load, save
from tl_jax.models.files.weights import read
from tl_jax.models.names import NAMINGS
from tl_jax.models.networks import NETWORKS, build

NETWORK = {
    "resnet": "resnet18",
    "vgg": "vgg16",
    "mobilenet_v2": "mobilenet_v2",
    "vit": "vit_tiny",
    "convnext": "convnext_tiny",
    "swin": "swin_tiny",
    "efficientnet": "efficientnet_b0",
    "densenet": "densenet121",
}
TEXT = ("bert", "distilbert", "modernbert", "deberta_v3", "clip_text", "siglip_text")
SOUND = ("wav2vec2", "whisper_encoder", "ast")
"""Their names are in test_waves.py."""
LESS = {name: {"layers": 2, "width": 24} for name in (*TEXT, *SOUND, "clip", "siglip")}
LESS["dinov2"] = {"layers": 2, "width": 24, "patch": 16, "registers": 2}
"""Fewer layers, where their number can be said."""


@cache
def made(name="resnet18", classes=10, size=32, **arguments):
    return _made(name, classes, size, tuple((LESS.get(name, {}) | arguments).items()))


def _made(name, classes, size, arguments):
    network = build(NETWORKS[name](**({"bottleneck": 0} | dict(arguments))), classes)
    shapes = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, size, size, 3)))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda s: rng.random(s.shape, np.float32), shapes)


def zeros(tree):
    return jax.tree.map(np.zeros_like, tree)


def assert_equal(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.fixture
def file(tmp_path):
    """A ResNet-18 with 10 classes in torchvision's names."""
    path = str(tmp_path / "resnet18.safetensors")
    save(path, *made())
    return path


@pytest.mark.parametrize(
    ("architecture", "naming"),
    [(a, n) for a, table in NAMINGS.items() if a not in ("vgg", *TEXT, *SOUND) for n in [*table, "plain"]],
)
def test_what_is_saved_is_loaded(architecture, naming, tmp_path):
    params, stats = made(NETWORK.get(architecture, architecture), **LESS.get(architecture, {}))
    path = str(tmp_path / "model.safetensors")
    save(path, params, stats, naming)
    new_params, new_stats, report = load(path, zeros(params), zeros(stats))
    assert_equal(new_params, params)
    assert_equal(new_stats, stats)
    same = {("resnet", "timm"): "torchvision", ("densenet", "timm"): "torchvision", ("dinov2", "facebook"): "timm"}
    assert report.naming == same.get((architecture, naming), naming)
    assert len(report.loaded) == len(flatten(params)) + len(flatten(stats))
    assert not any((report.reinitialised, report.missing, report.unused))


@pytest.mark.parametrize("naming", NAMINGS["vgg"])
def test_the_dense_layer_after_a_map_reads_it_in_its_own_order(naming):
    from tl_jax.models.names import entries

    layout = entries(["backbone/dense1/kernel"], NAMINGS["vgg"][naming])["backbone/dense1/kernel"].layout
    rng = np.random.default_rng(0)
    theirs, image = rng.normal(size=(5, 2 * 49)), rng.normal(size=(7, 7, 2))  # 2 channels stand for 512
    ours = layout.read([theirs], (98, 5))
    np.testing.assert_allclose(image.reshape(-1) @ ours, theirs @ image.transpose(2, 0, 1).reshape(-1), rtol=1e-9)
    assert layout.write(ours)[0].reshape(5, -1).tolist() == theirs.tolist()


def test_every_name_is_used_once():
    from tl_jax.models.names import entries

    for architecture, table in NAMINGS.items():
        text = architecture in (*TEXT, *SOUND)
        x = jnp.zeros((1, 4), jnp.int32) if text else jnp.zeros((1, 32, 32, 3))
        less = LESS.get(architecture, {})
        made = NETWORKS[NETWORK.get(architecture, architecture)](bottleneck=0, **less)
        params, stats = jax.eval_shape(build(made, 10).init, jax.random.key(0), x)
        for naming in table.values():
            names = [n for e in entries(flatten(params) | flatten(stats), naming).values() for n in e.names]
            assert len(set(names)) == len(names)
            assert not any(name.startswith("backbone") for name in names)


def test_npz_and_a_folder(file, tmp_path):
    from safetensors.numpy import load_file

    np.savez(tmp_path / "model.npz", **load_file(file))
    params, stats = made()
    assert_equal(load(str(tmp_path / "model.npz"), zeros(params), zeros(stats))[0], params)
    Path(file).rename(tmp_path / "model.safetensors")
    assert_equal(load(str(tmp_path), zeros(params), zeros(stats))[1], stats)


def test_shards_are_read_as_their_index_says(file, tmp_path):
    from safetensors.numpy import load_file, save_file

    arrays, place = load_file(file), tmp_path / "folder"
    names, index = sorted(arrays), place / "model.safetensors.index.json"
    place.mkdir()
    parts = {f"model-0000{i + 1}-of-00002.safetensors": names[i::2] for i in range(2)}
    for shard, held in parts.items():
        save_file({name: arrays[name] for name in held}, place / shard)
    places = {name: shard for shard, held in parts.items() for name in held}
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    found, whole = read(str(place)).arrays, read(file).arrays
    assert found.keys() == whole.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(found[name], array)
    index.write_text(json.dumps({"weight_map": {**places, "more": "model-00001-of-00002.safetensors"}}))
    with pytest.raises(UserError, match=r"the shards lack 1 arrays of model.safetensors.index.json, such as more"):
        read(str(place))
    (place / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(UserError, match=r"names model-00002-of-00002.safetensors, which is not there"):
        read(str(place))
    index.write_text("{")
    with pytest.raises(UserError, match="Is it complete"):
        read(str(place))


def test_another_number_of_classes_keeps_the_new_head(file):
    params, stats = made(classes=31)
    new, _, report = load(file, zeros(params), zeros(stats))
    assert not np.asarray(new["head"]["kernel"]).any()
    assert_equal(new["backbone"], made()[0]["backbone"])
    assert report.reinitialised == {"head/kernel": ((512, 10), (512, 31)), "head/bias": ((10,), (31,))}
    text = str(report)
    assert "(torchvision names): 100 loaded (11,186,112 values), 2 re-initialised, 0 missing, 0 unused." in text
    assert "re-initialised: head/kernel (512, 10) -> (512, 31)" in text


def test_a_head_is_loaded_whole_or_not_at_all(file):
    params, stats = made(bottleneck=16)
    new, _, report = load(file, params, stats)
    assert_equal(new["head"], params["head"])
    assert report.reinitialised["head/bias"] == ((10,), (10,))
    assert report.reinitialised["bottleneck/dense1/kernel"] == (None, (512, 16))
    assert "bottleneck/dense1/kernel absent -> (512, 16)" in str(report)


def test_other_heads_are_saved_and_loaded_under_plain_names(tmp_path):
    params, stats = made("vit_tiny", head="weight_norm", bottleneck=8)
    path = str(tmp_path / "model.safetensors")
    save(path, params, stats, "timm")
    new, new_stats, report = load(path, zeros(params), zeros(stats))
    assert_equal(new, params)
    assert_equal(new_stats, stats)
    assert report.naming == "timm"


def test_networks_that_nobody_publishes_have_plain_names(tmp_path):
    params, stats = made("lenet")
    path = str(tmp_path / "model.safetensors")
    save(path, params, stats, "plain")
    assert_equal(load(path, zeros(params), zeros(stats))[0], params)
    with pytest.raises(UserError, match=r"Unknown naming of this network 'torchvision'\. Available: plain"):
        save(path, params, stats)


def test_a_deeper_network_is_refused_with_the_paths(file):
    params, stats = made("resnet34")
    with pytest.raises(UserError) as error:
        load(file, params, stats)
    text = str(error.value)
    assert "outside the head: backbone/stage1/block3/conv1/kernel (3, 3, 64, 64) is not in the file" in text
    assert "--allow_mismatch='backbone/stage1/block3/conv1/*'" in text
    assert "nothing was loaded" in text


def test_allowed_paths_keep_their_values(file):
    params, stats = made("resnet34")
    new, _, report = load(file, zeros(params), zeros(stats), allow_mismatch=("backbone/stage*/block[3-6]/*",))
    assert "backbone/stage3/block6/conv2/kernel" in report.missing
    assert not np.asarray(new["backbone"]["stage3"]["block6"]["conv2"]["kernel"]).any()
    assert_equal(new["backbone"]["stage1"]["block2"], made()[0]["backbone"]["stage1"]["block2"])


def test_a_shallower_network_is_refused(tmp_path):
    path = str(tmp_path / "resnet34.safetensors")
    save(path, *made("resnet34"))
    with pytest.raises(UserError, match=r"layer1.2.bn1.bias \(64,\) has no place in the network"):
        load(path, *made())
    assert load(path, *made(), allow_mismatch=("layer?.*",))[2].unused


def test_a_shape_that_differs_is_refused(file, tmp_path):
    params, stats = made()
    flat = flatten(params)
    flat["backbone/conv1/kernel"] = np.zeros((3, 3, 3, 64), np.float32)
    small = unflatten(flat)
    with pytest.raises(UserError, match=r"backbone/conv1/kernel \(7, 7, 3, 64\) != \(3, 3, 3, 64\)"):
        load(file, small, stats)
    report = load(file, small, stats, allow_mismatch=("backbone/conv1/kernel",))[2]
    assert report.reinitialised == {"backbone/conv1/kernel": ((7, 7, 3, 64), (3, 3, 3, 64))}


def test_another_architecture_is_refused(file):
    with pytest.raises(UserError, match="none of its 102 arrays is one of this network's") as error:
        load(file, *made("vit_tiny"))
    assert "'encoder." in str(error.value) or "'class_token'" in str(error.value)


def test_full_model_and_bare_backbone_of_hugging_face(tmp_path):
    from safetensors.numpy import load_file, save_file

    params, stats = made("vit_tiny")
    path = str(tmp_path / "full.safetensors")
    save(path, params, stats, "huggingface")
    bare = {k.removeprefix("vit."): v for k, v in load_file(path).items() if k.startswith("vit.")}
    save_file(bare | {"pooler.dense.bias": np.zeros(192, np.float32)}, tmp_path / "bare.safetensors")
    new, _, report = load(str(tmp_path / "bare.safetensors"), zeros(params), zeros(stats))
    assert_equal(new["backbone"], params["backbone"])
    assert set(report.unused) == {"pooler.dense.bias"}
    assert set(report.reinitialised) == {"head/kernel", "head/bias"}


def test_positions_of_another_image_size_are_interpolated(tmp_path):
    params, stats = made("vit_tiny", size=64)
    grid = np.broadcast_to(np.arange(4, dtype=np.float32).reshape(4, 1, 1), (4, 4, 192)).reshape(1, 16, 192)
    token = np.full((1, 1, 192), 9, np.float32)
    params = params | {"backbone": params["backbone"] | {"position": np.concatenate([token, grid], 1)}}
    path = str(tmp_path / "model.safetensors")
    save(path, params, stats, "timm")
    new, _, _ = load(path, *made("vit_tiny", size=128))
    position = np.asarray(new["backbone"]["position"])
    assert position.shape == (1, 65, 192)
    np.testing.assert_array_equal(position[:, 0], token[:, 0])
    rows = position[0, 1:].reshape(8, 8, 192)
    np.testing.assert_allclose(rows, np.broadcast_to(rows[:, :1, :1], rows.shape), atol=1e-5)
    np.testing.assert_allclose(rows[3:5, 0, 0].mean(), 1.5, atol=1e-5)
    assert (np.diff(rows[1:7, 0, 0]) > 0).all()


def test_half_precision_is_read(tmp_path):
    from safetensors.numpy import load_file, save_file

    params, stats = made("vit_tiny")
    path = str(tmp_path / "model.safetensors")
    save(path, params, stats, "timm")
    save_file({k: v.astype(jnp.bfloat16) for k, v in load_file(path).items()}, path)
    new = load(path, zeros(params), zeros(stats))[0]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0.01), new, params)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(new)} == {"float32"}


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    (tmp_path / "html.safetensors").write_text("<html>quota</html>")
    (tmp_path / "model.pth").write_bytes(b"x")
    cases = {
        "html.safetensors": "cannot be read as safetensors",
        "model.pth": "safetensors.torch.save_file",
        "absent.safetensors": "there is no file",
    }
    for name, words in cases.items():
        with pytest.raises(UserError, match=words):
            load(str(tmp_path / name), {}, {})
    with pytest.raises(UserError, match="pip install huggingface_hub"):
        load("timm/resnet18.a1_in1k", {}, {})


WEIGHTS = Path(os.environ.get("TL_JAX_DATA", "")) / "weights"


@pytest.mark.skipif(not (WEIGHTS / "cat.bmp").exists(), reason="TL_JAX_DATA has no weights of MobileNetV2")
def test_the_cat_is_a_cat():
    from PIL import Image

    network = build(NETWORKS["mobilenet_v2"](tf=True, bottleneck=0), 1001, form="patches")
    image = Image.open(WEIGHTS / "cat.bmp").convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
    x = jnp.asarray(np.asarray(image), jnp.float32)[None] / 127.5 - 1
    shapes = jax.eval_shape(network.init, jax.random.key(0), x)
    start = jax.tree.map(lambda s: np.zeros(s.shape, np.float32), shapes)
    params, stats, report = load(str(WEIGHTS / "mobilenet_v2_1.0_224_imagenet.safetensors"), *start)
    assert len(report.loaded) == 262
    probability = jax.nn.softmax(jax.jit(network.apply)(params, stats, x)[0].logits[0])
    assert int(probability.argmax()) == 286
    assert abs(float(probability[286]) - 0.67) < 0.01


# Files of other models, and names behind prefixes ------------------------------------------------


def renamed(path, change):
    from safetensors.numpy import load_file, save_file

    save_file({change(name): a for name, a in load_file(path).items()}, path)


PREFIXES = ("module.", "model.", "backbone.", "_orig_mod.", "encoder.", "base_model.model.", "module.encoder_q.")


@pytest.mark.parametrize("prefix", [*PREFIXES, "state_dict.", "state_dict.module.", "state_dict.model.backbone."])
def test_a_prefix_before_all_names_is_left_out_and_said(file, prefix):
    renamed(file, lambda name: prefix + name)
    params, stats = made()
    new, new_stats, report = load(file, zeros(params), zeros(stats))
    assert_equal((new, new_stats), (params, stats))
    assert f"names without '{prefix}'" in str(report)
    assert not report.unused


def test_what_is_not_behind_the_prefix_is_another_network_s(file):
    renamed(file, lambda name: name if name.startswith("fc.") else f"backbone.{name}")
    params, stats = made()
    new, _, report = load(file, zeros(params), zeros(stats))
    assert_equal(new["backbone"], params["backbone"])
    assert "names without 'backbone.'; 2 others left out" in str(report)
    assert set(report.reinitialised) == {"head/kernel", "head/bias"}


@pytest.mark.parametrize(
    ("network", "naming", "extra"),
    [
        ("resnet18", "timm", {"layer1.0.se.fc1.weight": (4, 64, 1, 1), "layer2.1.se.fc1.weight": (4, 64, 1, 1)}),
        ("vit_tiny", "timm", {"blocks.0.ls1.gamma": (192,)}),
        ("vit_tiny", "timm", {"blocks.3.attn.q_norm.weight": (64,)}),
        ("vit_tiny", "huggingface", {"vit.encoder.layer.3.attention.norm.weight": (64,)}),
        ("vit_tiny", "timm", {"norm_pre.weight": (192,)}),
        ("convnext_tiny", "torchvision", {"features.1.0.grn.gamma": (96,)}),
        ("lenet", "plain", {"lora.backbone.conv1.kernel.a": (25, 2)}),
    ],
)
def test_a_trunk_with_more_parameters_is_another_function(tmp_path, network, naming, extra):
    from safetensors.numpy import load_file, save_file

    path = str(tmp_path / "model.safetensors")
    params, stats = made(network)
    save(path, params, stats, naming)
    save_file(load_file(path) | {name: np.ones(shape, np.float32) for name, shape in extra.items()}, path)
    with pytest.raises(UserError, match="has no place in the network") as error:
        load(path, *made(network))
    assert all(name in str(error.value) for name in extra)
    assert_equal(load(path, zeros(params), zeros(stats), allow_mismatch=list(extra))[0], params)


@pytest.mark.parametrize(
    ("network", "naming", "extra"),
    [
        ("vit_tiny", "huggingface", ("vit.pooler.dense.weight", "vit.embeddings.mask_token")),
        ("resnet18", "torchvision", ("fc.2.weight", "bn1.num_batches_tracked")),
        ("vit_tiny", "transformers", ("pooler.dense.bias",)),
    ],
)
def test_what_features_do_not_go_through_may_be_left_over(tmp_path, network, naming, extra):
    from safetensors.numpy import load_file, save_file

    path = str(tmp_path / "model.safetensors")
    params, stats = made(network)
    save(path, params, stats, naming)
    save_file(load_file(path) | {name: np.ones(3, np.float32) for name in extra}, path)
    assert_equal(load(path, zeros(params), zeros(stats))[0], params)


def test_a_folder_of_pickled_weights_gets_the_line_that_converts_them(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    for path in (tmp_path, tmp_path / "pytorch_model.bin"):
        with pytest.raises(UserError, match=r"torch\.load\('.*pytorch_model\.bin'.*model\.safetensors'\)"):
            load(str(path), *made())
