"""Folders of published networks: where their files are, and the sizes that a config.json says."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp

from tl_jax.core.errors import UserError, require
from tl_jax.core.types import Array
from tl_jax.models.files.weights import downloaded
from tl_jax.models.parts.transformer import ACTIVATIONS


class Sizes(NamedTuple):
    """Of a text encoder.

    positions: places that are stored, the first token standing at `first`; types: kinds of segments, of which a text
    is the first (0: there are none); epsilon: of normalisation; pad: the id of padding in the vocabulary. Of rotary
    networks: which layers are local, how far these look, and the bases of the others and of these.
    """

    vocabulary: int
    width: int
    layers: int
    heads: int
    hidden: int
    positions: int = 512
    types: int = 2
    epsilon: float = 1e-12
    activation: str = "gelu"
    pad: int = 0
    first: int = 0
    local: tuple[bool, ...] = ()
    window: int = 64
    theta: tuple[float, float] = (160_000.0, 10_000.0)


class Stack(Protocol):
    """Sizes of any kind that has blocks of a transformer."""

    @property
    def width(self) -> int: ...
    @property
    def heads(self) -> int: ...
    @property
    def activation(self) -> str: ...


def check_alone(family: str, place: str, given: Any, usual: Any) -> None:
    """Raises UserError where a call names a folder and sizes beside it; usual: those that it has by itself."""
    if given != usual:
        raise UserError(f"{family}(from={place!r}) has the sizes of its config.json: leave out those of the call.")


def check_stack(family: str, of: Stack) -> None:
    """Raises UserError for an activation that is not known, and a width that does not divide among the heads."""
    require(f"activation of {family}", of.activation, ACTIVATIONS)
    if of.width % of.heads:
        raise UserError(f"{family}: a width of {of.width} does not divide among {of.heads} heads.")


def in_vocabulary(x: Array, sizes: Sizes) -> Array:
    """Ids of a domain, where 0 is padding, as those of the vocabulary: the two are exchanged."""
    return jnp.where(x == 0, sizes.pad, jnp.where(x == sizes.pad, 0, x)) if sizes.pad else x


def every_third(layers: int) -> tuple[bool, ...]:
    """Which layers of ModernBERT are local where nothing is said: all but the first of every three."""
    return tuple(bool(i % 3) for i in range(layers))


def file_of(place: str, name: str) -> Path:
    """A file of a folder, or of a name on the hub. Raises UserError where it is not there."""
    folder = Path(place).expanduser()
    if folder.is_dir():
        if not (folder / name).is_file():
            there = ", ".join(sorted(file.name for file in folder.iterdir())[:6]) or "nothing"
            older = next((old for old in ("vocab.txt", "spm.model") if (folder / old).is_file()), "")
            fix = f" It has {older} alone: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) writes it."
            raise UserError(
                f"from={place!r}: there is no {name} in this folder (it holds {there})."
                + fix * (name == "tokenizer.json" and bool(older))
            )
        return folder / name
    if place.count("/") != 1 or place.startswith(("/", ".", "~")):
        raise UserError(
            f"from={place!r}: there is no such folder. A folder with config.json and model.safetensors is needed (for "
            "texts with tokenizer.json, too), or a name on the hub such as 'sentence-transformers/all-MiniLM-L6-v2'."
        )
    return _of_hub(place, name)


@cache
def _of_hub(place: str, name: str) -> Path:
    return downloaded(place, name)


def published(family: str, place: str, read: Callable[[Mapping[str, Any]], Any] | None = None) -> Any:
    """What `read` (of texts: READ's) finds in the config.json of a folder whose model is of the family.

    Raises UserError for a model of another family of TYPES, or of none that is known.
    """
    path = file_of(place, "config.json")
    try:
        config = json.loads(path.read_text())
        kind = config.get("model_type", "")
        if kind not in TYPES[family]:
            near = [name for name, types in TYPES.items() if kind in types]
            fix = f"Use --network='{near[0]}(from={place!r})'." if near else f"Known are {', '.join(TYPES)}."
            raise UserError(f"{family}(from={place!r}): its config.json says model_type {kind!r}. {fix}")
        return (read or READ[family])(config)
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{path} cannot be read as JSON ({error}).") from None
    except KeyError as error:
        raise UserError(f"{path} does not say {error}.") from None


def unknown_parts(config: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raises UserError for parts that a config.json says and that are not known here; wanted: {setting: value}."""
    other = {name: config[name] for name, value in wanted.items() if config.get(name, value) != value}
    if other:
        said = ", ".join(f"{name} {value!r}" for name, value in other.items())
        raise UserError(f"{config.get('model_type')}: a config.json with {said} is of another network than this one.")


def bert_sizes(config: Mapping[str, Any]) -> Sizes:
    """The sizes of a config.json in the words that most have."""
    if (positions := config.get("position_embedding_type", "absolute")) != "absolute":
        raise UserError(f"{config['model_type']}: positions of the config.json are {positions}, not absolute.")
    return Sizes(
        config["vocab_size"],
        config["hidden_size"],
        config["num_hidden_layers"],
        config["num_attention_heads"],
        config["intermediate_size"],
        config["max_position_embeddings"],
        config.get("type_vocab_size", 2),
        config.get("layer_norm_eps", 1e-12),
        config.get("hidden_act", "gelu"),
        config.get("pad_token_id") or 0,
    )


def _roberta(config: Mapping[str, Any]) -> Sizes:
    pad = config.get("pad_token_id", 1)
    return bert_sizes(config)._replace(pad=pad, first=pad + 1)


def _distilbert(config: Mapping[str, Any]) -> Sizes:
    return Sizes(
        config["vocab_size"],
        config["dim"],
        config["n_layers"],
        config["n_heads"],
        config["hidden_dim"],
        config["max_position_embeddings"],
        types=0,
        activation=config.get("activation", "gelu"),
        pad=config.get("pad_token_id") or 0,
    )


def _modernbert(config: Mapping[str, Any]) -> Sizes:
    if wrong := [name for name in ("attention_bias", "mlp_bias", "norm_bias") if config.get(name)]:
        raise UserError(f"modernbert: a config.json with {' and '.join(wrong)} is of another network than this one.")
    layers, every = config["num_hidden_layers"], config.get("global_attn_every_n_layers", 3)
    kinds = config.get("layer_types") or ["sliding_attention" if i % every else "" for i in range(layers)]
    rope = config.get("rope_parameters") or {}
    if scaled := [name for name, how in rope.items() if how.get("rope_type", "default") != "default"]:
        raise UserError(f"modernbert: rotation of {' and '.join(scaled)} is scaled, which is not known here.")
    base = lambda kind, old, usual: rope.get(kind, {}).get("rope_theta", config.get(old, usual))
    return Sizes(
        config["vocab_size"],
        config["hidden_size"],
        layers,
        config["num_attention_heads"],
        config["intermediate_size"],
        config["max_position_embeddings"],
        types=0,
        epsilon=config.get("norm_eps", 1e-5),
        activation=config.get("hidden_activation", "gelu"),
        pad=config.get("pad_token_id") or 0,
        local=tuple(layer == "sliding_attention" for layer in kinds),
        window=config.get("local_attention", 128) // 2,
        theta=(
            base("full_attention", "global_rope_theta", 160_000.0),
            base("sliding_attention", "local_rope_theta", 10_000.0),
        ),
    )


READ: Mapping[str, Callable[[Mapping[str, Any]], Sizes]] = {
    "bert": bert_sizes,
    "minilm": bert_sizes,
    "roberta": _roberta,
    "distilbert": _distilbert,
    "modernbert": _modernbert,
}
"""{family of texts: config.json -> sizes}."""
TYPES: Mapping[str, tuple[str, ...]] = {
    "bert": ("bert",),
    "minilm": ("bert",),
    "roberta": ("roberta", "xlm-roberta", "camembert"),
    "distilbert": ("distilbert",),
    "modernbert": ("modernbert",),
    "deberta_v3": ("deberta-v2",),
    "wav2vec2": ("wav2vec2",),
    "hubert": ("hubert",),
    "whisper_encoder": ("whisper",),
    "ast": ("audio-spectrogram-transformer",),
    "dinov2": ("dinov2", "dinov2_with_registers"),
    "clip": ("clip",),
    "siglip": ("siglip",),
}
"""{family: values of model_type}, of every network that takes `from`."""
