"""MNIST-M, whole or as far as its first 5000 training images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.benchmarks.digit_sets import CLASSES, first_of
from tl_jax.data.benchmarks.record import Asked, Benchmark, File
from tl_jax.data.files.containers import Files, below, chosen, open_files
from tl_jax.data.readers.folder import Listing
from tl_jax.data.readers.images import Look
from tl_jax.data.splits import given


def mnist_m(asked: Asked) -> Listing | None:
    """MNIST over crops of photographs, 32 x 32: 59001 / 9001 images, or the first 5000 of the training images."""
    parts = [_mnist_m_part(asked.folder, part) for part in ("train", "test")]
    if None in parts:
        return None
    (train, pairs), (test, more) = (part for part in parts if part)
    if asked.protocol == "5000":
        pairs = pairs[:5000]
    if asked.protocol not in ("", str(len(pairs))):
        raise UserError(f"{asked.name}: {asked.folder} holds {len(pairs)} training images: mnist_m@{len(pairs)}.")
    names, labels = zip(*pairs, *more, strict=True)
    y = np.array(labels, np.int32)
    part = np.repeat([0, 2], [len(pairs), len(more)])
    return Listing(f"mnist_m@{len(pairs)}", _joined(train, test, names), y, CLASSES, given(y, part))


def _mnist_m_part(folder: Path, part: str) -> tuple[Files, list[tuple[str, int]]] | None:
    """The files of a split and its (name, label) in order of name, of those images that are there."""
    archive = first_of(folder, f"mnist_m_{part}.zip", f"mnist_m_{part}_first5000.zip")
    if (folder / f"mnist_m_{part}").is_dir():
        files = open_files(folder)
    elif archive:
        files = open_files(archive)
    elif whole := first_of(folder, "mnist_m.tar.gz"):
        files = below(open_files(whole), "mnist_m")
    else:
        return None
    there = set(files.names)
    table = f"mnist_m_{part}_labels.txt"
    try:
        lines = [line.split() for line in files.read(table).decode().splitlines() if line.strip()]
        pairs = sorted((f"mnist_m_{part}/{name}", int(label)) for name, label in lines)
    except ValueError as error:
        raise UserError(f"{files.root}/{table} is not the list of names and digits ({error}). Get it again.") from None
    return files, [pair for pair in pairs if pair[0] in there]


def _joined(train: Files, test: Files, names: Sequence[str]) -> Files:
    """Two archives read as one."""
    stamps = dict(zip(train.names + test.names, train.stamps + test.stamps, strict=True))
    read = lambda name: (train if name.startswith("mnist_m_train") else test).read(name)
    return chosen(Files(train.root, tuple(stamps), tuple(stamps.values()), read), names)


MNIST_M = Benchmark(
    "MNIST-M (Ganin et al. 2016, arXiv:1505.07818)",
    "http://yaroslav.ganin.net/",
    "mnist_m",
    (
        File("mnist_m.tar.gz", instead="the two zips that follow, which hold the first 5000 training images"),
        File(
            "mnist_m_train_first5000.zip",
            11430826,
            "67549178c258fd18ea7b0574624a180c9f4c48b5bd02f5f7b5a82259fb46f0f9",
            instead="mnist_m.tar.gz",
        ),
        File(
            "mnist_m_test.zip",
            19145102,
            "eb91d33806c81e56e471bca60c46cd1030f54241861b639a74ee650be6da2493",
            instead="mnist_m.tar.gz",
        ),
    ),
    mnist_m,
    protocols=("", "59001", "5000"),
    layout="mnist_m_train/00000000.png",
    look=Look(32, 32),
)
