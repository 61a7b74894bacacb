"""DeBERTa v3 (He et al. 2021, arXiv 2111.09543): attention to words and, apart from it, to how far they are."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from tl_jax.core.errors import require
from tl_jax.core.types import Array
from tl_jax.models.files.published import (
    Sizes,
    bert_sizes,
    check_alone,
    check_stack,
    in_vocabulary,
    published,
    unknown_parts,
)
from tl_jax.models.parts.attention import attend
from tl_jax.models.parts.layers import Dropout
from tl_jax.models.parts.masks import masked_mean, valid
from tl_jax.models.parts.recipe import Frozen, Pretrained, Recipe
from tl_jax.models.parts.transformer import INIT, Block, dense, layer_norm
from tl_jax.models.sequences.bert import POOLING, Rest, blocks


class Distances(NamedTuple):
    """How far apart is told apart: `buckets` to either side (0: each distance), the last beginning at `furthest`.

    kinds: which pairs attend, words to distances ("c2p") and distances to words ("p2c"); shared: by the projections of
    words; normed: whether the table of distances is normalised.
    """

    buckets: int = 256
    furthest: int = 512
    kinds: tuple[str, ...] = ("c2p", "p2c")
    shared: bool = True
    normed: bool = True

    @property
    def span(self) -> int:
        """Rows of the table to either side."""
        return self.buckets or self.furthest

    def row(self, distance: np.ndarray) -> np.ndarray:
        """The row of the table for distances i - j: up to half the buckets each its own, then in logarithms."""
        mid, far = self.buckets // 2, np.abs(distance)
        if self.buckets:
            with np.errstate(divide="ignore"):
                share = np.log(far.astype(np.float32) / mid) / np.log(np.float32((self.furthest - 1) / mid))
            far = np.where(far <= mid, far, np.ceil(share * np.float32(mid - 1)) + mid)
        return np.clip(np.sign(distance) * far + self.span, 0, 2 * self.span - 1).astype(np.int32)


def skewed(x: Array) -> Array:
    """y_ij = x_i,(j - i + t - 1) of x [..., t, 2 t - 1] -> [..., t, t], by reshapes: a gather's slope is a scatter."""
    t = x.shape[-2]
    x = jnp.pad(x, (*((0, 0),) * (x.ndim - 1), (0, 1))).reshape(*x.shape[:-2], 2 * t * t)
    return x[..., t - 1 :][..., : t * (2 * t - 1)].reshape(*x.shape[:-1], t, 2 * t - 1)[..., :t]


class Attention(nn.Module):
    """Softmax((q_i k_j + q_i K_(i-j) + Q_(i-j) k_j) / sqrt(3 d)) v_j for every head; K and Q of the distances."""

    sizes: Sizes
    far: Distances
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, table: Array, mask: Array, train: bool) -> Array:
        """x [n, t, d], table [2 span, d], mask [n, t] -> [n, t, d]."""
        (n, t, d), h = x.shape, self.sizes.heads
        wide = lambda width, name: dense(width, self.dtype, name)
        heads = lambda y: y.reshape(*y.shape[:-1], -1, h, d // h)
        qkv = wide(3 * d, "qkv")
        q, k, v = (heads(qkv(x))[:, :, i] for i in range(3))
        table = Dropout(self.dropout, name="dropout1")(table, train)
        places = jnp.split(qkv(table), 3, axis=-1)[:2] if self.far.shared else (None, None)
        scale, bias = (d // h * (1 + len(self.far.kinds))) ** -0.5, jnp.zeros((), self.dtype)
        rows = self.far.row(np.arange(1 - t, t))
        if "c2p" in self.far.kinds:
            key = places[1] if self.far.shared else wide(d, "place_key")(table)
            bias = bias + skewed(jnp.einsum("nihd,ehd->nhie", q, heads(key)[rows[::-1], 0]))
        if "p2c" in self.far.kinds:
            query = places[0] if self.far.shared else wide(d, "place_query")(table)
            bias = bias + skewed(jnp.einsum("njhd,ehd->nhje", k, heads(query)[rows, 0])).swapaxes(-1, -2)
        bias = jnp.broadcast_to(bias * scale, (n, h, t, t))
        y = attend(q, k, v, bias=bias, mask=mask[:, None, None] > 0, scale=scale)
        return wide(d, "out")(y.reshape(n, t, d))


class Apart(Block):
    """BERT's block with attention that knows how far places are apart; seen: table [2 span, d] and mask [n, t]."""

    sizes: Sizes
    far: Distances

    def attend(self, x: Array, seen: Any, train: bool) -> Array:
        """Attention among x [n, t, d]."""
        table, mask = seen
        return Attention(self.sizes, self.far, self.dropout, self.dtype, name="attention")(x, table, mask, train)


class Embed(nn.Module):
    """norm(word), 0 where there is none, then dropout."""

    sizes: Sizes
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, mask: Array, train: bool) -> Array:
        """x [n, t] ids, mask [n, t] -> [n, t, d]."""
        size = self.sizes
        word = nn.Embed(size.vocabulary, size.width, embedding_init=INIT, dtype=self.dtype, name="word")
        y = layer_norm(self.dtype, "norm", size.epsilon)(word(in_vocabulary(x, size)))
        return Dropout(self.dropout, name="dropout1")(y * mask[:, :, None].astype(y.dtype), train)


class Encoder(nn.Module):
    """Embeddings, a table of distances for all blocks, and the first place or the mean over the words."""

    sizes: Sizes
    far: Distances
    pooling: str
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, t] ids -> [n, width]."""
        mask, size = valid(x), self.sizes
        x = Embed(size, self.dropout, self.dtype, name="embed")(x, mask, train)
        table = self.param("distance", INIT, (2 * self.far.span, size.width)).astype(self.dtype)
        if self.far.normed:
            table = layer_norm(self.dtype, "distance_norm", size.epsilon)(table)
        for i in range(1, size.layers + 1):
            block = Apart(blocks(size), self.dropout, self.dtype, size, self.far, name=f"block{i}")
            x = block(x, (table, mask), train)
        return x[:, 0] if self.pooling == "cls" else masked_mean(x, mask)


USUAL = Sizes(128100, 768, 12, 12, 3072, types=0, epsilon=1e-7)
PUBLISHED = {"relative_attention": True, "position_biased_input": False, "type_vocab_size": 0, "conv_kernel_size": 0}
"""What version 3 has of what a config.json can say of the second's network."""


