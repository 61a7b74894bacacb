"""Names of the parameters of BERT, RoBERTa, DistilBERT, DeBERTa and ModernBERT."""

from tl_jax.models.names.layouts import SAME, SPLIT
from tl_jax.models.names.rules import Naming, Rule, fixed

QKV = ("query", "key", "value")


def _layer(block: int, *names: str) -> tuple[str, ...]:
    return tuple(f"encoder.layer.{block - 1}.{name}" for name in names)


def _qkv(block: int, word: str) -> tuple[str, ...]:
    return _layer(block, *(f"attention.self.{part}.{word}" for part in QKV))


BERT = Naming(
    (
        fixed("embed/word/embedding", "embeddings.word_embeddings.weight", SAME),
        fixed("embed/position/embedding", "embeddings.position_embeddings.weight", SAME),
        fixed("embed/type/embedding", "embeddings.token_type_embeddings.weight", SAME),
        fixed("embed/norm", "embeddings.LayerNorm"),
        Rule(r"block(\d+)/attention/qkv/kernel", lambda b: _qkv(b, "weight"), SPLIT),
        Rule(r"block(\d+)/attention/qkv/bias", lambda b: _qkv(b, "bias"), SPLIT),
        Rule(r"block(\d+)/attention/out", lambda b: _layer(b, "attention.output.dense")[0]),
        Rule(r"block(\d+)/norm1", lambda b: _layer(b, "attention.output.LayerNorm")[0]),
        Rule(r"block(\d+)/dense1", lambda b: _layer(b, "intermediate.dense")[0]),
        Rule(r"block(\d+)/dense2", lambda b: _layer(b, "output.dense")[0]),
        Rule(r"block(\d+)/norm2", lambda b: _layer(b, "output.LayerNorm")[0]),
    ),
    "head",
    "bert.",
)
"""The head is called as ours is: a published one is on top of a pooler, which the features here do not go through."""
ROBERTA = BERT._replace(prefix="roberta.")


def _distil(block: int, word: str) -> tuple[str, ...]:
    return tuple(f"transformer.layer.{block - 1}.attention.{part}_lin.{word}" for part in "qkv")


DISTILBERT = Naming(
    (
        *BERT.rules[:2],
        BERT.rules[3],
        Rule(r"block(\d+)/attention/qkv/kernel", lambda b: _distil(b, "weight"), SPLIT),
        Rule(r"block(\d+)/attention/qkv/bias", lambda b: _distil(b, "bias"), SPLIT),
        Rule(r"block(\d+)/attention/out", lambda b: f"transformer.layer.{b - 1}.attention.out_lin"),
        Rule(r"block(\d+)/norm1", lambda b: f"transformer.layer.{b - 1}.sa_layer_norm"),
        Rule(r"block(\d+)/dense(\d)", lambda b, k: f"transformer.layer.{b - 1}.ffn.lin{k}"),
        Rule(r"block(\d+)/norm2", lambda b: f"transformer.layer.{b - 1}.output_layer_norm"),
    ),
    "head",
    "distilbert.",
)


def _deberta(block: int, word: str) -> tuple[str, ...]:
    return _layer(block, *(f"attention.self.{part}_proj.{word}" for part in QKV))


DEBERTA = Naming(
    (
        BERT.rules[0],
        BERT.rules[3],
        fixed("distance", "encoder.rel_embeddings.weight", SAME),
        fixed("distance_norm", "encoder.LayerNorm"),
        Rule(r"block(\d+)/attention/qkv/kernel", lambda b: _deberta(b, "weight"), SPLIT),
        Rule(r"block(\d+)/attention/qkv/bias", lambda b: _deberta(b, "bias"), SPLIT),
        Rule(r"block(\d+)/attention/place_key", lambda b: _layer(b, "attention.self.pos_key_proj")[0]),
        Rule(r"block(\d+)/attention/place_query", lambda b: _layer(b, "attention.self.pos_query_proj")[0]),
        *BERT.rules[6:],
    ),
    "head",
    "deberta.",
)

MODERNBERT = Naming(
    (
        fixed("embed/word/embedding", "embeddings.tok_embeddings.weight", SAME),
        fixed("embed/norm", "embeddings.norm"),
        fixed("norm", "final_norm"),
        Rule(r"block(\d+)/attention/qkv", lambda b: f"layers.{b - 1}.attn.Wqkv"),
        Rule(r"block(\d+)/attention/out", lambda b: f"layers.{b - 1}.attn.Wo"),
        Rule(r"block(\d+)/norm1", lambda b: f"layers.{b - 1}.attn_norm"),
        Rule(r"block(\d+)/norm2", lambda b: f"layers.{b - 1}.mlp_norm"),
        Rule(r"block(\d+)/dense1", lambda b: f"layers.{b - 1}.mlp.Wi"),
        Rule(r"block(\d+)/dense2", lambda b: f"layers.{b - 1}.mlp.Wo"),
    ),
    "head",
    "model.",
)
