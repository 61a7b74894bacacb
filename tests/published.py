"""A folder as published text networks are: sizes, the word pieces a to j, random weights."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.models.networks import build, network
from tl_jax.models.pretrained import save

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
    net = build(network(f"minilm(from={str(folder)!r}, bottleneck=0)")(), 3)
    shapes = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 4), jnp.int32))[0]
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda s: rng.normal(0, 0.4, s.shape).astype(np.float32), shapes)
    save(f"{folder}/model.safetensors", params, {}, "huggingface")
    return folder
