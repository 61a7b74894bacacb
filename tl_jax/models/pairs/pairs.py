"""CLIP and SigLIP as networks: sizes as given, or as a published folder says; the image's tower, and the text's."""

from typing import NamedTuple

from tl_jax.core.errors import UserError
from tl_jax.models.files.published import check_alone, check_stack
from tl_jax.models.pairs.clip import ImageTower, TextTower
from tl_jax.models.pairs.published_pairs import READ, TOKENIZER_CONFIG, described, pixels_of, said_of_tokenizer
from tl_jax.models.parts.recipe import HALF, Pixels, Pretrained, Recipe

OPENAI = Pixels((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
VISION = ("hidden_size", "num_hidden_layers", "num_attention_heads", "patch_size")
TEXT = ("vocab_size", *VISION[:3], "max_position_embeddings")
IMAGES = {"clip": (768, 12, 12, 32), "siglip": (768, 12, 12, 16)}
TEXTS = {"clip_text": (49408, 512, 12, 8), "siglip_text": (32000, 768, 12, 12)}
"""What the networks are without a folder."""


def _text(family: str, from_: str, length: int, given: tuple[int, int, int, int], rest: tuple[int, str]) -> Recipe:
    """given: vocabulary, width, layers, heads; rest: bottleneck, head."""
    begin, usual = None, TEXTS[family]
    if from_:
        check_alone(family, from_, given, usual)
        pair = described(family.removesuffix("_text"), from_)
        length = min(length, pair.words.positions)
        begin = Pretrained(from_, length, pair.words.pad, pair.words.vocabulary)
        if pair.text.sigmoid and (tokenizer := said_of_tokenizer(from_)).get("tokenizer_class") == "SiglipTokenizer":
            bare = tokenizer.get("do_lower_case", True)
            begin = begin._replace(files=(*begin.files, TOKENIZER_CONFIG), bare=bare)
    else:
        pair = READ[family.removesuffix("_text")]({"text_config": dict(zip(TEXT, (*given, length), strict=True))})
        pair = pair._replace(words=pair.words._replace(pad=0), end=0)
        pair = pair._replace(text=pair.text._replace(hidden=4 * given[1]))
    check_stack(family, pair.text)
    make = lambda dtype, form: TextTower(pair.words, pair.text, pair.end, dtype)
    return Recipe(make, *rest, pretrained=begin)


class Top(NamedTuple):
    """What stands on the tower; prompt: texts with {} for a class, "|" between them, that a head begins as."""

    bottleneck: int
    head: str
    prompt: str = ""


def _image_tower(family: str, from_: str, size: int, given: tuple[int, int, int, int], top: Top) -> Recipe:
    """given: width, layers, heads, patch."""
    begin, pixels = None, (OPENAI if family == "clip" else HALF)._replace(size=size)
    if from_:
        check_alone(family, from_, given, IMAGES[family])
        pair = described(family, from_)
        pixels, file = pixels_of(from_, size)
        begin = Pretrained(from_, files=("config.json", file))
    else:
        pair = READ[family]({"vision_config": dict(zip(VISION, given, strict=True))})
        pair = pair._replace(image=pair.image._replace(hidden=4 * given[0]))
    check_stack(family, pair.image)
    make = lambda dtype, form: ImageTower(pair.image, pair.patch, dtype, form)
    recipe = Recipe(make, top.bottleneck, top.head, pixels, begin)
    return _named(family, recipe, top.prompt) if top.prompt else recipe


def _named(family: str, recipe: Recipe, prompt: str) -> Recipe:
    """The recipe whose head begins as the features of classes' names. Raises UserError where it cannot."""
    if recipe.pretrained is None:
        raise UserError(f"{family}(prompt={prompt!r}): a random network says nothing of names: give it from=PATH.")
    if recipe.bottleneck or recipe.head not in ("linear", "cosine"):
        raise UserError(
            f"{family}(prompt={prompt!r}) has the cosine head on the projected features, which begins as the features "
            "of the classes' names: leave out bottleneck= and head=."
        )
    prompts = tuple(one.strip() for one in prompt.split("|"))
    begin = recipe.pretrained._replace(files=(*recipe.pretrained.files, "tokenizer.json"))
    return recipe._replace(head="cosine", pretrained=begin, prompts=prompts)


def clip(
    *,
    from_: str = "",
    prompt: str = "",
    size: int = 0,
    width: int = 768,
    layers: int = 12,
    heads: int = 12,
    patch: int = 32,
    bottleneck: int = 0,
    head: str = "linear",
) -> Recipe:
    """The image tower of CLIP (Radford et al. 2021, arXiv 2103.00020), projected: x [n, h, w, 1 or 3].

    from: a folder with config.json, preprocessor_config.json and model.safetensors, or its name on the hub. prompt: as
    in "a photo of a {}|a drawing of a {}": the head is `cosine` and begins as the features of the classes' names in
    these. size: the side in px that images are brought to; 0: the folder's, or as they come.
    """
    return _image_tower("clip", from_, size, (width, layers, heads, patch), Top(bottleneck, head, prompt))


def siglip(
    *,
    from_: str = "",
    prompt: str = "",
    size: int = 0,
    width: int = 768,
    layers: int = 12,
    heads: int = 12,
    patch: int = 16,
    bottleneck: int = 0,
    head: str = "linear",
) -> Recipe:
    """The image tower of SigLIP (Zhai et al. 2023, arXiv 2303.15343), pooled by attention; arguments as of `clip`."""
    return _image_tower("siglip", from_, size, (width, layers, heads, patch), Top(bottleneck, head, prompt))


def clip_text(
    *,
    from_: str = "",
    length: int = 77,
    vocabulary: int = 49408,
    width: int = 512,
    layers: int = 12,
    heads: int = 8,
    bottleneck: int = 0,
    head: str = "linear",
) -> Recipe:
    """The text tower of CLIP, projected into the space of its images: ids [n, t] int32, 0 is padding.

    from: a folder with config.json, tokenizer.json and model.safetensors, or its name on the hub; length: pieces of a
    text at most.
    """
    return _text("clip_text", from_, length, (vocabulary, width, layers, heads), (bottleneck, head))


def siglip_text(
    *,
    from_: str = "",
    length: int = 64,
    vocabulary: int = 32000,
    width: int = 768,
    layers: int = 12,
    heads: int = 12,
    bottleneck: int = 0,
    head: str = "linear",
) -> Recipe:
    """The text tower of SigLIP; arguments as of `clip_text`."""
    return _text("siglip_text", from_, length, (vocabulary, width, layers, heads), (bottleneck, head))
