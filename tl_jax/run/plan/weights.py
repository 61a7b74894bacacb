"""Where a run begins instead of at random: weights from a file."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.core.trees import flatten
from tl_jax.core.types import Array, Network, Tree
from tl_jax.models import zero_shot
from tl_jax.models.context import text_weights
from tl_jax.models.files.pretrained import Report, load
from tl_jax.models.files.weights import File
from tl_jax.models.networks import network as named
from tl_jax.models.parts.recipe import as_recipe
from tl_jax.run.settings.config import Config


class Weights(NamedTuple):
    """What a file gave: {path: array} of the parameters it had, all statistics, the report, and its own linear head
    under "source_head/" (empty if it has none)."""

    params: dict[str, np.ndarray]
    stats: Tree
    report: Report
    source_head: dict[str, np.ndarray] = {}  # noqa: RUF012


def read_weights(
    config: Config,
    network: Network,
    x: Array,
    classes: Sequence[str] = (),
    *,
    new_head: bool = False,
    file: File | None = None,
) -> Weights:
    """The file that --init_from names, for a network that takes x [n, ...] and tells `classes` apart.

    new_head: the head is another task's and begun anew; else its rows go by the names of the classes. file: what it
    holds, where that was read already (weights of a run).
    Raises UserError where the file does not fit.
    """
    key = jax.random.key(0)
    shapes, _ = jax.eval_shape(network.init, key, x)
    stats = jax.jit(lambda: network.init(key, x)[1])()
    again = partial(load, config.init_from, allow_mismatch=config.allow_mismatch, file=file)
    params, stats, report = again(shapes, stats)
    flat = flatten(params)
    if not new_head and classes:
        flat, report = _by_class(flat, report, classes)
    kept = [p for p in report.loaded if p in flat and not (new_head and p.startswith("head/"))]
    if not any(path.startswith("head/") for path in kept) and (by_name := named_head(config, classes)):
        flat, report, kept = flat | by_name, _begun_by_name(report, by_name), [*kept, *by_name]
    head = _source_head(again, (shapes, stats), (flat, report)) if new_head else {}
    report = report._replace(notes=(*report.notes, *tensorflow_hint(config.network, report)))
    return Weights({path: np.asarray(flat[path]) for path in kept}, stats, report, head)


def named_head(config: Config, classes: Sequence[str]) -> dict[str, np.ndarray]:
    """{path: array} of the head that the network begins from the names of the classes; {} where it begins otherwise.

    Raises UserError where there are no names.
    """
    call = named(config.network)
    recipe = as_recipe(call())
    if not recipe.prompts or recipe.pretrained is None:
        return {}
    if not classes:
        raise UserError(f"--network={call.text}: prompt= is of classes by their names, and the target has none.")
    return zero_shot.named_head(zero_shot.opened(call.name, recipe.pretrained.place), recipe.prompts, classes)


def with_texts(config: Config, weights: Weights) -> Weights:
    """The weights with those of the network's text tower, for strategies that learn what stands before a name."""
    call = named(config.network)
    of = as_recipe(call()).pretrained
    assert of is not None
    return weights._replace(params=weights.params | text_weights(zero_shot.opened(call.name, of.place)))


def _begun_by_name(report: Report, head: Mapping[str, np.ndarray]) -> Report:
    """The report with the head among what is loaded."""
    again = {path: both for path, both in report.reinitialised.items() if path not in head}
    loaded = report.loaded | {path: array.shape for path, array in head.items()}
    note = f"head: the features of the names of {head['head/kernel'].shape[1]} classes in the network's prompt."
    return report._replace(loaded=loaded, reinitialised=again, notes=(*report.notes, note))


def _by_class(flat: dict[str, Any], report: Report, ours: Sequence[str]) -> tuple[dict[str, Any], Report]:
    """The head's rows in the order of our classes, by name; a head of other classes is begun anew."""
    head = [path for path in report.loaded if path.startswith("head/")]
    theirs = report.classes if len(report.classes) == len(ours) else ()
    if not head or tuple(ours) == theirs:
        return flat, report
    if not theirs:
        why = "the file names no classes" if not report.classes else f"the file names {len(report.classes)} classes"
        return flat, report._replace(notes=(*report.notes, f"head taken row by row: {why}."))
    if set(theirs) != set(ours) or len(set(ours)) < len(ours):
        again = {path: (report.loaded[path], report.loaded[path]) for path in head}
        loaded = {path: shape for path, shape in report.loaded.items() if path not in again}
        note = f"head begun anew: the file's classes are others ({_few(theirs)}), not {_few(ours)}."
        more = {"loaded": loaded, "reinitialised": {**report.reinitialised, **again}}
        return flat, report._replace(**more, notes=(*report.notes, note))
    order = np.array([theirs.index(name) for name in ours])
    rows = lambda path, x: x.ndim and x.shape[-1] == len(ours) and not path.startswith("head/dense1/")
    moved = {path: flat[path][..., order] for path in head if rows(path, flat[path])}
    note = "head: its rows put into the order of the classes here, by their names."
    return flat | moved, report._replace(notes=(*report.notes, note))


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(str, names[:4])) + (", ..." if len(names) > 4 else "")


def _source_head(again: Callable, network: tuple[Tree, Tree], found: tuple[Mapping[str, Any], Report]) -> dict:
    """The file's linear head, whatever its number of classes; again(shapes, stats): what it gives other shapes."""
    (shapes, stats), (flat, report) = network, found
    if set(shapes["head"]) != {"kernel", "bias"}:
        return {}
    if "head/kernel" in report.reinitialised:
        old = report.reinitialised["head/kernel"][0]
        if old is None or old[0] != shapes["head"]["kernel"].shape[0]:
            return {}
        sizes = {"kernel": old, "bias": old[-1:]}
        head = {name: jax.ShapeDtypeStruct(size, np.float32) for name, size in sizes.items()}
        flat = flatten(again({**shapes, "head": head}, stats)[0])
    return {f"source_head/{name}": np.asarray(flat[f"head/{name}"]) for name in ("kernel", "bias")}


def tensorflow_hint(network: str, report: Report) -> tuple[str, ...]:
    """A line where MobileNetV2 is about to read TensorFlow's weights with PyTorch's padding, by what the file shows."""
    call = named(network)
    if call.name != "mobilenet_v2" or call.arguments.get("tf"):
        return ()
    old = (report.reinitialised.get("head/kernel") or (None,))[0]
    signs = {
        "the file says so": any("tensorflow" in note.lower() for note in report.notes),
        "its head has 1001 classes": bool(old) and old[-1] == 1001,
        "Hugging Face's are": report.naming == "huggingface",
    }
    why = next((sign for sign, shown in signs.items() if shown), "")
    if not why:
        return ()
    arguments = "tf=True, epsilon=1e-3" if report.naming == "huggingface" else "tf=True"
    return (f"These look like TensorFlow's weights ({why}), padded as in --network='mobilenet_v2({arguments})'.",)


def for_trials(count: int, model: Any) -> Any:
    """A model [1, ...] or [count, ...] -> [count, ...], the same for every trial if it was one."""
    spread = lambda x: x if len(x) == count else np.broadcast_to(x, (count, *x.shape[1:]))
    return jax.tree.map(spread, model)
