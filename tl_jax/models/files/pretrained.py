"""Weights from a file into a network, and back: `load` with a report, `save`."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from tl_jax.core.errors import UserError, unknown
from tl_jax.core.trees import flatten, unflatten
from tl_jax.core.types import Tree
from tl_jax.models.files.weights import File, read
from tl_jax.models.names import NAMINGS, Entry, entries, namings
from tl_jax.models.names.rules import Naming

Shape = tuple[int, ...]
SHOWN = 8
"""Lines of a long list that are printed."""


class Report(NamedTuple):
    """What became of every parameter, statistic and array of the file."""

    path: str
    naming: str
    loaded: dict[str, Shape]
    reinitialised: dict[str, tuple[Shape | None, Shape]]
    """Of the head, or allowed: {our path: (shape in the file, if there; our shape)}; they keep their initial values."""
    missing: dict[str, Shape]
    """Allowed: {our path: shape}, not in the file."""
    unused: dict[str, Shape]
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    """Names of the classes of its head, where the file tells."""

    def __str__(self) -> str:
        count = sum(int(np.prod(shape)) for shape in self.loaded.values())
        lines = [
            f"init_from {self.path} ({self.naming} names): {len(self.loaded)} loaded ({count:,} values), "
            f"{len(self.reinitialised)} re-initialised, {len(self.missing)} missing, {len(self.unused)} unused."
        ]
        changed = {path: f"{old or 'absent'} -> {new}" for path, (old, new) in self.reinitialised.items()}
        lines += _list("re-initialised", changed) + _list("missing", self.missing) + _list("unused", self.unused)
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def _list(title: str, items: Mapping[str, Any]) -> list[str]:
    lines = [f"  {title}: {name} {shape}" for name, shape in list(items.items())[:SHOWN]]
    return lines + ([f"  {title}: and {len(items) - SHOWN} more"] if len(items) > SHOWN else [])


def load(
    path: str, params: Tree, stats: Tree, *, allow_mismatch: Sequence[str] = (), file: File | None = None
) -> tuple[Tree, Tree, Report]:
    """(params, stats) with every array that the file has for them, and a report.

    file: what stands there, where it was read already (weights of a run).
    `path` is a .safetensors or .npz file, a folder with model.safetensors, or a hub name ("timm/resnet18.a1_in1k").
    The names are torchvision's, timm's, Hugging Face's or those that `save` writes, whichever fits best, also behind
    a prefix of WRAPPERS. "head/*" and "bottleneck/*" may differ: they keep their values, the head as a whole.
    Elsewhere a missing array, a shape that differs, or an array of the file that has no place in the network raises
    UserError, unless a glob in `allow_mismatch` covers the path (of what is too many: the name in the file).
    """
    arrays, notes, classes = file or read(path)
    ours = flatten(params) | flatten(stats)
    wrapper, naming, table = _choose(path, ours, arrays)
    known = namings(ours)[naming]
    if wrapper:
        outside = sum(not name.startswith(wrapper) for name in arrays)
        notes = (*notes, f"names without '{wrapper}'" + (f"; {outside} others left out" if outside else ""))
        arrays = _unwrapped(arrays, wrapper)
    values, misfits = _fit(ours, table, arrays)
    used = {name for entry in table.values() for name in entry.names}
    unused = {n: a.shape for n, a in arrays.items() if n not in used and not n.endswith("num_batches_tracked")}
    reinitialised = {p: (old, new) for p, (old, new) in misfits.items() if _is_head(p) or old is not None}
    missing = {p: new for p, (old, new) in misfits.items() if p not in reinitialised}
    loaded = {p: a.shape for p, a in values.items()}
    report = Report(path, naming, loaded, reinitialised, missing, unused, notes, classes)
    _refuse(report, [name for name in unused if not _beside_trunk(name, known)], allow_mismatch)
    filled = {p: jnp.asarray(values[p], ours[p].dtype) if p in values else ours[p] for p in ours}
    new = [unflatten({p: filled[p] for p in flatten(tree)}) for tree in (params, stats)]
    return new[0], new[1], report


def save(path: str, params: Tree, stats: Tree, naming: str = "torchvision", *, classes: Sequence[str] = ()) -> None:
    """Write params and stats as safetensors under the names of "torchvision", "timm", "huggingface" or "plain".

    classes: names of the head's rows, kept in the file. What a naming does not know (a bottleneck, heads that are not
    linear) is written under plain names.
    Raises UserError for a naming that the architecture does not have.
    """
    from safetensors.numpy import save_file

    arrays = under_names(params, stats, naming)
    temporary = Path(f"{path}.{os.getpid()}.tmp")
    named = {"classes": json.dumps(list(classes))} if classes else {}
    save_file(arrays, temporary, metadata={"format": "pt", **named})
    temporary.replace(path)


def under_names(params: Tree, stats: Tree, naming: str) -> dict[str, np.ndarray]:
    """{name in a file: float32 array} of params and stats. Raises UserError as `save` does."""
    ours = flatten(params) | flatten(stats)
    known = namings(ours)
    if naming not in known:
        raise unknown("naming of this network", naming, known)
    arrays = {}
    for p, entry in entries(ours, known[naming]).items():
        parts = entry.layout.write(np.asarray(ours[p], np.float32))
        arrays |= {n: np.ascontiguousarray(a) for n, a in zip(entry.names, parts, strict=True)}
    return arrays


WRAPPERS = ("module.", "model.", "state_dict.", "_orig_mod.", "backbone.", "encoder.", "base_model.", "encoder_q.")
WRAPPERS += ("base_encoder.", "net.", "network.")
"""What training scripts put before every name; also several, one after the other."""
BESIDE = re.compile(
    r"(pooler|pre_logits|bottleneck|cls|lm_head|decoder|classifier|pre_classifier|qa_outputs|vocab_\w+)\."
    r"|(embeddings\.)?mask_token$|.*relative_position_index$|.*attn_mask$"
    r"|(lm_predictions|mask_predictions|projector|quantizer|project_hid|project_q)\."
    r"|(masked_spec_embed|layer_weights|embeddings\.position_embeddings\.weight)$"
)
"""Of published models, what their features do not go through."""
PREFIXES = ("vit.", "resnet.", "convnext.", "mobilenet_v2.", "bert.", "roberta.", "distilbert.")
PREFIXES += ("dinov2.", "dinov2_with_registers.", "swin.", "efficientnet.")
PREFIXES += ("deberta.", "wav2vec2.", "hubert.", "audio_spectrogram_transformer.")
"""What Hugging Face's files of a model with a head put before the names of the trunk."""


