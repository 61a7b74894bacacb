"""Classes by their names alone: images of a domain beside prompts, by the two towers of a published network."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.errors import UserError, require
from tl_jax.core.files import write_atomically
from tl_jax.core.inputs import accepting_bytes
from tl_jax.data.domain import Domain, Examples, known
from tl_jax.evaluation.metrics import evaluate, log_softmax, predictions
from tl_jax.models.networks import build
from tl_jax.models.networks import network as named
from tl_jax.models.parts.conv import conv_form
from tl_jax.models.parts.recipe import Recipe
from tl_jax.models.zero_shot import TEXTS, Pair, checked, class_features, logits, opened, scale_of, tower_features
from tl_jax.programs.trained.predict import confusion
from tl_jax.programs.trained.rows import as_csv
from tl_jax.run.report.table import Table
from tl_jax.run.store.names import readable
from tl_jax.run.store.rundir import write_json

SPLITS = ("train", "validation", "test", "all")


class Asked(NamedTuple):
    """What is asked of a domain: a network of two towers, prompts, which split, and names of the classes where the
    domain has none, or others than those that it has."""

    network: str
    prompts: tuple[str, ...]
    split: str = "test"
    classes: tuple[str, ...] = ()


class Found(NamedTuple):
    """Of n examples: their names, labels [n] (-1: unknown), logits [n, c]; the classes as prompts name them; notes."""

    asked: Asked
    domain: str
    classes: tuple[str, ...]
    names: np.ndarray
    y: np.ndarray
    logits: np.ndarray
    notes: tuple[str, ...]


def zero_shot(target: Domain, asked: Asked) -> Found:
    """The images of a split beside the classes' names. Raises UserError for whatever is missing."""
    require("--split", asked.split, SPLITS)
    checked(asked.prompts)
    classes = class_names(target, asked.classes)
    family, recipe = towers(asked.network)
    if target.modality != "image":
        raise UserError(f"{target.name} holds {target.modality}, and zero-shot prediction is of images.")
    of = opened(family, recipe.pretrained.place if recipe.pretrained else "")
    splits, rows = parts_of(target, asked.split)
    texts = class_features(of, asked.prompts, classes)
    x = image_features(of, recipe, np.concatenate([part.x for part in splits.values()]))
    names = [name if len(splits) == 1 else f"{split} {name}" for split, found in rows.items() for name in found]
    notes = list(target.notes)
    side, size = min(target.train.x.shape[1:3]), recipe.pixels.size if recipe.pixels else 0
    if side < size:
        notes.append(f"images of {side} px are enlarged to {size}: files are better read so (?size={size})")
    y = np.concatenate([part.y for part in splits.values()])
    y = y if np.issubdtype(y.dtype, np.integer) else np.full(len(y), -1, np.int32)
    said = logits(x, texts, scale_of(of))
    return Found(asked, target.name, classes, np.array(names, object), y, said.astype(np.float32), tuple(notes))


def parts_of(target: Domain, split: str) -> tuple[dict[str, Examples], dict[str, np.ndarray]]:
    """The examples of a split, or of "all", and what each of them is called, by split."""
    parts = dict(target.splits) if split == "all" else {split: target.splits[split]}
    return parts, {name: target.ids.get(name, np.arange(len(part.y))) for name, part in parts.items()}


def class_names(target: Domain, given: Sequence[str]) -> tuple[str, ...]:
    """The names that stand in prompts. Raises UserError where there are none, or another number."""
    if target.values:
        raise UserError(f"{target.name} has values as labels (a regression): zero-shot prediction is of classes.")
    if given and target.classes and len(given) != len(target.classes):
        raise UserError(
            f"--classes names {len(given)} classes, {target.name} has {len(target.classes)} "
            f"({', '.join(target.classes[:5])}{', ...' * (len(target.classes) > 5)}): one name for each, in this order."
        )
    names = tuple(given) or target.classes
    if len(names) < 2:
        raise UserError(
            f"{target.name} has no names of classes, and prompts are made of them: --classes=cat,dog, or "
            "--classes=FILE with a name a line."
        )
    return names


