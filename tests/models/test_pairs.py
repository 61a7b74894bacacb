"""CLIP's and SigLIP's towers: files there and back, images of another size, padded texts, what is refused."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from published_pair import published_pair
from quick import QUICK

from tl_jax.core.errors import UserError
from tl_jax.models.files.pretrained import load, save
from tl_jax.models.images.pixels import rescale, sized
from tl_jax.models.networks import build, modalities, network
from tl_jax.models.parts.recipe import Pixels
from tl_jax.models.sequences.tokens import pieces


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: published_pair(tmp_path_factory.mktemp(name), name) for name in ("clip", "siglip")}


def made(call, shape, dtype=jnp.float32):
    net = build(network(call)(), 2)
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros(shape, dtype))[0]
    return net, jax.tree.map(lambda s: rng.normal(0, 0.4, s.shape).astype(np.float32), shapes)


@pytest.mark.parametrize("name", ["clip", "siglip", "clip_text", "siglip_text"])
def test_a_tower_reads_its_part_of_the_file_and_writes_it_again(name, folders, tmp_path):
    from safetensors.numpy import load_file

    place = folders[name.removesuffix("_text")]
    text = modalities(name) == ("text",)
    shape, dtype = ((1, 4), jnp.int32) if text else ((1, 8, 8, 3), jnp.float32)
    _, params = made(f"{name}(from={str(place)!r})", shape, dtype)
    got, _, report = load(str(place), params, {})
    assert not report.missing
    assert all(path.startswith("head/") for path in report.reinitialised)
    mine = ("text_", "text_model.") if text else ("vision_", "visual_")
    assert not any(path.startswith(mine) for path in report.unused)
    save(f"{tmp_path}/a.safetensors", {"backbone": got["backbone"]}, {}, "huggingface")
    before, after = load_file(place / "model.safetensors"), load_file(tmp_path / "a.safetensors")
    assert {path for path in before if path.startswith(mine)} == set(after)
    for path, array in after.items():
        np.testing.assert_array_equal(array, before[path], err_msg=path)


def test_a_longer_tower_than_the_network_is_refused(folders, tmp_path):
    from safetensors.numpy import load_file, save_file

    arrays = load_file(folders["clip"] / "model.safetensors")
    extra = {"vision_model.encoder.layers.1.mlp.fc1.bias": np.zeros(16, np.float32)}
    save_file({**arrays, **extra}, tmp_path / "longer.safetensors")
    _, params = made(f"clip(from={str(folders['clip'])!r})", (1, 8, 8, 3))
    with pytest.raises(UserError, match=r"layers.1.mlp.fc1.bias .* has no place in the network"):
        load(f"{tmp_path}/longer.safetensors", params, {})


def test_images_are_brought_to_the_size_as_pillow_does():
    image = pytest.importorskip("PIL.Image")
    bytes_ = np.random.default_rng(0).integers(80, 176, (10, 15, 3)).astype(np.uint8)
    x = jnp.asarray(bytes_[None] / 127.5 - 1, jnp.float32)
    pixels = Pixels((0.5,) * 3, (0.5,) * 3, 8, True)
    want = np.asarray(image.fromarray(bytes_).resize((12, 8), image.Resampling.BICUBIC))[:, 2:10]
    np.testing.assert_allclose(sized(x, pixels)[0], want / 127.5 - 1, atol=0.02)  # which rounds to whole numbers
    want = np.asarray(image.fromarray(bytes_).resize((8, 8), image.Resampling.BICUBIC))
    np.testing.assert_allclose(sized(x, pixels._replace(crop=False))[0], want / 127.5 - 1, atol=0.02)
    assert rescale(x[..., :1], pixels).shape == (1, 8, 8, 3)


def test_positions_are_interpolated_where_images_are_of_another_size(folders):
    place = str(folders["siglip"])
    _, params = made(f"siglip(from={place!r}, size=16)", (1, 5, 5, 3))
    got, _, report = load(place, params, {})
    assert got["backbone"]["position"].shape == (1, 16, 8)
    assert not [path for path in report.reinitialised if not path.startswith("head/")]
    plain = load(place, made(f"siglip(from={place!r})", (1, 5, 5, 3))[1], {})[0]["backbone"]["position"]
    np.testing.assert_allclose(got["backbone"]["position"].mean(1), plain.mean(1), atol=0.2)


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_what_stands_behind_the_end_changes_no_feature(name, folders):
    place = str(folders[name])
    of = network(f"{name}_text(from={place!r})")().pretrained
    net, params = made(f"{name}_text(from={place!r})", (1, 4), jnp.int32)
    run = jax.jit(lambda x: net.apply(params, {}, x)[0].features, compiler_options=QUICK)
    long, _ = pieces(of, ["a photo of b", "c d"])
    assert long[1, -1] == 0  # padding, whatever its id in the vocabulary is
    short, _ = pieces(of, ["c d"])
    np.testing.assert_allclose(run(long)[1], run(short)[0], atol=2e-6)
    other, _ = pieces(of, ["c e"])
    assert np.abs(run(other)[0] - run(short)[0]).max() > 1e-3


def test_siglip_reads_without_case_and_punctuation_where_its_tokenizer_says_so(folders, tmp_path):
    import shutil

    place = shutil.copytree(folders["siglip"], tmp_path / "copy")
    of = lambda: network(f"siglip_text(from={str(place)!r})")().pretrained
    plain = pieces(of(), ["A, b."])[0].tolist()
    (place / "tokenizer_config.json").write_text('{"tokenizer_class": "SiglipTokenizer"}')
    assert "tokenizer_config.json" in of().files
    assert pieces(of(), ["A, b."])[0].tolist() == pieces(of(), ["a b"])[0].tolist() != plain


def test_what_a_folder_says_of_images_is_read_from_either_file(folders, tmp_path):
    import shutil

    place = shutil.copytree(folders["clip"], tmp_path / "copy")
    recipe = network(f"clip(from={str(place)!r})")()
    assert recipe.pixels == Pixels((0.5, 0.4, 0.3), (0.3, 0.3, 0.2), 8, False)
    assert recipe.pretrained.files == ("config.json", "preprocessor_config.json")
    old = place / "preprocessor_config.json"
    (place / "processor_config.json").write_text(json.dumps({"image_processor": json.loads(old.read_text())}))
    old.unlink()
    assert network(f"clip(from={str(place)!r})")().pixels == recipe.pixels
    said = {"image_mean": [0.5], "image_std": [0.5], "size": {"height": 8, "width": 9}}
    old.write_text(json.dumps(said))
    with pytest.raises(UserError, match="no square of one side"):
        network(f"clip(from={str(place)!r})")()
    old.unlink()
    (place / "processor_config.json").unlink()
    with pytest.raises(UserError, match=r"there is no preprocessor_config.json in this folder"):
        network(f"clip(from={str(place)!r})")()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("siglip(from={})", r"says model_type 'clip'. Use --network='clip\(from="),
        ("clip(from={}, width=16)", "leave out those of the call"),
        ("clip_text(from={}, layers=2)", "leave out those of the call"),
        ("clip(heads=7)", "does not divide among 7 heads"),
    ],
)
def test_what_does_not_fit_a_pair_is_said(folders, call, said):
    with pytest.raises(UserError, match=said):
        network(call.format(repr(str(folders["clip"]))))()
