"""Classes by their names alone: the features of their texts, and the logits of images for them."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.batching import batch_of, sent_in_batches
from tl_jax.core.errors import UserError
from tl_jax.core.types import Network
from tl_jax.models.files.pretrained import load
from tl_jax.models.files.weights import File, read
from tl_jax.models.networks import build
from tl_jax.models.pairs.pairs import clip_text, siglip_text
from tl_jax.models.sequences.tokens import pieces

TEXTS = {"clip": clip_text, "siglip": siglip_text}
"""The text towers, by the network of their images."""
PLACE = "{}"
"""Where the name of a class stands in a prompt."""


class Pair(NamedTuple):
    """The two towers of a folder: its family (of TEXTS), where it is, and its weights."""

    family: str
    place: str
    file: File


class Scale(NamedTuple):
    """logits = scale * cosine + bias."""

    scale: float
    bias: float = 0.0


def opened(family: str, place: str) -> Pair:
    """The towers of a folder. Raises UserError where it has but one of them."""
    file = read(place)
    for tower, what in (("text_model.", "text"), ("vision_model.", "image")):
        if not any(tower in name for name in file.arrays):
            raise UserError(f"from={place!r} has no {what} tower: its weights hold no {tower}*.")
    return Pair(family, place, file)


def text_features(of: Pair, texts: Sequence[str]) -> np.ndarray:
    """float32 [n, d] of texts, by the text tower. Raises UserError for one that is too long."""
    recipe = TEXTS[of.family](from_=of.place)
    assert recipe.pretrained is not None
    ids, cut = pieces(recipe.pretrained, texts)
    if cut:
        raise UserError(f"{cut} of {len(texts)} texts have more than {recipe.pretrained.length} word pieces.")
    return tower_features(of, build(recipe, 2), ids)


def tower_features(of: Pair, network: Network, x: np.ndarray) -> np.ndarray:
    """float32 [n, d] of examples x [n, ...] by one of the towers."""
    shapes = jax.eval_shape(network.init, jax.random.key(0), jnp.asarray(x[:1]))
    empty = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    params, stats, _ = load(of.place, *empty, file=of.file)
    run = jax.jit(lambda x: network.apply(params, stats, x)[0].features)
    return np.asarray(sent_in_batches(run, x, batch=batch_of(len(x))), np.float32)


def class_features(of: Pair, prompts: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """float32 [c, d] of length 1: of each class the mean of its prompts' features, each of length 1.

    Raises UserError for a prompt in which no name stands. Radford et al. 2021, arXiv 2103.00020, section 3.1.4.
    """
    texts = [text for prompt in checked(prompts) for text in filled(prompt, classes)]
    found = unit(text_features(of, texts)).reshape(len(prompts), len(classes), -1)
    return unit(found.mean(0))


def named_head(of: Pair, prompts: Sequence[str], classes: Sequence[str]) -> dict[str, np.ndarray]:
    """The cosine head that says what zero-shot prediction does, but for the bias, which is one for all classes."""
    kernel = class_features(of, prompts, classes).T
    return {"head/kernel": kernel, "head/scale": np.array([scale_of(of).scale], np.float32)}


def filled(prompt: str, classes: Sequence[str]) -> list[str]:
    """The prompt with the name of each class, in which "_" is a space."""
    return [prompt.replace(PLACE, name.replace("_", " ").strip()) for name in classes]


def checked(prompts: Sequence[str]) -> Sequence[str]:
    """The prompts. Raises UserError for none, and for one without a place for the name."""
    if not prompts:
        raise UserError("There is no prompt: give one such as 'a photo of a {}', in which {} is the name of a class.")
    for prompt in prompts:
        if PLACE not in prompt:
            raise UserError(f"The prompt {prompt!r:.80} has no {{}}: the name of a class stands there.")
    return prompts


def scale_of(of: Pair) -> Scale:
    """The scale and bias between the towers. Raises UserError where the weights hold no scale."""
    named = lambda end: [float(x.reshape(-1)[0]) for name, x in of.file.arrays.items() if name.endswith(end)]
    if not (scale := named("logit_scale")):
        raise UserError(f"from={of.place!r}: its weights hold no logit_scale, by which cosines become logits.")
    return Scale(float(np.exp(scale[0])), *named("logit_bias")[:1])


def unit(x: np.ndarray) -> np.ndarray:
    """Rows [..., d] divided by their Euclidean length; zeros stay."""
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def logits(images: np.ndarray, texts: np.ndarray, how: Scale) -> np.ndarray:
    """[n, c]: scale * cos(image_i, text_j) + bias for features [n, d] and [c, d]."""
    return how.scale * unit(images) @ unit(texts).T + how.bias
