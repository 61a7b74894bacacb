"""Domains from TensorFlow Datasets, read without TensorFlow; imported only where a 'tfds:' domain is named."""

import os
from typing import Any

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain, Examples


def load(name: str, data_dir: str) -> Domain:
    """A prepared image-classification set of TFDS: its train split (a tenth held out for validation) and test.

    Raises UserError if it is not prepared under `data_dir`, or has no image and label, or no test split.
    """
    import tensorflow_datasets as tfds

    where = os.path.expanduser(data_dir or os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets"))
    try:
        builder = tfds.builder(name, data_dir=where)
        ready = builder.is_prepared()
    except Exception:
        builder, ready = None, False
    if builder is None or not ready:
        raise UserError(
            f"tfds:{name} is not prepared under {where}. There is no automatic download. Prepare it once, where "
            f"TensorFlow is installed: tfds build {name} --data_dir={where} --file_format=array_record ; "
            "or point --data_dir at the folder that holds it."
        )
    features: Any = builder.info.features
    splits = builder.info.splits
    if not {"image", "label"} <= set(features or {}) or not {"train", "test"} <= set(splits):
        raise UserError(
            f"tfds:{name} has features {list(features or {})} and splits {list(splits)}: "
            "image, label, train and test are needed."
        )
    train, test = (_read(builder.as_data_source(split)) for split in ("train", "test"))  # pyright: ignore[reportCallIssue]
    held = np.random.default_rng(0).permutation(len(train.y))
    cut = len(train.y) // 10
    part = lambda rows: Examples(train.x[rows], train.y[rows])
    classes = tuple(features["label"].names)
    return Domain(f"tfds:{name}", classes, part(np.sort(held[cut:])), part(np.sort(held[:cut])), test)


def _read(source) -> Examples:
    x = np.stack([np.asarray(example["image"]) for example in source])
    return Examples(x, np.array([example["label"] for example in source], np.int32))
