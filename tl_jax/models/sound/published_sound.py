"""Folders of published networks for sound: what config.json and preprocessor_config.json say."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tl_jax.core.errors import UserError
from tl_jax.models.files.published import check_alone, check_stack, file_of, published
from tl_jax.models.parts.recipe import Pretrained
from tl_jax.models.parts.transformer import Layers
from tl_jax.models.sound.waves import RATE

HEARS = "preprocessor_config.json"


class Asked(NamedTuple):
    """Of a call: the network, its folder, and the width, layers and heads where it has none."""

    family: str
    place: str
    given: tuple[int, int, int]

    @property
    def pretrained(self) -> Pretrained | None:
        """What a run begins from."""
        return Pretrained(self.place, files=("config.json", HEARS)) if self.place else None


def stack(asked: Asked, usual: Layers, read: Callable[[Mapping[str, Any]], tuple[Layers, Any]]) -> tuple[Layers, Any]:
    """(the blocks, whatever else `read` makes of the config.json); without a folder those of the call, and None.

    Raises UserError where a folder and sizes are given, and for sizes that do not fit together.
    """
    family, place, given = asked
    of, rest = usual._replace(**dict(zip(("width", "layers", "heads"), given, strict=True))), None
    if place:
        check_alone(family, place, given, usual[:3])
        of, rest = published(family, place, read)
    else:
        of = of._replace(hidden=usual.hidden * of.width // usual.width)
    check_stack(family, of)
    return of, rest


def usual_layers(config: Mapping[str, Any], *, first: bool) -> Layers:
    """The blocks of a config.json in the words that most have."""
    return Layers(
        config["hidden_size"],
        config["num_hidden_layers"],
        config["num_attention_heads"],
        config["intermediate_size"],
        config.get("layer_norm_eps", 1e-5),
        config.get("hidden_act", "gelu"),
        first,
    )


def heard(asked: Asked) -> dict[str, Any]:
    """What the preprocessor_config.json says; {} without a folder. Raises UserError for another rate than RATE."""
    if not asked.place:
        return {}
    path = file_of(asked.place, HEARS)
    try:
        said = dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path} cannot be read as JSON ({error}).") from None
    if (rate := said.get("sampling_rate", RATE)) != RATE:
        raise UserError(f"{path}: this network hears {rate} samples a second; {RATE} are known here.")
    return said
