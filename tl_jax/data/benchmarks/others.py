"""Benchmarks of features, reviews, speech and schools."""

import io

import numpy as np

from tl_jax.data.benchmarks.matlab import matlab, svmlight
from tl_jax.data.benchmarks.record import Asked, Benchmark, File
from tl_jax.data.domain import Domain
from tl_jax.data.files.containers import chosen, open_files, refuse_html
from tl_jax.data.readers.assemble import make
from tl_jax.data.readers.sound import read_waves
from tl_jax.data.readers.text import unit_rows
from tl_jax.data.splits import Rows, given, hold_out

OFFICE_CALTECH_CLASSES = (
    *("back_pack", "bike", "calculator", "headphones", "keyboard"),
    *("laptop_computer", "monitor", "mouse", "mug", "projector"),
)
"""As the folders of Office-31 are named."""
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


def office_caltech(asked: Asked) -> Domain | None:
    """SURF bags of words [n, 800], rows divided by their sum, then every feature to mean 0, deviation 1 per domain.

    Gong, Shi, Sha, Grauman 2012, doi:10.1109/CVPR.2012.6247911.
    """
    stem = "Caltech10" if asked.domain == "caltech" else asked.domain
    path = asked.folder / "surf" / f"{stem}_SURF_L10.mat"
    path = path if path.is_file() else asked.folder / path.name
    if not path.is_file():
        return None
    refuse_html(path)
    x, y = matlab(path, str(path), "fts", "labels")
    x, y = x.astype(np.float64), y.reshape(-1).astype(np.int64) - 1
    x = x / np.maximum(x.sum(1, keepdims=True), 1)
    deviation = x.std(0)
    x = ((x - x.mean(0)) / np.where(deviation > 0, deviation, 1)).astype(np.float32)
    rows = None
    if asked.protocol == "surf-all":
        train, validation = hold_out(y)
        rows = Rows(train, validation, np.concatenate([train, validation]))
    return make(asked.name, x, y, rows=rows, classes=OFFICE_CALTECH_CLASSES, modality="vector")


def amazon_reviews(asked: Asked) -> Domain | None:
    """Counts of 5000 words and pairs, rows of Euclidean length 1: the 2000 labelled and 3586 to 5945 test reviews."""
    archive = asked.folder / "amazon_dann_svmlight.zip"
    names = [f"{asked.domain}_{part}.svmlight" for part in ("train", "test")]
    unpacked = all((asked.folder / name).is_file() for name in names)
    if not unpacked and not archive.is_file():
        return None
    files = open_files(asked.folder if unpacked else archive)
    read = [io.BytesIO(files.read(name)) for name in names]
    x, y, x_test, y_test = svmlight(read, f"{files.root}: {' and '.join(names)}", n_features=5000, zero_based=True)
    dense = lambda rows: unit_rows(rows.toarray().astype(np.float32))
    label = lambda y: (y > 0).astype(np.int32)
    test = (dense(x_test), label(y_test))
    return make(asked.name, dense(x), label(y), test=test, classes=("negative", "positive"), modality="vector")


def fsdd(asked: Asked) -> Domain | None:
    """Spoken digits of one person, 8 kHz: 50 recordings a digit, of which the first five are the official test."""
    archive = asked.folder / "fsdd_recordings.zip"
    if not ((asked.folder / "recordings").is_dir() or archive.is_file()):
        return None
    files = open_files(asked.folder if (asked.folder / "recordings").is_dir() else archive)
    found = {name: name.split("/")[-1][:-4].split("_") for name in files.names if name.endswith(".wav")}
    names = [name for name, parts in found.items() if parts[1:2] == [asked.domain]]
    if not names:
        return None
    names = [name for name in names if found[name][0].isdecimal() and found[name][2:3] and found[name][2].isdecimal()]
    y = np.array([int(found[name][0]) for name in names], np.int32)
    rows = given(y, np.where([int(found[name][2]) < 5 for name in names], 2, 0))
    if asked.protocol == "all":
        train, validation = hold_out(y)
        rows = Rows(train, validation, np.concatenate([train, validation]))
    x, rate, *_ = read_waves(chosen(files, names))
    return make(asked.name, x, y, rows=rows, classes=tuple("0123456789"), modality="sound", rate=rate)


def school(asked: Asked) -> Domain | None:
    """Exam scores of 15362 pupils of 139 schools from 27 features and a constant: regression, school/K or all."""
    path = asked.folder / "school.mat"
    if not path.is_file():
        return None
    refuse_html(path)
    x, y = ([np.asarray(cell, np.float32) for cell in cells.ravel()] for cells in matlab(path, str(path), "X", "Y"))
    chosen_ones = [int(asked.domain) - 1] if asked.domain else range(len(x))
    rows, scores = np.concatenate([x[i] for i in chosen_ones]), np.concatenate([y[i].ravel() for i in chosen_ones])
    return make(asked.name, rows, scores, task="regression", modality="vector")


OFFICE_CALTECH = Benchmark(
    "Office-Caltech-10, SURF features (Gong, Shi, Sha, Grauman 2012, doi:10.1109/CVPR.2012.6247911)",
    "https://github.com/jindongwang/transferlearning/tree/master/data",
    "office_caltech10",
    (
        File("surf/amazon_SURF_L10.mat", 104970, "df32548b994e18d364c99e1f317e1fae100597259f0423a41b90f4f68187bb1f",
             ("amazon",)),
        File("surf/Caltech10_SURF_L10.mat", 150751, "4f9334c8ced489d5054de97a5fd51a61f017f3bcd1f38c9a85c6d78cb9d7bda5",
             ("caltech",)),
        File("surf/dslr_SURF_L10.mat", 18348, "44d673c68e1d07b837893aa74dba3b986e4a6cc3fd66f0dd357683bdef059216",
             ("dslr",)),
        File("surf/webcam_SURF_L10.mat", 32406, "a6a9c78b4b7181dfbb58bcfd351d4ebd737f171c31247b8884948aa156d3f700",
             ("webcam",)),
    ),
    office_caltech,
    ("amazon", "caltech", "dslr", "webcam"),
    ("surf", "surf-all"),
)  # fmt: skip
AMAZON_REVIEWS = Benchmark(
    "Amazon reviews as prepared for DANN (Ganin et al. 2016, arXiv:1505.07818, table 1)",
    "https://github.com/GRAAL-Research/domain_adversarial_neural_network",
    "amazon_dann_svmlight",
    (File("amazon_dann_svmlight.zip", 4283396, "ca9c6460fe8eaf3de538aab8403d492b5a9300f3de51240b69ce36dda163701d"),),
    amazon_reviews,
    ("books", "dvd", "electronics", "kitchen"),
    ("dann",),
    "books_train.svmlight",
)
FSDD = Benchmark(
    "Free Spoken Digit Dataset (Jackson et al. 2018, doi:10.5281/zenodo.1342401)",
    "https://github.com/Jakobovski/free-spoken-digit-dataset",
    "fsdd",
    (File("fsdd_recordings.zip", 16157653, "7e653241b4d3d5b98fcad8348ea1202f6194efde2c059c1ac6cf62a367315841"),),
    fsdd,
    SPEAKERS,
    ("official", "all"),
    "recordings/0_george_0.wav",
)
SCHOOL = Benchmark(
    "School exam scores, in MALSAR (Zhou, Chen, Ye 2011)",
    "https://github.com/jiayuzhou/MALSAR",
    "malsar",
    (File("school.mat", 44759, "57fb3238fdd03a9aa17276e2ce18d9bbb5d128c3261e794fe6233b58b6909068"),),
    school,
    ("", *map(str, range(1, 140))),
)
