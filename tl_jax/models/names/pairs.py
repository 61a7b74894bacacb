"""Names of the parameters of CLIP and SigLIP: a tower for images and one for texts."""

from tl_jax.models.names.layouts import KERNEL, SAME, SPLIT, TOKEN, grid
from tl_jax.models.names.rules import Naming, Rule, fixed


def _blocks(tower: str) -> tuple[Rule, ...]:
    layer = lambda b: f"{tower}.encoder.layers.{b - 1}"
    qkv = lambda b, word: tuple(f"{layer(b)}.self_attn.{part}_proj.{word}" for part in "qkv")
    return (
        Rule(r"block(\d+)/norm(\d)", lambda b, k: f"{layer(b)}.layer_norm{k}"),
        Rule(r"block(\d+)/attention/qkv/kernel", lambda b: qkv(b, "weight"), SPLIT),
        Rule(r"block(\d+)/attention/qkv/bias", lambda b: qkv(b, "bias"), SPLIT),
        Rule(r"block(\d+)/attention/out", lambda b: f"{layer(b)}.self_attn.out_proj"),
        Rule(r"block(\d+)/dense(\d)", lambda b, k: f"{layer(b)}.mlp.fc{k}"),
    )


def _text(projection: str) -> tuple[Rule, ...]:
    return (
        fixed("embed/word/embedding", "text_model.embeddings.token_embedding.weight", SAME),
        fixed("embed/position/embedding", "text_model.embeddings.position_embedding.weight", SAME),
        *_blocks("text_model"),
        fixed("norm", "text_model.final_layer_norm"),
        fixed("projection", projection),
    )


IMAGE, TEXT = r"vision_model\.|visual_projection\.|logit_", r"text_model\.|text_projection\.|logit_"
"""The other tower's arrays, and the scale between the two."""
CLIP = Naming(
    (
        fixed("class_token", "vision_model.embeddings.class_embedding", TOKEN),
        fixed("position", "vision_model.embeddings.position_embedding.weight", grid(1)),
        fixed("embed", "vision_model.embeddings.patch_embedding"),
        fixed("pre_norm", "vision_model.pre_layrnorm"),
        *_blocks("vision_model"),
        fixed("norm", "vision_model.post_layernorm"),
        fixed("projection", "visual_projection"),
    ),
    "head",
    beside=TEXT,
)
POOL = "vision_model.head"
SIGLIP = Naming(
    (
        fixed("position", "vision_model.embeddings.position_embedding.weight", grid(0)),
        fixed("embed", "vision_model.embeddings.patch_embedding"),
        *_blocks("vision_model"),
        fixed("norm", "vision_model.post_layernorm"),
        fixed("pool/probe", f"{POOL}.probe"),
        fixed("pool/qkv/kernel", f"{POOL}.attention.in_proj_weight", KERNEL),
        fixed("pool/qkv/bias", f"{POOL}.attention.in_proj_bias"),
        fixed("pool/out", f"{POOL}.attention.out_proj"),
        fixed("pool/norm", f"{POOL}.layernorm"),
        Rule(r"pool/dense(\d)", lambda k: f"{POOL}.mlp.fc{k}"),
    ),
    "head",
    beside=TEXT,
)
CLIP_TEXT = Naming(_text("text_projection"), "head", beside=IMAGE)
SIGLIP_TEXT = Naming(_text("text_model.head"), "head", beside=IMAGE)
