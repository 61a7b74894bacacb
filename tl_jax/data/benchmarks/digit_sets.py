"""Digits kept as arrays: MNIST, USPS, SVHN, synthetic digits."""

import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.benchmarks.matlab import matlab, svmlight
from tl_jax.data.benchmarks.record import Asked, Benchmark, File
from tl_jax.data.domain import Domain
from tl_jax.data.files.containers import open_files, refuse_html
from tl_jax.data.readers.assemble import make
from tl_jax.data.readers.images import Look
from tl_jax.data.splits import Rows, hold_out

CLASSES = tuple("0123456789")


def idx(path: Path) -> np.ndarray:
    """The array in an idx file: two zero bytes, a type (8: bytes), the number of axes, their lengths, the values."""
    refuse_html(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            data = file.read()
        axes = data[3]
        shape = np.frombuffer(data, ">u4", axes, 4).tolist()
        if data[:3] != b"\0\0\x08" or len(data) != 4 + 4 * axes + math.prod(shape):
            raise ValueError(f"{len(data)} bytes with the head {data[:4].hex()}, which promises the shape {shape}")
        return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)
    except (OSError, EOFError, ValueError, IndexError, zlib.error) as error:
        raise UserError(f"{path} is not a whole idx file ({error}). Get it again and compare its size.") from None


def first_of(folder: Path, *names: str) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def mnist(asked: Asked) -> Domain | None:
    """60000 / 10000 scans, 28 x 28, grey."""
    names = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    paths = [first_of(asked.folder, f"{name}.gz", name, name.replace("-idx", ".idx")) for name in names]
    if None in paths:
        return None
    x, y, x_test, y_test = (idx(path) for path in paths if path)
    return make(asked.name, x[..., None], y, test=(x_test[..., None], y_test), classes=CLASSES)


def usps(asked: Asked) -> Domain | None:
    """Scans of envelopes, 16 x 16, grey, as bytes.

    7291: the set's own 7291 / 2007 split. 7438: all 9298 shuffled (seed 0) into 7438 / 1860, the sizes that CoGAN
    and SHOT use; their own draw of it is in a pickle that is not read here.
    """
    read = _usps_h5(asked.folder) or _usps_svmlight(asked.folder)
    if read is None:
        return None
    (x, y), test = read
    if asked.protocol == "7291":
        return make(asked.name, x, y, test=test, classes=CLASSES)
    x, y = np.concatenate([x, test[0]]), np.concatenate([y, test[1]])
    order = np.random.default_rng(0).permutation(len(y))
    train, rest = order[: len(y) * 4 // 5], order[len(y) * 4 // 5 :]
    kept, held = hold_out(y[train].astype(np.int64))
    return make(asked.name, x, y, rows=Rows(train[kept], train[held], rest), classes=CLASSES)


def _bytes(x: np.ndarray) -> np.ndarray:
    return np.rint(x.reshape(-1, 16, 16, 1) * 255).astype(np.uint8)


def _usps_h5(folder: Path) -> list[tuple[np.ndarray, np.ndarray]] | None:
    path = folder / "usps.h5"
    if not path.is_file():
        return None
    refuse_html(path)
    try:
        import h5py  # pyright: ignore[reportMissingImports]
    except ImportError:
        if first_of(folder, "usps.bz2"):
            return None
        raise UserError(
            f"{path} needs h5py: pip install 'tl_jax[data]'. Or put usps.bz2 and usps.t.bz2 (LIBSVM's page) beside it."
        ) from None
    try:
        with h5py.File(path) as file:
            read = lambda name: np.asarray(file[name])
            return [(_bytes(read(f"{s}/data")), read(f"{s}/target").astype(np.int32)) for s in ("train", "test")]
    except Exception as error:  # a file that was cut ends in one of many
        raise UserError(f"{path} is not the usps.h5 with train and test ({error}). Get it again.") from None


def _usps_svmlight(folder: Path) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """LIBSVM's files: values from -1 to 1, labels from 1 to 10."""
    paths = [first_of(folder, f"{name}.bz2", name) for name in ("usps", "usps.t")]
    if None in paths:
        return None
    files = [str(path) for path in paths]
    x, y, x_test, y_test = svmlight(files, " and ".join(files), n_features=256, zero_based=False)
    return [(_bytes((v.toarray() + 1) / 2), k.astype(np.int32) - 1) for v, k in ((x, y), (x_test, y_test))]


def matlab_digits(asked: Asked) -> Domain | None:
    """Cropped colour digits, 32 x 32: X [32, 32, 3, n], y [n, 1] with the digit, or 10 for zero."""
    stem = {"svhn": "", "syn": "synth_"}[asked.name]
    archive = first_of(asked.folder, "SynthDigits.zip") if stem else None
    parts = []
    for name in (f"{stem}train_32x32.mat", f"{stem}test_32x32.mat"):
        path = asked.folder / name
        if path.is_file():
            refuse_html(path)
            parts.append(_matlab(path, str(path)))
        elif archive:
            parts.append(_matlab(io.BytesIO(open_files(archive).read(name)), str(archive)))
        else:
            return None
    return make(asked.name, *parts[0], test=parts[1], classes=CLASSES)


def _matlab(source, name: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = matlab(source, name, "X", "y")
    return np.ascontiguousarray(np.moveaxis(x, -1, 0)).astype(np.uint8), y.reshape(-1).astype(np.int64) % 10


MNIST = Benchmark(
    "MNIST (LeCun, Bottou, Bengio, Haffner 1998)",
    "http://yann.lecun.com/exdb/mnist/",
    "mnist",
    (
        File("train-images-idx3-ubyte.gz", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        File("train-labels-idx1-ubyte.gz", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        File("t10k-images-idx3-ubyte.gz", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        File("t10k-labels-idx1-ubyte.gz", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
    mnist,
    tfds="mnist",
    look=Look(28, 28, 1),
)
USPS = Benchmark(
    "USPS zip codes (Hull 1994, doi:10.1109/34.291440)",
    "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass.html#usps",
    "usps",
    (
        File(
            "usps.h5",
            2913522,
            "734f88c541104a956d88be2c95d03b4a463ffd74ccc2ba9c80841fb98e3fcb36",
            instead="usps.bz2 and usps.t.bz2",
        ),
    ),
    usps,
    protocols=("7291", "7438"),
    look=Look(16, 16, 1),
)
SVHN = Benchmark(
    "SVHN, cropped (Netzer et al. 2011)",
    "http://ufldl.stanford.edu/housenumbers/",
    "svhn",
    (
        File("train_32x32.mat", 182040794, "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"),
        File("test_32x32.mat", 64275384, "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"),
    ),
    matlab_digits,
    tfds="svhn_cropped",
    look=Look(32, 32),
)
SYN = Benchmark(
    "Synthetic digits (Ganin et al. 2016, arXiv:1505.07818)",
    "http://yaroslav.ganin.net/",
    "syn",
    (
        File("SynthDigits.zip", instead="synth_train_32x32.mat and synth_test_32x32.mat"),
        File("synth_train_32x32.mat", instead="SynthDigits.zip"),
        File("synth_test_32x32.mat", instead="SynthDigits.zip"),
    ),
    matlab_digits,
    look=Look(32, 32),
)
