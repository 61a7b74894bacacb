"""Arrays in the form of their modality: which axis counts the examples, what the numbers mean, and what was changed."""

from collections.abc import Sequence

import numpy as np

from tl_jax.core.errors import UserError, unknown
from tl_jax.data.door import MODALITIES
from tl_jax.data.files.columns import narrowed
from tl_jax.data.spec import Spec, choice

_RANKS = {"image": (3, 4), "vector": (2,), "text": (2,), "sound": (2,), "series": (3,)}
Arrays = list[np.ndarray]


def numeric(name: str, x: np.ndarray) -> np.ndarray:
    """x itself. Raises UserError where it does not hold plain numbers."""
    kinds = {"c": "complex numbers: take their real and imaginary parts, or magnitudes", "V": "records: name one field"}
    kinds |= {"M": "dates: make numbers of them", "m": "spans of time: make numbers of them"}
    if x.dtype.kind not in "fiub":
        said = kinds.get(x.dtype.kind, "text: write a table and read it with csv:PATH?text=COLUMN")
        raise UserError(f"{name}: x is {x.dtype} {list(x.shape)}; it holds {said}.")
    return x


def first_axis(spec: Spec, parts: Arrays, labels: Sequence[np.ndarray | None]) -> tuple[Arrays, list[str]]:
    """The parts with the examples on the first axis: the last becomes the first where it alone fits the labels."""
    asked = choice(spec, "samples", ("auto", "rows", "columns"))
    pairs = [(x, len(y)) for x, y in zip(parts, labels, strict=True) if y is not None and x.ndim > 1]
    x = parts[0]
    notes = []
    if asked == "auto":
        last = bool(pairs) and all(len(x) != n == x.shape[-1] for x, n in pairs)
        if last:
            notes.append(f"x is {list(x.shape)} and y [{pairs[0][1]}]: the examples are along the last axis")
        elif x.ndim == 2 and x.shape[0] == x.shape[1]:
            notes.append(f"x is {list(x.shape)}: examples were taken to be rows (?samples=columns otherwise)")
        asked = "columns" if last else "rows"
    return [np.moveaxis(x, -1, 0) if asked == "columns" else x for x in parts], notes


def formed(spec: Spec, parts: Arrays) -> tuple[Arrays, str, list[str]]:
    """All parts of x in the form of one modality, which type and shape tell where the spec does not; and notes."""
    modality = spec.options.get("modality") or _guess(spec, parts[0])
    if modality not in MODALITIES:
        raise unknown(f"modality in {spec.text}:", modality, MODALITIES)
    if "layout" in spec.options and modality != "series":
        raise UserError(f"{spec.text}: layout= is of series [n, t, c], and x is {modality}.")
    for x in parts:
        if x.ndim not in _RANKS[modality] or x.shape[1:] != parts[0].shape[1:]:
            need = "uint8 [n, h, w, c]" if modality == "image" else f"{_RANKS[modality][0]} dimensions"
            more = "" if x is parts[0] else f" as x [{', '.join(map(str, parts[0].shape))}]"
            raise UserError(
                f"{spec.text}: x is {x.dtype} {list(x.shape)}; {modality} needs {need}{more}. "
                "Another modality is chosen by ?modality=vector|text|sound|series; images are bytes from 0 to 255."
            )
    form = {"image": _images, "series": _series, "text": _tokens, "sound": _waves, "vector": _vectors}[modality]
    out, notes = form(spec, parts)
    return [np.ascontiguousarray(x) for x in out], modality, notes


def _guess(spec: Spec, x: np.ndarray) -> str:
    if x.ndim == 4 or (x.dtype == np.uint8 and x.ndim == 3):
        return "image"
    if x.dtype == np.int16 and x.ndim == 2:
        return "sound"
    if x.ndim == 3 and min(x.shape[1:]) >= 8 and max(x.shape[1:]) <= 2 * min(x.shape[1:]):
        raise UserError(
            f"{spec.text}: x is {x.dtype} {list(x.shape)}: images without colour, or series [n, t, c]? Say "
            "?modality=image or ?modality=series (& after another option)."
        )
    return "series" if x.ndim == 3 else "vector"


def _span(parts: Arrays) -> tuple[float, float]:
    """The least and the greatest number of all parts. NaN where there is one."""
    filled = [x for x in parts if x.size]
    return (float(min(x.min() for x in filled)), float(max(x.max() for x in filled))) if filled else (0.0, 0.0)


