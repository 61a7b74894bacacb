"""The door: what enters a domain is checked here, once, and brought to the form that its modality has."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tl_jax.core.errors import UserError, require
from tl_jax.data.door_frames import in_one_order
from tl_jax.data.files.columns import counters, narrowed
from tl_jax.data.files.pictures import Pictures

MODALITIES = ("image", "vector", "text", "sound", "series")
FORMS = {
    "image": "uint8 [n, h, w, c] with c = 1 or 3",
    "vector": "float32 [n, d]",
    "text": "int32 token ids [n, length]",
    "sound": "int16 waves [n, samples]",
    "series": "float32 [n, t, c]",
}
RANKS = {"image": 4, "vector": 2, "text": 2, "sound": 2, "series": 3}
CHUNK = 1 << 24
"""How many numbers are looked at at once: a memory-mapped set is never in memory as a whole."""
_MANY = 8
"""From this many steps and as many channels, a square [n, a, a] may as well be pictures."""


def plain(where: str, values: Any) -> np.ndarray:
    """The array of what is handed over: lists, frames, tensors, sparse matrices; memory maps and `Pictures` stay.

    What a masked array masks becomes NaN. Raises UserError for what is no array.
    """
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(np.float64), np.nan) if np.ma.getmaskarray(values).any() else values.data
    if type(values) not in (np.ndarray, np.memmap, Pictures):
        try:
            values = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
        except Exception as error:  # whatever a foreign type raises
            reason = str(error).partition("\n")[0]
            raise UserError(f"{where}: no array can be made of this {type(values).__name__} ({reason}).") from None
    if np.issubdtype(values.dtype, np.object_):
        values = _objects(values)
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    return values


def _objects(values: np.ndarray) -> np.ndarray:
    """Objects as numbers where all are numbers or missing (NaN); else as they are."""
    missing = lambda v: v is None or type(v).__name__ in ("NAType", "NaTType")
    if any(isinstance(v, str | bytes) for v in values.flat):
        return values
    try:
        return np.array([np.nan if missing(v) else v for v in values.flat], np.float64).reshape(values.shape)
    except (TypeError, ValueError):
        return values


def inputs(
    name: str, given: Mapping[str, Any], modality: str, vocabulary: int, columns: Sequence[str]
) -> tuple[str, dict[str, np.ndarray], tuple[str, ...], list[str]]:
    """Modality, {split: x in its form}, the names of columns, and notes, of what is given as x by split.

    Raises UserError for arrays of no or another form, shapes that differ, NaN and infinity, and ids that are none.
    """
    given, columns, notes = in_one_order(name, given, columns)
    arrays = {split: plain(f"{name}, x of the {split} split", x) for split, x in given.items()}
    if modality:
        require(f"modality of {name}:", modality, MODALITIES)
    else:
        modality = guess(name, arrays["train"], bool(columns))
    out = {}
    for split, x in arrays.items():
        out[split] = _formed(f"{name}, {split} split", x, modality, columns)
        if modality == "text":
            _check_ids(f"{name}, {split} split", out[split], vocabulary)
    shapes = {split: x.shape[1:] for split, x in out.items()}
    if len(set(shapes.values())) > 1:
        shown = ", ".join(f"{list(shape)} in {split}" for split, shape in shapes.items())
        raise UserError(f"{name}: examples have different shapes ({shown}); all splits need one.")
    if columns and (modality != "vector" or len(columns) != shapes["train"][0]):
        raise UserError(f"{name}: {len(columns)} names of features, but examples of shape {list(shapes['train'])}.")
    if len(set(columns)) < len(columns):
        raise UserError(f"{name}: {len(columns) - len(set(columns))} names of features stand twice.")
    if modality == "vector":
        some = {split: x for split, x in arrays.items() if x.dtype != np.float32}
        notes += [note for x in some.values() for note in narrowed(name, x, columns)[1]]
        notes += counters(out["train"], columns)
    x = np.zeros(0) if isinstance(out["train"], Pictures) else out["train"]
    if x.size and (x[:: max(1, len(x) // 64)] == x.flat[0]).all() and (x == x.flat[0]).all():
        notes.append(f"every number of every training example is {x.flat[0]:g}: is this the right array?")
    return modality, out, columns, notes


def guess(name: str, x: np.ndarray, framed: bool = False) -> str:
    """The modality that type and rank tell; framed: x has named columns. Raises UserError where they tell none."""
    dtype, shape = x.dtype, list(x.shape)
    if x.ndim == 4:
        return "image"
    if x.ndim == 3 and dtype == np.uint8:
        return "image"
    if x.ndim == 3 and x.shape[1] == x.shape[2] >= _MANY:
        raise UserError(
            f"{name}: is x {dtype} {shape} images or series? Images are uint8: x.astype(np.uint8)[..., None] of values "
            "from 0 to 255. Series: modality='series'."
        )
    if x.ndim == 3:
        return "series"
    if x.ndim != 2:
        need = "; ".join(f"{modality} {form}" for modality, form in FORMS.items())
        raise UserError(f"{name}: x is {dtype} {shape}, which is none of: {need}.")
    if framed or dtype.kind in "fbOUS" or dtype == np.uint8:
        return "vector"
    if dtype in (np.int16, np.int32):
        return "sound" if dtype == np.int16 else "text"
    raise UserError(
        f"{name}: x is {dtype} {shape}: are these quantities or token ids? Say modality='vector' or modality='text'."
    )


def _formed(where: str, x: np.ndarray, modality: str, columns: Sequence[str]) -> np.ndarray:
    """x as its modality has it. Raises UserError for what cannot become that without loss."""
    if modality == "image" and x.dtype == np.uint8 and x.ndim == 3:
        x = x[..., None]
    if modality == "series" and x.ndim == 2:
        x = x[..., None]
    if x.dtype.kind not in "fiub":
        held = f", such as {x.flat[0]!r:.40}" if x.size else ""
        raise UserError(f"{where}: x is {x.dtype} {list(x.shape)}{held}; {modality} needs {FORMS[modality]}.")
    if x.ndim != RANKS[modality] or 0 in x.shape[1:]:
        column = " One feature: x[:, None]." if x.ndim == 1 else ""
        raise UserError(f"{where}: x is {x.dtype} {list(x.shape)}; {modality} needs {FORMS[modality]}.{column}")
    if modality == "image":
        if not isinstance(x, Pictures):  # whose decoder makes nothing else
            _check_image(where, x)
        return x
    if modality in ("text", "sound"):
        return _whole(where, x, np.dtype({"text": np.int32, "sound": np.int16}[modality]), modality)
    return _finite(where, x, columns)


def _check_image(where: str, x: np.ndarray) -> None:
    """Raises UserError unless x [n, h, w, c] is uint8 with one or three channels last, saying how to make it so."""
    said = f"{where}: x is {x.dtype} {list(x.shape)}; image needs {FORMS['image']}, values from 0 to 255"
    if x.shape[-1] not in (1, 3):
        first = " Here the channels are first: x.transpose(0, 2, 3, 1)." if x.shape[1] in (1, 3) else ""
        alpha = " The fourth may be transparency: x[..., :3]." if x.shape[-1] == 4 else ""
        raise UserError(f"{said}.{first}{alpha}")
    some = x[:: max(1, len(x) // 64)]
    if x.dtype == np.uint8:
        if (some.min(initial=1), some.max(initial=0)) == (0, 1) and x.max() == 1:
            raise UserError(f"{said}, but none is over 1: as good as black. Write 255 * x.")
        return
    low, high = (float(some.min()), float(some.max())) if some.size else (0.0, 0.0)
    if np.issubdtype(x.dtype, np.bool_) or (low >= 0 and high <= 1):
        fix = "Write np.rint(255 * x.astype(np.float32)).astype(np.uint8)."
    elif low >= 0 and high <= 255:
        fix = "Write np.rint(x).astype(np.uint8)."
    elif low >= -1 and high <= 1:
        fix = "Write np.rint(127.5 * (x + 1)).astype(np.uint8)."
    else:
        fix = f"These run from {low:.4g} to {high:.4g}: undo what was done to the pixels."
    raise UserError(f"{said}. {fix}")


def _whole(where: str, x: np.ndarray, kind: np.dtype, modality: str) -> np.ndarray:
    """x as whole numbers of that kind. Raises UserError where one is no whole number or does not fit."""
    if x.dtype == kind:
        return x
    bounds = np.iinfo(kind)
    if np.issubdtype(x.dtype, np.floating):
        off = ~(np.isfinite(x) & (x == np.rint(x)) & (np.abs(x) <= bounds.max))
    else:
        off = (x < bounds.min) | (x > bounds.max) if x.dtype.kind in "iu" else np.zeros(x.shape, bool)
    if off.any():
        row, place = np.argwhere(off)[0]
        wave = " Waves from -1 to 1: np.rint(32767 * x).astype(np.int16)." if modality == "sound" else ""
        raise UserError(
            f"{where}: example {row} holds {x[row, place]!s} at {place}; {modality} needs {FORMS[modality]}.{wave}"
        )
    return x.astype(kind)


def _check_ids(where: str, x: np.ndarray, vocabulary: int) -> None:
    """Raises UserError for an id [n, length] under 0, or not below the vocabulary where that is given."""
    if not x.size or (x.min() >= 0 and (not vocabulary or x.max() < vocabulary)):
        return
    row, place = np.argwhere((x < 0) | (x >= (vocabulary or np.inf)))[0]
    most = f"from 0 to {vocabulary - 1}, the vocabulary being {vocabulary}" if vocabulary else "from 0 up"
    raise UserError(
        f"{where}: example {row} holds the token id {x[row, place]} at {place}; ids are {most} (0 is padding). "
        "Quantities: modality='vector'."
    )


def _finite(where: str, x: np.ndarray, columns: Sequence[str]) -> np.ndarray:
    """x as float32. Raises UserError that names the first example and feature that is NaN, infinite or too large."""
    with np.errstate(over="ignore"):
        out = x if x.dtype == np.float32 else x.astype(np.float32)
    flat = out.reshape(len(out), math.prod(out.shape[1:]))
    step = max(1, CHUNK // max(1, flat.shape[1]))
    for begin in range(0, len(flat), step):
        bad = ~np.isfinite(flat[begin : begin + step]) if np.issubdtype(x.dtype, np.floating) else np.zeros(1, bool)
        if bad.any():
            row, place = np.argwhere(bad)[0]
            named = f" ({columns[place]})" if columns else ""
            raise UserError(
                f"{where}: {int((~np.isfinite(flat)).any(1).sum())} of {len(x)} examples hold NaN, infinity or what is "
                f"none in float32; the first is example {begin + row}, feature {place}{named}: "
                f"{x.reshape(len(x), -1)[begin + row, place]}. Fill in or leave out what is missing."
            )
    return out
