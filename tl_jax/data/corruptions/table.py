"""The corruptions by name, and images or a domain with one of them."""

import zlib
from collections.abc import Callable, Mapping

import numpy as np

from tl_jax.core.errors import UserError, unknown
from tl_jax.data.corruptions import blur, digital, noise, spatter, weather
from tl_jax.data.domain import Domain, Examples, changed

Corruption = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]
BENCHMARK: Mapping[str, Corruption] = {
    "gaussian_noise": noise.gaussian_noise,
    "shot_noise": noise.shot_noise,
    "impulse_noise": noise.impulse_noise,
    "defocus_blur": blur.defocus_blur,
    "glass_blur": blur.glass_blur,
    "motion_blur": blur.motion_blur,
    "zoom_blur": blur.zoom_blur,
    "snow": weather.snow,
    "fog": weather.fog,
    "brightness": weather.brightness,
    "contrast": digital.contrast,
    "elastic_transform": digital.elastic_transform,
    "pixelate": digital.pixelate,
    "jpeg_compression": digital.jpeg_compression,
}
"""Those of the benchmark itself, in its order; frost is not among them."""
EXTRA: Mapping[str, Corruption] = {
    "speckle_noise": noise.speckle_noise,
    "gaussian_blur": blur.gaussian_blur,
    "spatter": spatter.spatter,
    "saturate": digital.saturate,
}
"""Those that the benchmark keeps for choosing hyperparameters."""
CORRUPTIONS: Mapping[str, Corruption] = {**BENCHMARK, **EXTRA}
ABSENT = {"frost": "it is laid over photographs of frost"}
SEVERITIES = (1, 2, 3, 4, 5)
GROUPS: Mapping[str, tuple[str, ...]] = {"all": tuple(BENCHMARK), "extra": tuple(EXTRA)}
NONE = "none"
"""The images as they are."""


def named(text: str) -> tuple[str, ...]:
    """The corruptions that a text names: "fog@3", "none", or all of a group: "all@5". Raises UserError for another."""
    name, at, level = text.partition("@")
    if text == NONE:
        return (NONE,)
    if name in ABSENT:
        raise UserError(f"{text}: there is no {name} here ({ABSENT[name]}). There are: {', '.join(CORRUPTIONS)}.")
    if name not in CORRUPTIONS and name not in GROUPS:
        raise unknown("corruption", name, [*CORRUPTIONS, *GROUPS, NONE])
    if level not in map(str, SEVERITIES):
        given = f"severity '{level}'" if at else "no severity"
        raise UserError(f"{text}: {given}; write {name}@1 to {name}@5, the worst.")
    return tuple(f"{one}@{level}" for one in GROUPS.get(name, (name,)))


def corrupted(x: np.ndarray, text: str, split: str = "test") -> np.ndarray:
    """Images uint8 [n, h, w, c] with one corruption; an example's draws are of its row and split, at any severity."""
    if text == NONE:
        return x
    name, _, level = text.partition("@")
    one, out = CORRUPTIONS[name], np.empty(x.shape, np.uint8)
    for row, image in enumerate(x):
        draws = np.random.default_rng([zlib.crc32(f"{name} {split}".encode()), row])
        found = one(image.astype(np.float64) / 255, int(level) - 1, draws)
        out[row] = np.rint(np.clip(found, 0, 1) * 255)
    return out


def of_domain(domain: Domain, text: str) -> Domain:
    """The domain with every split corrupted. Raises UserError for an unknown corruption and for what is no image."""
    if len(named(text)) > 1:
        raise UserError(f"{domain.name}: '{text}' names several corruptions; a domain has one.")
    if domain.modality != "image":
        raise UserError(f"{domain.name}: corruptions are of images; this set holds {domain.modality}.")
    parts = {name: Examples(corrupted(part.x, text, name), part.y) for name, part in domain.splits.items()}
    name = f"{domain.name}?corrupt={text}"
    return changed(domain, name=name, notes=(*domain.notes, f"images corrupted: {text}"), **parts)