def _images(spec: Spec, parts: Arrays) -> tuple[Arrays, list[str]]:
    """uint8 [n, h, w, c]: numbers from 0 to 1 times 255, others from 0 to 255 rounded, channels moved to the end."""
    parts = [x[..., None] if x.ndim == 3 else x for x in parts]
    notes = []
    if parts[0].shape[-1] not in (1, 3) and parts[0].shape[1] in (1, 3):
        notes.append(f"images {list(parts[0].shape[1:])} have their channels first: they were moved to the end")
        parts = [np.moveaxis(x, 1, -1) for x in parts]
    if parts[0].shape[-1] not in (1, 3):
        raise UserError(f"{spec.text}: images have {parts[0].shape[-1]} channels (the last axis); 1 or 3 are needed.")
    if parts[0].dtype == np.uint8 and all(x.dtype == np.uint8 for x in parts):
        return parts, notes
    low, high = _span(parts)
    if not (low >= 0 and high <= 255):
        raise UserError(
            f"{spec.text}: x is {parts[0].dtype} {list(parts[0].shape)} from {low:.5g} to {high:.5g}; image needs "
            "uint8 [n, h, w, c]: bytes from 0 to 255 (or numbers from 0 to 1). Rescale them, or read them as "
            "?modality=series or vectors."
        )
    scale = 255 if high <= 1 else 1
    what = "times 255 " if scale > 1 else ""
    notes.append(f"images are {parts[0].dtype} from {low:.4g} to {high:.4g}: {what}rounded to bytes")
    return [np.rint(x.astype(np.float64) * scale).astype(np.uint8) for x in parts], notes


def _series(spec: Spec, parts: Arrays) -> tuple[Arrays, list[str]]:
    """float32 [n, t, c]; layout=nct: they are given as [n, c, t]."""
    layout = choice(spec, "layout", ("ntc", "nct"))
    notes = []
    if layout == "nct":
        parts = [np.swapaxes(x, 1, 2) for x in parts]
    _, t, c = parts[0].shape
    if "layout" not in spec.options and c > t:
        notes.append(f"series of {t} steps and {c} channels: if it is the other way round, say ?layout=nct")
    done = [narrowed(spec.text, x) for x in parts]
    return [x for x, _ in done], notes + done[0][1]


def _vectors(spec: Spec, parts: Arrays) -> tuple[Arrays, list[str]]:
    x, notes = parts[0], []
    if x.dtype.kind in "iu" and x.size and x.min() >= 0 and x.max() > 255 and np.issubdtype(x.dtype, np.integer):
        notes.append(f"whole numbers up to {x.max()} were read as quantities (of token ids say ?modality=text)")
    done = [narrowed(spec.text, x) for x in parts]
    return [x for x, _ in done], notes + done[0][1]


def _tokens(spec: Spec, parts: Arrays) -> tuple[Arrays, list[str]]:
    low, high = _span(parts)
    fractions = any(np.issubdtype(x.dtype, np.floating) and not np.array_equal(x, np.round(x)) for x in parts)
    if fractions or not (0 <= low <= high < 2**31):
        raise UserError(f"{spec.text}: token ids are whole numbers from 0; x runs from {low:.5g} to {high:.5g}.")
    return [x.astype(np.int32) for x in parts], []


def _waves(spec: Spec, parts: Arrays) -> tuple[Arrays, list[str]]:
    if all(x.dtype == np.int16 for x in parts):
        return parts, []
    low, high = _span(parts)
    if all(np.issubdtype(x.dtype, np.floating) for x in parts) and -1 <= low <= high <= 1:
        notes = [f"waves are {parts[0].dtype} from {low:.4g} to {high:.4g}: times 32767, rounded to 16 bits"]
        return [np.rint(x.astype(np.float64) * 32767).astype(np.int16) for x in parts], notes
    whole = all(x.dtype.kind in "iu" or np.array_equal(x, np.round(x)) for x in parts)
    if not (whole and -(2**15) <= low <= high < 2**15):
        raise UserError(
            f"{spec.text}: waves are int16, or numbers from -1 to 1; x is {parts[0].dtype} from {low:.5g} to "
            f"{high:.5g}."
        )
    return [x.astype(np.int16) for x in parts], []