def _unwrapped(arrays: Mapping[str, Any], wrapper: str) -> dict[str, Any]:
    return {name.removeprefix(wrapper): a for name, a in arrays.items() if name.startswith(wrapper)}


def _wrappers(names: Sequence[str], before: str = "", depth: int = 4) -> list[str]:
    """What may stand before the names, "" first."""
    longer = [before + w for w in WRAPPERS if any(name.startswith(before + w) for name in names)]
    return [before, *(found for one in longer if depth for found in _wrappers(names, one, depth - 1))]


def _beside_trunk(name: str, naming: Naming) -> bool:
    """Whether an array may be left out without the trunk becoming another function: of a head, whatever its kind."""
    bare = name.split(".", 1)[-1] if name.startswith(PREFIXES) else name
    other = naming.beside and re.match(naming.beside, name)
    return name.startswith((f"{naming.head.partition('.')[0]}.", "head.")) or bool(other or BESIDE.match(bare))


def _choose(path: str, ours: Mapping[str, Any], arrays: Mapping[str, Any]) -> tuple[str, str, dict[str, Entry]]:
    """(wrapper, naming, table): those under which the file has the most of our backbone, with or without the full
    model's prefix."""
    best: tuple[int, str, str, dict[str, Entry]] = (0, "", "", {})
    known = namings(ours)
    for wrapper in _wrappers(list(arrays)):
        names = _unwrapped(arrays, wrapper)
        for name, naming in known.items():
            for prefix in {naming.prefix: None, "": None}:
                table = entries(ours, naming._replace(prefix=prefix))
                hits = sum(n in names for p, e in table.items() if p.startswith("backbone/") for n in e.names)
                best = max(best, (hits, wrapper, name, table), key=lambda b: b[0])
    if best[0] == 0:
        there = ", ".join(f"'{name}'" for name in list(arrays)[:3])
        wanted = next(iter(entries(ours, next(iter(known.values()))).values())).names[0]
        raise UserError(
            f"init_from {path}: none of its {len(arrays)} arrays is one of this network's. The file has {there}, ...; "
            f"the network would look for names like '{wanted}'. Is it another architecture? Names are known for: "
            f"{', '.join(NAMINGS)} (torchvision, timm, Hugging Face)."
        )
    return best[1:]


def _fit(
    ours: Mapping[str, Any], table: Mapping[str, Entry], arrays: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, tuple[Shape | None, Shape]]]:
    """({path: array}, {path: (shape in the file or None, our shape)}) for what fits and what does not."""
    values, misfits = {}, {}
    for path, (names, layout) in table.items():
        shape = tuple(ours[path].shape)
        if any(name not in arrays for name in names):
            misfits[path] = (None, shape)
            continue
        array = layout.read([arrays[name] for name in names], shape)
        if array.shape == shape:
            values[path] = array
        else:
            misfits[path] = (array.shape, shape)
    # A bias for the same number of classes means nothing without its kernel.
    for group in ("head/", "bottleneck/"):
        if any(path.startswith(group) for path in misfits):
            again = [path for path in values if path.startswith(group)]
            misfits |= {path: (values.pop(path).shape, tuple(ours[path].shape)) for path in again}
    return values, misfits


def _is_head(path: str) -> bool:
    return path.startswith(("head/", "bottleneck/"))


def _refuse(report: Report, extra: Sequence[str], allowed: Sequence[str]) -> None:
    """Raises UserError for what does not fit outside the head and is not allowed."""
    wrong = {p: f"{old} != {new}" for p, (old, new) in report.reinitialised.items() if not _is_head(p)}
    wrong |= {p: f"{shape} is not in the file" for p, shape in report.missing.items()}
    wrong |= {name: f"{report.unused[name]} has no place in the network" for name in extra}
    wrong = {p: why for p, why in wrong.items() if not any(fnmatchcase(p, pattern) for pattern in allowed)}
    if wrong:
        allow = {p.rsplit("/", 1)[0] + "/*" if "/" in p else re.sub(r"\d+", "*", p): None for p in wrong}
        raise UserError(
            "\n".join([str(report).splitlines()[0], *_list("outside the head", wrong)])
            + "\nWrong architecture? Refusing; nothing was loaded. If it is meant: "
            f"--allow_mismatch='{next(iter(allow))}'"
            + (f", and so for {', '.join(list(allow)[1:SHOWN])}." if len(allow) > 1 else ".")
        )
