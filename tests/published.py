"""Folders as published networks are: sizes, random weights; of a text network the word pieces a to j."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.models.files.pretrained import save
from tl_jax.models.networks import build, network

WORDS = ["<pad>", "<s>", "</s>", "[UNK]", *"abcdefghij"]
CONFIG = {
    "model_type": "bert", "vocab_size": 14, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 16, "max_position_embeddings": 20, "pad_token_id": 0,
}  # fmt: skip


def published(folder: Path) -> Path:
    """The folder, filled; the test is skipped where the library that reads the pieces is missing."""
    tokenizers = pytest.importorskip("tokenizers", reason="pip install tokenizers")
    of = tokenizers.Tokenizer(tokenizers.models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    of.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    of.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    of.enable_padding(length=12)  # what a file says of padding is not what is done here
    of.save(f"{folder}/tokenizer.json")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return _with_weights(folder, "minilm", jnp.zeros((1, 4), jnp.int32))


LAYERS = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12}
SOUND = {
    "wav2vec2": {
        "model_type": "wav2vec2", **LAYERS, "conv_dim": [4] * 7, "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
        "conv_stride": [5, 2, 2, 2, 2, 2, 2], "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2,
    },
    "whisper_encoder": {
        "model_type": "whisper", "d_model": 8, "encoder_layers": 1, "encoder_attention_heads": 2,
        "encoder_ffn_dim": 12, "num_mel_bins": 20, "max_source_positions": 50,
    },
    "ast": {"model_type": "audio-spectrogram-transformer", **LAYERS, "max_length": 98, "num_mel_bins": 20},
}  # fmt: skip
SOUND["hubert"] = SOUND["wav2vec2"] | {
    "model_type": "hubert",
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
}
HEARS = {"whisper_encoder": {"feature_size": 20, "chunk_length": 1}, "ast": {"num_mel_bins": 20, "max_length": 98}}


def sounding(folder: Path, name: str) -> Path:
    """The folder of a published network for sound, filled; Whisper hears a second of it, the spectrogram is as long."""
    (folder / "config.json").write_text(json.dumps(SOUND[name]))
    (folder / "preprocessor_config.json").write_text(json.dumps({"sampling_rate": 16000, **HEARS.get(name, {})}))
    return _with_weights(folder, name, jnp.zeros((1, 4000)))


def _with_weights(folder: Path, name: str, x: jax.Array) -> Path:
    net = build(network(f"{name}(from={str(folder)!r}, bottleneck=0)")(), 3)
    shapes = jax.eval_shape(net.init, jax.random.key(0), x)[0]
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda s: rng.normal(0, 0.4, s.shape).astype(np.float32), shapes)
    save(f"{folder}/model.safetensors", params, {}, "hubert" if name == "hubert" else "huggingface")
    return folder
