"""CIFAR-10 with its corruptions, and Omniglot's characters."""

import io
import re

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.benchmarks.pictures import located
from tl_jax.data.benchmarks.record import Asked, Benchmark, File
from tl_jax.data.domain import Domain
from tl_jax.data.files.containers import Files, open_files
from tl_jax.data.readers.assemble import class_names, make, numbered
from tl_jax.data.readers.folder import Listing
from tl_jax.data.readers.images import Look
from tl_jax.data.splits import given

CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CORRUPTIONS = (
    *(
        "gaussian_noise",
        "shot_noise",
        "impulse_noise",
        "defocus_blur",
        "glass_blur",
        "motion_blur",
        "zoom_blur",
        "snow",
    ),
    *("frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression", "speckle_noise"),
    *("gaussian_blur", "spatter", "saturate"),
)


def cifar10(asked: Asked) -> Domain | None:
    """50000 / 10000 colour images, 32 x 32: records of one label byte and 3 planes, in the binary version."""
    archive = asked.folder / "cifar-10-binary.tar.gz"
    folder = asked.folder / "cifar-10-batches-bin"
    if not (folder.is_dir() or archive.is_file()):
        return None
    files = open_files(folder if folder.is_dir() else archive)
    parts = []
    for stem in ("data_batch", "test_batch"):
        names = [name for name in files.names if name.split("/")[-1].startswith(stem)]
        content = [files.read(name) for name in names]
        if not content or any(not one or len(one) % 3073 for one in content):
            raise UserError(f"{files.root}: {stem}*.bin are not whole; records have 3073 bytes. Get the archive again.")
        records = np.frombuffer(b"".join(content), np.uint8).reshape(-1, 3073)
        parts.append((records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]))
    return make(asked.name, *parts[0], test=parts[1], classes=CIFAR_CLASSES)


def cifar10_c(asked: Asked) -> Domain | None:
    """CIFAR-10's 10000 test images under one corruption at one severity, in splits of our own."""
    files = located(asked.folder, ("CIFAR-10-C",), ("CIFAR-10-C.tar",))
    names = (f"{asked.domain}.npy", "labels.npy")
    if files is None or not set(names) <= set(files.names):
        return None
    rows = slice(10000 * (int(asked.protocol) - 1), 10000 * int(asked.protocol))
    try:
        x, y = (np.load(io.BytesIO(files.read(name)), allow_pickle=False)[rows] for name in names)
    except (OSError, ValueError) as error:
        raise UserError(f"{files.root}/{names[0]} is not a whole .npy file ({error}). Get it again.") from None
    return make(asked.name, x, y, classes=CIFAR_CLASSES)


def omniglot(asked: Asked) -> Listing | None:
    """Handwritten characters, 105 x 105, one class a character; 20 people drew each: 16 train, 2 validation, 2 test."""
    sets = (asked.domain,) if asked.domain else ("background", "evaluation")
    whole = asked.folder / "omniglot.tar.xz"
    found: dict[str, Files] = {}
    for part in sets:
        folder = asked.folder / f"images_{part}"
        archive = next((p for p in (asked.folder / f"images_{part}.zip", whole) if p.is_file()), None)
        if not folder.is_dir() and archive is None:
            return None
        files = open_files(asked.folder) if folder.is_dir() or archive is None else open_files(archive)
        names = [n for n in files.names if re.fullmatch(rf"images_{part}/[^/]+/[^/]+/\d+_\d\d\.png", n)]
        found |= dict.fromkeys(names, files)
    stamps = {n: s for f in {id(f): f for f in found.values()}.values() for n, s in zip(f.names, f.stamps, strict=True)}
    names = tuple(sorted(found))
    files = Files(str(asked.folder), names, tuple(stamps[n] for n in names), lambda name: found[name].read(name))
    labels = np.array(["/".join(name.split("/")[1:3]) for name in names])
    drawer = np.array([int(name[-6:-4]) for name in names])
    y, classes = numbered(asked.name, labels, class_names(labels), "classes")
    return Listing(asked.name, files, y, classes, given(y, (drawer > 16).astype(int) + (drawer > 18)))


CIFAR10 = Benchmark(
    "CIFAR-10 (Krizhevsky 2009)",
    "https://www.cs.toronto.edu/~kriz/cifar.html",
    "cifar10",
    (File("cifar-10-binary.tar.gz", 170052171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),),
    cifar10,
    layout="cifar-10-batches-bin/data_batch_1.bin",
    tfds="cifar10",
    look=Look(32, 32),
)
CIFAR10_C = Benchmark(
    "CIFAR-10-C (Hendrycks, Dietterich 2019, arXiv:1903.12261)",
    "https://zenodo.org/record/2535967",
    "cifar10_c",
    (File("CIFAR-10-C.tar", 2918471680, "c72763e101c723b7c507b96205f7e938912a5d587376173b825850cf3cb876a7"),),
    cifar10_c,
    CORRUPTIONS,
    ("5", "4", "3", "2", "1"),
    "CIFAR-10-C/gaussian_noise.npy",
    "cifar10_corrupted/{domain}_{protocol}:test",
    Look(32, 32),
)
OMNIGLOT = Benchmark(
    "Omniglot (Lake, Salakhutdinov, Tenenbaum 2015, doi:10.1126/science.aab3050)",
    "https://github.com/brendenlake/omniglot",
    "omniglot",
    (
        File("omniglot.tar.xz", 6012128, "262379920f0c04c72099bb725b7b44cd4ab100272eced68f7d594daa4badd51c",
             instead="the two official zips"),
        File("images_background.zip", 9464212, "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640",
             ("", "background"), "omniglot.tar.xz"),
        File("images_evaluation.zip", 6462886, "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee",
             ("", "evaluation"), "omniglot.tar.xz"),
    ),
    omniglot,
    ("", "background", "evaluation"),
    layout="images_background/Greek/character01/0394_01.png",
    look=Look(28, 28, 1),
)  # fmt: skip
