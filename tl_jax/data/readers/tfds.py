"""Domains from TensorFlow Datasets, read without TensorFlow; imported only where a 'tfds:' domain is named."""

import contextlib
import os
import re
from functools import partial
from typing import Any

import numpy as np
from absl import logging

from tl_jax.core.errors import UserError, unknown
from tl_jax.data.domain import Domain
from tl_jax.data.files.containers import Files
from tl_jax.data.readers import images, text
from tl_jax.data.readers.assemble import make
from tl_jax.data.readers.sound import padded
from tl_jax.data.spec import Spec, accept, data_folder, whole
from tl_jax.data.splits import given

FORMS = {"image": "image", "text": "text", "wave": "sound", "vector": "vector"}
"""The feature that holds x, and the modality it makes."""


def own_folder() -> str:
    """Where TFDS keeps what it prepares: TFDS_DATA_DIR, or ~/tensorflow_datasets."""
    return os.path.expanduser(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets"))


def folders(data_dir: str) -> list[str]:
    """Where prepared sets are looked for: the data folder, then TFDS's own."""
    return [folder for folder in dict.fromkeys((data_folder(data_dir), own_folder())) if folder]


def _parts(name: str) -> tuple[str, str]:
    """'mnist:3.0.1' -> ('mnist:3.0.1', ''); 'imagenet_r:test' -> ('imagenet_r', 'test')."""
    front, _, last = name.rpartition(":")
    return (front, last) if front and not re.fullmatch(r"[\d.*]+", last) else (name, "")


def _builder(name: str, data_dir: str) -> Any:
    """The builder of a set that is prepared in one of the folders, or None."""
    import tensorflow_datasets as tfds

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)  # it warns of every folder that holds something else
    try:
        for folder in folders(data_dir):
            with contextlib.suppress(Exception):  # an unknown name or an unreadable folder, in many forms
                # From what lies there, of whatever version: the set's own code may want another, and TensorFlow.
                return tfds.core.read_only_builder.builder_from_files(name, data_dir=folder)  # pyright: ignore[reportAttributeAccessIssue]
        return None
    finally:
        logging.set_verbosity(before)


def prepared(name: str, data_dir: str) -> bool:
    """Whether 'tfds:NAME' can be read."""
    return _builder(_parts(name)[0], data_dir) is not None


def load(spec: Spec, data_dir: str) -> Domain:
    """tfds:NAME[/CONFIG][:VERSION][:SPLIT]: a prepared set with a label and an image, text, wave or vector.

    Its own validation and test splits, a tenth of train held out where there is no validation split; with SPLIT
    that one alone, split at random within each class, as a set without a test split is. Images of different sizes
    are resized as in folders. Raises UserError if it is not prepared or has other features.
    """
    accept(spec, (*images.OPTIONS, "buckets", "length"))
    name, only = _parts(spec.path)
    builder = _builder(name, data_dir)
    if builder is None:
        places = folders(data_dir)
        raise UserError(
            f"tfds:{name} is not prepared under {' nor '.join(places)}. There is no automatic download. Prepare it "
            f"once, where TensorFlow is installed: tfds build {name} --data_dir={places[-1]} "
            "--file_format=array_record (or: tl-jax data prefetch tfds:NAME); "
            "or point --data_dir at the folder that holds it."
        )
    features, splits = builder.info.features or {}, list(builder.info.splits)
    key = next((k for k in FORMS if k in features), "")
    if not key or "label" not in features:
        raise UserError(
            f"tfds:{name} has features {list(features)} and splits {splits}: label and one of {list(FORMS)} are needed."
        )
    if only and only.partition("[")[0] not in splits:
        raise unknown(f"split of tfds:{name}:", only, splits)
    rate = int((builder.info.metadata or {}).get("rate", 0))
    return _assembled(spec, builder, key, only, rate)


def _assembled(spec: Spec, builder: Any, key: str, only: str, rate: int) -> Domain:
    splits = list(builder.info.splits)
    wanted = [only] if only else [s for s in ("train", "validation", "test") if s in splits]
    if not only and "train" not in wanted:
        raise UserError(f"{spec.text} has splits {splits}: name one, as in tfds:{builder.name}:{splits[0]}.")
    parts = {s: _read(spec, builder, s, key) for s in wanted}
    if key == "wave":
        longest = max(x.shape[1] for x, _ in parts.values())
        parts = {s: (padded(list(x), longest), y) for s, (x, y) in parts.items()}
    label = builder.info.features["label"]
    classes = tuple(label.names) if hasattr(label, "names") else None
    vocabulary = whole(spec, "buckets", text.BUCKETS, 2) if key == "text" else 0
    finish = partial(
        make,
        spec.text,
        classes=classes,
        task="classes" if classes else "regression",
        unlabelled="keep",  # -1 in their splits without labels
        modality=FORMS[key],
        rate=rate,
        vocabulary=vocabulary,
    )
    if "validation" in parts and "test" in parts:
        x, y = (np.concatenate(column) for column in zip(*parts.values(), strict=True))
        number = np.repeat([0, 1, 2], [len(part[1]) for part in parts.values()])
        return finish(x, y, rows=given(y, number))
    x, y = parts[wanted[0]]
    return finish(x, y, test=None if only else parts.get("test"))


def _read(spec: Spec, builder: Any, split: str, key: str) -> tuple[np.ndarray, np.ndarray]:
    """x and labels of one split."""
    if key == "image":
        return _images(spec, builder, split)
    examples = [(example[key], example["label"]) for example in builder.as_data_source(split)]
    values, labels = [value for value, _ in examples], np.array([label for _, label in examples])
    if key == "text":
        lines = [value.decode() if isinstance(value, bytes) else value for value in values]
        length = whole(spec, "length", text.LENGTH)
        out = text.tokens(lines, whole(spec, "buckets", text.BUCKETS, 2), length)
        return np.pad(out, ((0, 0), (0, length - out.shape[1]))), labels
    return padded(values) if key == "wave" else np.stack(values).astype(np.float32), labels


def _images(spec: Spec, builder: Any, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images decoded by this library, so that they are cached: at their own size where the set says one, else 64."""
    import tensorflow_datasets as tfds

    source = builder.as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()})
    labels = np.array([source[i]["label"] for i in range(len(source))])
    h, w, channels = builder.info.features["image"].shape
    ours = builder.info.metadata or {}
    side = h if h and h == w else ours.get("size", images.DEFAULT.size)
    default = images.Look(side, side, channels if h else ours.get("channels", 3))
    made = os.stat(os.path.join(builder.data_path, "dataset_info.json")).st_mtime_ns
    names = tuple(map(str, range(len(source))))
    files = Files(f"{builder.data_path}/{split}", names, ((len(source), made),), lambda i: source[int(i)]["image"])
    return images.read_images(files, images.look(spec, default))[0], labels
