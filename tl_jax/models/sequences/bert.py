"""BERT and its kin for token ids [n, t] int32, 0 being padding: sizes as given, or as a published folder says."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.errors import UserError, require
from tl_jax.core.types import Array
from tl_jax.models.files.published import Sizes, check_alone, check_stack, every_third, in_vocabulary, published
from tl_jax.models.parts.layers import Dropout
from tl_jax.models.parts.masks import masked_mean, valid
from tl_jax.models.parts.recipe import Frozen, Pretrained, Recipe
from tl_jax.models.parts.transformer import INIT, Block, Layers, layer_norm
from tl_jax.models.sequences.modernbert import Modern

POOLING = ("cls", "mean")


class Embed(nn.Module):
    """norm(word + position + type 0), then dropout."""

    sizes: Sizes
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, mask: Array, train: bool) -> Array:
        """x [n, t] ids, mask [n, t] -> [n, t, d]. Raises UserError for more places than there are."""
        size, t = self.sizes, x.shape[1]
        if t > (most := size.positions - size.first):
            raise UserError(f"Texts of {t} word pieces: this network has {most} places. Use length={most} or less.")
        table = lambda rows, name: nn.Embed(rows, size.width, embedding_init=INIT, dtype=self.dtype, name=name)
        x = in_vocabulary(x, size)
        place = jnp.arange(t)[None]
        if size.first:  # as RoBERTa counts: padding has no place
            place = (jnp.cumsum(mask, axis=1) * mask).astype(jnp.int32) + size.first - 1
        y = table(size.vocabulary, "word")(x) + table(size.positions, "position")(place)
        if size.types:
            y = y + table(size.types, "type")(jnp.zeros((1, 1), jnp.int32))
        return Dropout(self.dropout, name="dropout1")(layer_norm(self.dtype, "norm", size.epsilon)(y), train)


def blocks(size: Sizes) -> Layers:
    """BERT's blocks normalise what comes out of each part."""
    return Layers(size.width, size.layers, size.heads, size.hidden, size.epsilon, size.activation, first=False)


class Encoder(nn.Module):
    """Embeddings, blocks, and the first place or the mean over the words (see `bert`)."""

    sizes: Sizes
    pooling: str
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, t] ids -> [n, width]."""
        mask = valid(x)
        x = Embed(self.sizes, self.dropout, self.dtype, name="embed")(x, mask, train)
        for i in range(1, self.sizes.layers + 1):
            x = Block(blocks(self.sizes), self.dropout, self.dtype, name=f"block{i}")(x, mask, train)
        return x[:, 0] if self.pooling == "cls" else masked_mean(x, mask)


class Rest(NamedTuple):
    """What a user may choose of a published network, too."""

    pooling: str
    length: int
    dropout: float
    bottleneck: int
    head: str


USUAL: dict[str, Sizes] = {
    "bert": Sizes(30522, 768, 12, 12, 3072),
    "roberta": Sizes(50265, 768, 12, 12, 3072, 514, 1, 1e-5, pad=1, first=2),
    "distilbert": Sizes(30522, 768, 6, 12, 3072, types=0),
    "minilm": Sizes(30522, 384, 6, 12, 1536),
    "modernbert": Sizes(50368, 768, 22, 12, 1152, 8192, 0, 1e-5, pad=50283, local=every_third(22)),
}
"""What the networks are without a folder, but for the sizes that are given."""


def _made(family: str, from_: str, given: tuple[int, int, int, int], rest: Rest) -> Recipe:
    """given: vocabulary, width, layers, heads. Raises UserError where these and the folder do not go together."""
    require("pooling", rest.pooling, POOLING)
    sizes, length, begin = USUAL[family], rest.length, None
    if from_:
        check_alone(family, from_, given, sizes[:4])
        sizes = published(family, from_)
        length = min(length, sizes.positions - sizes.first)
        begin = Pretrained(from_, length, sizes.pad, sizes.vocabulary)
    else:
        places = max(sizes.positions, length + sizes.first)
        hidden = sizes.hidden * given[1] // sizes.width
        local = every_third(given[2]) if sizes.local else ()
        sizes = Sizes(*given, hidden, places, *sizes[6:])._replace(pad=sizes.pad % given[0], local=local)
    check_stack(family, sizes)
    encoder = Modern if family == "modernbert" else Encoder
    make = lambda dtype, form: encoder(sizes, rest.pooling, rest.dropout, dtype)
    return Recipe(make, rest.bottleneck, rest.head, pretrained=begin, trims=True)


def bert(
    *,
    from_: str = "",
    pooling: str = "cls",
    length: int = 256,
    vocabulary: int = 30522,
    width: int = 768,
    layers: int = 12,
    heads: int = 12,
    dropout: float = 0.1,
    bottleneck: int = 256,
    head: str = "linear",
) -> Recipe:
    """BERT (Devlin et al. 2019, arXiv 1810.04805): ids [n, t] int32, 0 is padding, all below `vocabulary`.

    from: a folder with config.json, tokenizer.json and model.safetensors, or its name on the hub: sizes, word pieces
    and weights are those. pooling: "cls" (the first place) or "mean" over the words; length: pieces of a text at most.
    """
    rest = Rest(pooling, length, dropout, bottleneck, head)
    return _made("bert", from_, (vocabulary, width, layers, heads), rest)


def roberta(
    *,
    from_: str = "",
    pooling: str = "cls",
    length: int = 256,
    vocabulary: int = 50265,
    width: int = 768,
    layers: int = 12,
    heads: int = 12,
    dropout: float = 0.1,
    bottleneck: int = 256,
    head: str = "linear",
) -> Recipe:
    """RoBERTa (Liu et al. 2019, arXiv 1907.11692): a BERT in whose positions padding does not count."""
    rest = Rest(pooling, length, dropout, bottleneck, head)
    return _made("roberta", from_, (vocabulary, width, layers, heads), rest)


def distilbert(
    *,
    from_: str = "",
    pooling: str = "cls",
    length: int = 256,
    vocabulary: int = 30522,
    width: int = 768,
    layers: int = 6,
    heads: int = 12,
    dropout: float = 0.1,
    bottleneck: int = 256,
    head: str = "linear",
) -> Recipe:
    """DistilBERT (Sanh et al. 2019, arXiv 1910.01108): BERT with half the layers and no segments."""
    rest = Rest(pooling, length, dropout, bottleneck, head)
    return _made("distilbert", from_, (vocabulary, width, layers, heads), rest)


def minilm(
    *,
    from_: str = "",
    pooling: str = "mean",
    length: int = 256,
    vocabulary: int = 30522,
    width: int = 384,
    layers: int = 6,
    heads: int = 12,
    dropout: float = 0.1,
    bottleneck: int = 256,
    head: str = "linear",
) -> Recipe:
    """MiniLM (Wang et al. 2020, arXiv 2002.10957): a narrow BERT, whose sentence models take the mean."""
    rest = Rest(pooling, length, dropout, bottleneck, head)
    return _made("minilm", from_, (vocabulary, width, layers, heads), rest)


def modernbert(
    *,
    from_: str = "",
    pooling: str = "cls",
    length: int = 256,
    vocabulary: int = 50368,
    width: int = 768,
    layers: int = 22,
    heads: int = 12,
    dropout: float = 0.0,
    bottleneck: int = 256,
    head: str = "linear",
) -> Recipe:
    """ModernBERT (Warner et al. 2024, arXiv 2412.13663): rotary places up to 8192, windows of attention."""
    rest = Rest(pooling, length, dropout, bottleneck, head)
    return _made("modernbert", from_, (vocabulary, width, layers, heads), rest)
