"""A folder as CLIP and SigLIP are published: two small towers with random weights, the word pieces a to j."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.models.files.pretrained import save
from tl_jax.models.networks import build, network

WORDS = ["<pad>", "<s>", "</s>", "[UNK]", *"abcdefghij", "photo", "of", "red", "blue"]
TOWER = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
TEXT = {**TOWER, "vocab_size": 18, "max_position_embeddings": 9}
CONFIGS = {
    "clip": {"projection_dim": 6, "text_config": {**TEXT, "eos_token_id": 2, "pad_token_id": 1}},
    "siglip": {"text_config": {**TEXT, "pad_token_id": 2}},
}
PIXELS = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.3, 0.3, 0.2], "size": {"height": 8, "width": 8}}


def published_pair(folder: Path, family: str = "clip", end: int = 17) -> Path:
    """The folder, filled; the test is skipped where the library that reads the pieces is missing.

    end: the piece at a text's end; in CLIP's old configs the last one is, whatever they say.
    """
    tokenizers = pytest.importorskip("tokenizers", reason="pip install tokenizers")
    words = {w: i for i, w in enumerate(WORDS)} | ({"</s>": end, WORDS[end]: 2} if family == "clip" else {})
    of = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    of.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    single, marks = ("<s> $A </s>", ("<s>", "</s>")) if family == "clip" else ("$A </s>", ("</s>",))
    of.post_processor = tokenizers.processors.TemplateProcessing(
        single=single, special_tokens=[(mark, words[mark]) for mark in marks]
    )
    of.save(f"{folder}/tokenizer.json")
    vision = {"vision_config": {**TOWER, "image_size": 8, "patch_size": 4}}
    (folder / "config.json").write_text(json.dumps({"model_type": family, **CONFIGS[family], **vision}))
    (folder / "preprocessor_config.json").write_text(json.dumps(PIXELS))
    _weights(folder, family)
    return folder


def _weights(folder: Path, family: str) -> None:
    from safetensors.numpy import load_file, save_file

    arrays = {"logit_scale": np.array(2.0, np.float32), "logit_bias": np.array([-1.0], np.float32)}
    for name, x in ((family, jnp.zeros((1, 8, 8, 3))), (f"{family}_text", jnp.zeros((1, 4), jnp.int32))):
        net = build(network(f"{name}(from={str(folder)!r})")(), 2)
        shapes = jax.eval_shape(net.init, jax.random.key(0), x)[0]
        rng = np.random.default_rng(0)
        params = jax.tree.map(lambda s, rng=rng: rng.normal(0, 0.5, s.shape).astype(np.float32), shapes)
        save(f"{folder}/part.safetensors", {"backbone": params["backbone"]}, {}, "huggingface")
        arrays |= load_file(f"{folder}/part.safetensors")
    (folder / "part.safetensors").unlink()
    save_file(arrays, folder / "model.safetensors")
