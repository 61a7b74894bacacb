"""Our benchmarks as sets of TensorFlow Datasets: prepared as array_record, and read, without TensorFlow."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from tl_jax.data.domain import Domain
from tl_jax.data.files.decoder import opened
from tl_jax.data.readers.folder import Listing
from tl_jax.data.readers.images import DEFAULT, Look

_VERSION = "1.0.0"


def config_name(domain: str, protocol: str) -> str:
    """'amazon', 'split' -> 'amazon-split'."""
    return "-".join(part for part in (domain, protocol) if part) or "all"


def builder(name: str, found: Domain | Listing, folder: str, *, config: str, page: str, look: Look = DEFAULT) -> Any:
    """A GeneratorBasedBuilder of a benchmark's domain that writes under `folder`/NAME/CONFIG.

    Features: image (the original file where it is a JPEG or PNG in colour), vector or wave; and label.
    look: the size at which images are read where they have several.
    """
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    names = found.classes
    modality = found.modality if isinstance(found, Domain) else "image"
    kept = {"rate": found.rate if isinstance(found, Domain) else 0, "size": look.size, "channels": look.channels}
    label: Any = tfds.features.ClassLabel(names=list(names)) if names else np.float32
    features = tfds.features.FeaturesDict({_KEYS[modality]: _feature(tfds, found, modality), "label": label})

    class Prepared(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """The one that TFDS asks for: info, splits and examples, all decided outside."""

        VERSION = tfds.core.Version(_VERSION)
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=config)]  # noqa: RUF012

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self, features=features, homepage=page, metadata=tfds.core.MetadataDict(kept)
            )

        def _split_generators(self, dl_manager):
            return {split: self._generate_examples(split) for split in ("train", "validation", "test")}

        def _generate_examples(self, split):
            yield from _examples(found, split, _KEYS[modality])

    Prepared.name = name
    return Prepared(data_dir=folder, config=config, file_format="array_record")


_KEYS = {"image": "image", "vector": "vector", "sound": "wave"}


def _feature(tfds: Any, found: Domain | Listing, modality: str) -> Any:
    if isinstance(found, Listing):
        return tfds.features.Image(shape=(None, None, 3))
    if modality == "vector":
        # Mostly zeros where they are counts.
        return tfds.features.Tensor(shape=found.train.x.shape[1:], dtype=np.float32, encoding="zlib")
    if modality == "sound":
        return tfds.features.Tensor(shape=(None,), dtype=np.int16)
    return tfds.features.Image(shape=found.train.x.shape[1:])


def _examples(found: Domain | Listing, split: str, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    from PIL import Image

    if isinstance(found, Listing):
        for number, row in enumerate(getattr(found.rows, split)):
            data = _colour_file(found.files.read(found.files.names[row]))
            yield number, {key: data, "label": int(found.y[row])}
        return
    part = found.splits[split]
    for number, (x, y) in enumerate(zip(part.x, part.y, strict=True)):
        if key == "image":
            x = Image.fromarray(x[..., 0] if x.shape[-1] == 1 else x)
        elif key == "wave":
            x = np.trim_zeros(x, "b") if x.any() else x[:1]
        yield number, {key: x, "label": int(y) if found.classes else float(y)}


def _colour_file(data: bytes) -> Any:
    """The file itself if it is a JPEG or PNG in colour, else a picture in colour."""
    image = opened(data)
    if image.format in ("JPEG", "PNG") and image.mode == "RGB":
        return io.BytesIO(data)
    return image.convert("RGB")