def towers(text: str) -> tuple[str, Recipe]:
    """The family of a network and its recipe. Raises UserError for one without a text tower."""
    call = named(text)
    if call.name not in TEXTS:
        raise UserError(
            f"--network={call.text} has no text tower: use {' or '.join(f'{name}(from=PATH)' for name in TEXTS)}."
        )
    recipe = call.changed(bottleneck=0)()
    if recipe.pretrained is None:
        raise UserError(f"--network={call.text} is random: {call.name}(from=PATH) names the folder of its weights.")
    return call.name, recipe


def image_features(of: Pair, recipe: Recipe, x: np.ndarray) -> np.ndarray:
    """float32 [n, d] of images as a domain has them, by the image tower."""
    network = build(recipe, 2, jnp.float32, conv_form(jax.default_backend(), False))
    return tower_features(of, accepting_bytes(network), x)


def record(found: Found) -> dict[str, Any]:
    """What is written down: the question, and of known labels the metrics, each class's share, and the confusion."""
    said: dict[str, Any] = {
        "kind": "zero_shot",
        "network": found.asked.network,
        "target": found.domain,
        "split": found.asked.split,
        "prompts": list(found.asked.prompts),
        "classes": list(found.classes),
        "examples": len(found.y),
        "labelled": int(known(found.y).sum()),
    }
    rows = known(found.y)
    if rows.any():
        y, got = found.y[rows], predictions(found.logits[rows])
        counts = np.zeros((len(found.classes),) * 2, int)
        np.add.at(counts, (y, got), 1)
        totals = counts.sum(1)
        shares = {name: float(counts[i, i] / totals[i]) for i, name in enumerate(found.classes) if totals[i]}
        said |= {"metrics": evaluate(found.logits[rows], y), "right": shares, "confusion": counts.tolist()}
    return said


def lines(found: Found) -> list[str]:
    """The table for a terminal: metrics, each class, who is taken for whom; without labels how often each is said."""
    rows = known(found.y)
    got = predictions(found.logits)
    if not rows.any():
        counts = np.bincount(got, minlength=len(found.classes))
        width = max(map(len, found.classes))
        shown = (f"{name:{width}}  {n}" for name, n in zip(found.classes, counts, strict=True))
        return ["no label is known: predictions alone", *shown]
    metrics = evaluate(found.logits[rows], found.y[rows])
    shown = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in metrics.items())
    return [f"{shown} of {int(rows.sum())} labelled examples", *confusion(found.y[rows], got[rows], found.classes)]


def cells(found: Found) -> dict[str, np.ndarray]:
    """{column: [n]}: example, label where some are known, class, probability and entropy (nats)."""
    log_p = log_softmax(found.logits)
    label = {"label": np.array([*found.classes, ""], object)[found.y]} if known(found.y).any() else {}
    said = np.array([*found.classes, None], object)[predictions(found.logits)]
    got = {"class": said, "probability": np.exp(log_p.max(-1))}
    return {"example": found.names, **label, **got, "entropy": -(np.exp(log_p) * log_p).sum(-1)}


def table(found: Found) -> Table:
    """A row a class for a document: examples and share of right ones."""
    said = record(found)
    counts = np.sum(said.get("confusion", np.zeros((len(found.classes),) * 2)), axis=1)
    body = [
        [name, str(int(n)), f"{said['right'][name]:.3f}" if n else "-"]
        for name, n in zip(found.classes, counts, strict=True)
    ]
    metrics = said.get("metrics")
    whole = ["all", str(said["labelled"]), f"{metrics['accuracy']:.3f}" if metrics else "-"]
    prompts = "; ".join(found.asked.prompts[:3]) + (
        f"; and {n} more" if (n := len(found.asked.prompts) - 3) > 0 else ""
    )
    note = f"{found.asked.network} on {found.domain} ({found.asked.split}), prompts: {prompts}. Nothing was trained."
    return Table([["class", "examples", "right"], *body, whole], note)


def write(found: Found, folder: str) -> Path:
    """zero_shot.json, zero_shot.md and predictions.csv in a folder, by default one of the question's own; it."""
    question = repr((found.asked, found.domain, found.classes))
    name = f"zero_shot-{readable(found.domain)}-{hashlib.sha256(question.encode()).hexdigest()[:8]}"
    root = Path(folder) if folder else Path("runs") / name
    root.mkdir(parents=True, exist_ok=True)
    write_json(root / "zero_shot.json", record(found))
    write_atomically(root / "zero_shot.md", table(found).markdown().encode())
    write_atomically(root / "predictions.csv", as_csv(cells(found)))
    return root
