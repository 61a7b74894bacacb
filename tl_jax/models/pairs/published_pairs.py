"""What a folder of CLIP or SigLIP says: the sizes of its two towers, and what its images and texts are like."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from tl_jax.core.errors import UserError, require
from tl_jax.models.files.published import Sizes, file_of, published
from tl_jax.models.pairs.clip import Form
from tl_jax.models.parts.recipe import Pixels
from tl_jax.models.parts.transformer import ACTIVATIONS

TOKENIZER_CONFIG = "tokenizer_config.json"
PREPROCESSOR, PROCESSOR = "preprocessor_config.json", "processor_config.json"


class Pair(NamedTuple):
    """Two towers that end in one space; end: the id at a text's end, 0: the greatest is (see `TextTower`)."""

    image: Form
    patch: int
    text: Form
    words: Sizes
    end: int


def _clip(config: Mapping[str, Any]) -> Pair:
    text = _part(config, "text_config")
    features = config.get("projection_dim", 512)
    image, patch = _image(config, (768, 32, "quick_gelu", 1e-5), features)
    end = text.get("eos_token_id", 49407)
    words, form = _words(text, (49408, 512, 8, 77), ("quick_gelu", 1e-5), features)
    end = 0 if end == 2 else end  # configs before 2023 say 2, whatever it is
    # What stands after the end is never looked at: padding may be the end again.
    return Pair(image, patch, form, words._replace(pad=end), end)


def _siglip(config: Mapping[str, Any]) -> Pair:
    text, usual = _part(config, "text_config"), ("gelu_pytorch_tanh", 1e-6)
    image, patch = _image(config, (768, 16, *usual), 0)
    if not _part(config, "vision_config").get("vision_use_head", True):
        raise UserError("siglip: a config.json with vision_use_head=false is of a tower without features of images.")
    words, form = _words(text, (32000, 768, 12, 64), usual, text.get("projection_size") or 0)
    sigmoid = lambda form: form._replace(sigmoid=True, features=form.features or form.width)
    return Pair(sigmoid(image), patch, sigmoid(form), words._replace(pad=text.get("pad_token_id", 1)), 0)


def _part(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Of one tower; older files repeat it under another name, which goes first."""
    return {**(config.get(name) or {}), **(config.get(f"{name}_dict") or {})}


def _image(config: Mapping[str, Any], usual: tuple[int, int, str, float], features: int) -> tuple[Form, int]:
    """usual: width, patch, activation and epsilon of a config.json that leaves them out."""
    of = _part(config, "vision_config")
    width, patch, activation, epsilon = usual
    form = _form(of, (width, 12), (activation, epsilon), features)
    return form, of.get("patch_size", patch)


def _words(
    of: Mapping[str, Any], usual: tuple[int, int, int, int], how: tuple[str, float], features: int
) -> tuple[Sizes, Form]:
    """usual: vocabulary, width, heads and places."""
    vocabulary, width, heads, places = usual
    form = _form(of, (width, heads), how, features)
    places = of.get("max_position_embeddings", places)
    sizes = Sizes(of.get("vocab_size", vocabulary), *form[:4], places, 0, form.epsilon, form.activation)
    return sizes, form


def _form(of: Mapping[str, Any], usual: tuple[int, int], how: tuple[str, float], features: int) -> Form:
    width = of.get("hidden_size", usual[0])
    heads = of.get("num_attention_heads", usual[1])
    hidden = of.get("intermediate_size", 4 * usual[0])
    activation, epsilon = of.get("hidden_act", how[0]), of.get("layer_norm_eps", how[1])
    require("activation of a tower", activation, ACTIVATIONS)
    return Form(width, of.get("num_hidden_layers", 12), heads, hidden, epsilon, activation, features)


READ = {"clip": _clip, "siglip": _siglip}


def described(family: str, place: str) -> Pair:
    """The towers of a folder. Raises UserError for a model of another family."""
    return published(family, place, READ[family])


def pixels_of(place: str, size: int = 0) -> tuple[Pixels, str]:
    """Mean, deviation and side of the images that a folder's network takes, and the file that says so.

    size: the side, where it is another. Raises UserError where nothing says them.
    """
    try:
        name, path = PREPROCESSOR, file_of(place, PREPROCESSOR)
    except UserError as error:
        try:
            name, path = PROCESSOR, file_of(place, PROCESSOR)
        except UserError:
            raise error from None
    try:
        said = json.loads(path.read_text())
        said = said.get("image_processor", said)
        crop = bool(said.get("do_center_crop"))
        asked = [said["size"], *([said["crop_size"]] if crop else [])]
        sides = {side for one in asked for side in ([one] if isinstance(one, int) else one.values())}
        if len(sides) != 1:
            raise UserError(f"{path}: images become {' cropped to '.join(map(str, asked))}, no square of one side.")
        mean, std = (tuple(map(float, said[key])) for key in ("image_mean", "image_std"))
        return Pixels(mean, std, size or int(sides.pop()), crop), name
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{path} cannot be read ({error}).") from None
    except KeyError as error:
        raise UserError(f"{path} does not say {error}.") from None


def said_of_tokenizer(place: str) -> dict[str, Any]:
    """What the tokenizer's config says; {} where there is none."""
    try:
        return json.loads(file_of(place, TOKENIZER_CONFIG).read_text())
    except UserError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{place}: {TOKENIZER_CONFIG} cannot be read ({error}).") from None
