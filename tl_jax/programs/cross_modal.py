"""Retrieval between images and texts: the image that a text is of, and the text of an image."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain
from tl_jax.evaluation.neighbours import retrieval
from tl_jax.models.zero_shot import opened, text_features
from tl_jax.programs.zero_shot import image_features, parts_of, towers
from tl_jax.run.report.table import Table

AT = (1, 5, 10)
COLUMNS = ("example", "caption")
Found = Mapping[str, Mapping[str, float]]
"""{"text to image", "image to text"} -> {"queries", "recall@1", ..., "map"}."""


def between(images: np.ndarray, y: np.ndarray, texts: np.ndarray, y_texts: np.ndarray) -> Found:
    """Both ways by cosine: images [n, d] and texts [m, d] belong together where y [n] and y_texts [m] are equal.

    recall@k and mAP as of `evaluation.neighbours.retrieval`, for as many ranks as there are.
    """
    ways = {"text to image": (texts, y_texts, images, y), "image to text": (images, y, texts, y_texts)}
    found = {}
    for name, (queries, y_q, gallery, y_g) in ways.items():
        ks = tuple(k for k in AT if k <= len(gallery))
        hits = retrieval(*map(jnp.asarray, (queries, y_q, gallery, y_g)), ks=ks)
        recalls = {f"recall@{k}": float(share) for k, share in zip(ks, hits.recall, strict=True)}
        found[name] = {"queries": hits.queries, **recalls, "map": hits.mean_average_precision}
    return found


def table(found: Found, note: str) -> Table:
    """A row a way, in the columns of `launch.unsupervised`."""
    names = [f"recall@{k}" for k in AT]
    cell = lambda way, name: f"{way[name]:.3f}" if name in way else "-"
    body = [
        [name, str(int(way["queries"])), *(cell(way, one) for one in names), cell(way, "map")]
        for name, way in found.items()
    ]
    return Table([["retrieval", "queries", *names, "mAP"], *body], note)


def captioned(path: str, names: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The captions of a CSV with the columns example and caption, and the row of each one's image [m].

    names: what the images are called. Raises UserError for another form, and for images that are not there.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            lines = csv.DictReader(file)
            if missing := [name for name in COLUMNS if name not in (lines.fieldnames or ())]:
                raise UserError(f"--captions={path} has no column {' and '.join(missing)}: {', '.join(COLUMNS)}.")
            pairs = [(line["example"], line["caption"]) for line in lines]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"--captions={path} cannot be read: {error}") from None
    if short := [i for i, pair in enumerate(pairs, 2) if None in pair]:
        raise UserError(f"--captions={path}: row {short[0]} has too few fields.")
    row = {str(name): i for i, name in enumerate(names)}
    if len(row) < len(names):
        raise UserError("Several images have one name, so that captions cannot say which they are of.")
    known = [(text, row[example]) for example, text in pairs if example in row]
    if not known:
        raise UserError(
            f"--captions={path}: none of its {len(pairs)} examples is one of the images, which are called "
            f"{', '.join(map(str, names[:3]))}, ..."
        )
    return [text for text, _ in known], np.array([i for _, i in known])


def cross_modal(target: Domain, network: str, captions: str, split: str) -> tuple[Found, str]:
    """Retrieval between the images of a split and their captions; what stands behind the numbers, in words."""
    family, recipe = towers(network)
    if target.modality != "image":
        raise UserError(f"{target.name} holds {target.modality}, and captions are of images.")
    of = opened(family, recipe.pretrained.place if recipe.pretrained else "")
    parts, called = parts_of(target, split)
    names = [str(name) for rows in called.values() for name in rows]
    texts, rows = captioned(captions, names)
    images = image_features(of, recipe, np.concatenate([part.x for part in parts.values()]))
    found = between(images, np.arange(len(images)), text_features(of, texts), rows)
    return found, f"{network} on {target.name} ({split}): {len(images)} images, {len(texts)} captions, by cosine."