def _read(config: Mapping[str, Any]) -> tuple[Sizes, Distances]:
    said = {"relative_attention": False, "position_biased_input": True, **config}
    width = config["hidden_size"]
    head = {"embedding_size": width, "attention_head_size": width // config["num_attention_heads"]}
    unknown_parts(said, {**PUBLISHED, **head})
    kinds = config.get("pos_att_type") or ()
    kinds = tuple(kinds.lower().split("|")) if isinstance(kinds, str) else tuple(kinds)
    furthest = config.get("max_relative_positions", -1)
    return bert_sizes(config)._replace(types=0, epsilon=config.get("layer_norm_eps", 1e-7)), Distances(
        max(0, config.get("position_buckets", -1)),
        furthest if furthest > 0 else config["max_position_embeddings"],
        tuple(kind.strip() for kind in kinds),
        config.get("share_att_key", False),
        "layer_norm" in config.get("norm_rel_ebd", "none").lower(),
    )


def deberta_v3(
    *,
    from_: str = "",
    pooling: str = "cls",
    length: int = 256,
    vocabulary: int = 128100,
    width: int = 768,
    layers: int = 12,
    heads: int = 12,
    dropout: float = 0.1,
    bottleneck: int = 256,
    head: str = "linear",
) -> Recipe:
    """DeBERTa v3 (He et al. 2021, arXiv 2111.09543): ids [n, t] int32, 0 is padding; how far words are apart is in
    buckets of logarithms.

    from: a folder with config.json, tokenizer.json and model.safetensors, or its name on the hub: sizes, word pieces
    and weights are those. pooling: "cls" (the first place) or "mean" over the words; length: pieces of a text at most.
    """
    rest, given = Rest(pooling, length, dropout, bottleneck, head), (vocabulary, width, layers, heads)
    require("pooling", pooling, POOLING)
    sizes, far, begin = USUAL._replace(**dict(zip(Sizes._fields, given, strict=False))), Distances(), None
    if from_:
        check_alone("deberta_v3", from_, given, USUAL[:4])
        sizes, far = published("deberta_v3", from_, _read)
        begin = Pretrained(from_, min(length, sizes.positions), sizes.pad, sizes.vocabulary)
    else:
        sizes = sizes._replace(hidden=USUAL.hidden * width // USUAL.width)
    check_stack("deberta_v3", sizes)
    make = lambda dtype, form: Encoder(sizes, far, rest.pooling, rest.dropout, dtype)
    return Recipe(make, rest.bottleneck, rest.head, pretrained=begin, trims=True)
