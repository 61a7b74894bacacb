"""CLIP and SigLIP agree with transformers: features of images and of texts, and the logits between them."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.models.files.pretrained import load
from tl_jax.models.networks import build, network
from tl_jax.models.zero_shot import logits, opened, scale_of

TOWER = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 50}
TEXT = {**TOWER, "hidden_size": 32, "num_attention_heads": 4, "vocab_size": 40, "max_position_embeddings": 9}
IMAGE = {**TOWER, "image_size": 16, "patch_size": 8}
CASES = {
    "clip": ("CLIP", {"eos_token_id": 39}, {"projection_dim": 20}),
    "clip before 2023": ("CLIP", {"eos_token_id": 2}, {"projection_dim": 20}),
    "siglip": ("Siglip", {"projection_size": 24}, {}),
}
LENGTHS = (9, 5, 3)
PIXELS = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.25], "do_center_crop": True}


def made(case, folder):
    """transformers' model with random weights, saved with what its images are like."""
    torch = pytest.importorskip("torch", reason="torch is not installed: nothing to compare with")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: nothing to compare with")
    kind, text, rest = CASES[case]
    config = getattr(transformers, f"{kind}Config")(text_config={**TEXT, **text}, vision_config=IMAGE, **rest)
    torch.manual_seed(0)
    model = getattr(transformers, f"{kind}Model")(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.3 * (parameter.ndim == 1), 0.3)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({**PIXELS, "size": 16, "crop_size": 16}))
    return torch, model


def features(name, folder, x):
    """Ours of images or ids, with the folder's weights; the recipe."""
    recipe = network(f"{name}(from={str(folder)!r})")()
    net = build(recipe, 2)
    shapes = jax.eval_shape(net.init, jax.random.key(0), x)
    params, stats, report = load(str(folder), *jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes))
    assert {path.split("/")[0] for path in report.reinitialised} == {"head"}
    return np.asarray(net.apply(params, stats, x)[0].features), recipe


@pytest.mark.parametrize("case", CASES)
def test_features_and_logits_are_those_of_transformers(case, tmp_path):
    torch, model = made(case, tmp_path)
    name, rng = case.split()[0], np.random.default_rng(0)
    end = 1 if name == "siglip" else 39
    texts = [np.append(rng.integers(3, 39, n - 1), end) for n in LENGTHS]
    texts[1][0] = 0  # a piece like any other
    ids = np.stack([np.pad(one, (0, 9 - len(one)), constant_values=end) for one in texts])
    x = rng.uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32)
    seen = ((x + 1) / 2 - np.array(PIXELS["image_mean"])) / np.array(PIXELS["image_std"])
    with torch.no_grad():
        pixels = torch.tensor(seen.transpose(0, 3, 1, 2), dtype=torch.float32)
        want = model(input_ids=torch.tensor(ids), pixel_values=pixels)
        plain = [model.get_text_features(torch.tensor(one[None])).pooler_output[0].numpy() for one in texts]
        raw = model.get_image_features(pixels).pooler_output.numpy()
        padded = model.get_text_features(torch.tensor(ids)).pooler_output.numpy()
    image, _ = features(name, tmp_path, jnp.asarray(x))
    np.testing.assert_allclose(image, raw, atol=1e-4)
    pad = features(f"{name}_text", tmp_path, jnp.zeros((1, 9), jnp.int32))[1].pretrained.pad
    ours = lambda ids: jnp.asarray(np.where(ids == pad, 0, np.where(ids == 0, pad, ids)), jnp.int32)
    text, _ = features(f"{name}_text", tmp_path, ours(ids))
    np.testing.assert_allclose(text, padded, atol=1e-4)
    for i, one in enumerate(texts if name == "clip" else texts[:1]):  # SigLIP's are always filled up
        np.testing.assert_allclose(features(f"{name}_text", tmp_path, ours(one[None]))[0][0], plain[i], atol=1e-4)
    got = logits(image, text, scale_of(opened(name, str(tmp_path))))
    np.testing.assert_allclose(got, want.logits_per_image.numpy(), atol=1e-4)
