"""Every named benchmark, read from tiny files of its true layout, and prepared as a TFDS set without TensorFlow."""

import bz2
import gzip
import io
import shutil
import sys
import tarfile
import zipfile

import numpy as np
import pytest
import scipy.io
import scipy.io.wavfile
from PIL import Image
from sklearn.datasets import dump_svmlight_file

from tl_jax.core.errors import UserError
from tl_jax.data.benchmarks.table import BENCHMARKS
from tl_jax.data.check import where
from tl_jax.data.check.prefetch import prefetch
from tl_jax.data.load import load

RNG = np.random.default_rng(0)
DIGITS = tuple("0123456789")


def sizes(domain):
    return [len(part.y) for part in domain.splits.values()]


def said(spec, root):
    with pytest.raises(UserError) as caught:
        load(spec, str(root))
    return str(caught.value)


def tree(root, classes, picture, write, n=10, ending="png"):
    for c, name in enumerate(classes):
        for i in range(n):
            write(root / name / f"{i:04d}.{ending}", picture(1000 * c + i, form="JPEG" if ending == "jpg" else "PNG"))


def idx(x):
    return gzip.compress(bytes([0, 0, 8, x.ndim]) + np.array(x.shape, ">u4").tobytes() + x.tobytes())


def fake_mnist(root, write):
    x, y = RNG.integers(0, 256, (40, 28, 28), np.uint8), np.arange(40, dtype=np.uint8) % 10
    for part, n in (("train", 40), ("t10k", 20)):
        write(root / "mnist" / f"{part}-images-idx3-ubyte.gz", idx(x[:n]))
        write(root / "mnist" / f"{part}-labels-idx1-ubyte.gz", idx(y[:n]))
    return x, y


def fake_usps(root, write):
    for name, n in (("usps", 40), ("usps.t", 20)):
        buffer = io.BytesIO()
        x = RNG.uniform(-1, 1, (n, 256))
        dump_svmlight_file(x, np.arange(n) % 10 + 1, buffer, zero_based=False)
        write(root / "usps" / f"{name}.bz2", bz2.compress(buffer.getvalue()))


def fake_mnist_m(root, picture, write):
    root.mkdir(exist_ok=True)
    for part, n in (("train", 20), ("test", 10)):
        with zipfile.ZipFile(root / f"mnist_m_{part}{'_first5000' * (part == 'train')}.zip", "w") as archive:
            lines = [f"{i:08d}.png {i % 10}" for i in reversed(range(n + 5))]  # more labels than images
            archive.writestr(f"mnist_m_{part}_labels.txt", "\n".join(lines) + "\n")
            for i in range(n):
                archive.writestr(f"mnist_m_{part}/{i:08d}.png", picture(i, 32, 32))


def fake_matlab(root, stem, zero):
    root.mkdir()
    for part, n in (("train", 40), ("test", 20)):
        x = RNG.integers(0, 256, (32, 32, 3, n), np.uint8)
        y = np.arange(n) % 10
        scipy.io.savemat(root / f"{stem}{part}_32x32.mat", {"X": x, "y": np.where(y == 0, zero, y)[:, None]})


def test_mnist(tmp_path, write):
    x, y = fake_mnist(tmp_path, write)
    domain = load("mnist", str(tmp_path))
    assert sizes(domain) == [36, 4, 20]
    assert domain.classes == DIGITS
    np.testing.assert_array_equal(domain.test.x[..., 0], x[:20])
    np.testing.assert_array_equal(domain.test.y, y[:20])
    write(tmp_path / "mnist" / "t10k-images-idx3-ubyte.gz", "<html>gone</html>")
    assert "KB of HTML" in said("mnist", tmp_path)
    write(tmp_path / "mnist" / "t10k-images-idx3-ubyte.gz", idx(x)[:500])
    assert "is not a whole idx file" in said("mnist", tmp_path)


def test_multi_mnist_is_two_tasks_on_the_same_images(tmp_path, write):
    x, y = fake_mnist(tmp_path, write)
    left, right = (load(f"multi_mnist/{side}", str(tmp_path)) for side in ("left", "right"))
    assert sizes(left) == sizes(right) == [36, 4, 20]
    for a, b in zip(left.splits.values(), right.splits.values(), strict=True):
        np.testing.assert_array_equal(a.x, b.x)
        np.testing.assert_array_equal(np.bincount(a.y, minlength=10), np.bincount(b.y, minlength=10))
    np.testing.assert_array_equal(left.test.y, y[:20])
    partner = np.random.default_rng(2).permutation(20)
    np.testing.assert_array_equal(right.test.y, y[:20][partner])
    canvas = np.zeros((36, 36), np.uint8)
    canvas[:28, :28] = x[3]
    canvas[6:34, 6:34] = np.maximum(canvas[6:34, 6:34], x[partner[3]])
    rows = [int((i + 0.5) * 36 / 28) for i in range(28)]
    np.testing.assert_array_equal(left.test.x[3, :, :, 0], canvas[rows][:, rows])


def test_usps_in_both_protocols(tmp_path, write):
    fake_usps(tmp_path, write)
    domain = load("usps", str(tmp_path))
    assert domain.name == "usps@7291"
    assert sizes(domain) == [36, 4, 20]
    assert domain.train.x.shape[1:] == (16, 16, 1)
    assert (domain.test.y == np.arange(20) % 10).all()
    assert domain.test.x.min() < 5
    assert domain.test.x.max() > 250
    other = load("usps@7438", str(tmp_path))
    assert other.name == "usps@7438"
    assert len(other.test.y) == 12  # a fifth of all sixty


def test_a_set_kept_as_arrays_takes_the_size_and_channels_of_its_spec(tmp_path, write):
    fake_usps(tmp_path, write)
    plain, larger = load("usps", str(tmp_path)), load("usps?size=28&channels=3", str(tmp_path))
    assert larger.train.x.shape == (36, 28, 28, 3)
    picture = Image.fromarray(plain.test.x[3, ..., 0]).convert("RGB").resize((28, 28), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(larger.test.x[3], np.asarray(picture))
    assert plain.notes == ()
    assert larger.notes == ("brought from 16x16x1 to 28x28x3, as the spec says",)
    assert load("digits:handwritten?size=20").train.x.shape[1:] == (20, 20, 3)
    assert "Did you mean 'size'?" in said("usps?sise=28", tmp_path)


def test_usps_h5(tmp_path):
    h5py = pytest.importorskip("h5py")
    (tmp_path / "usps").mkdir()
    with h5py.File(tmp_path / "usps" / "usps.h5", "w") as file:
        for part, n in (("train", 40), ("test", 20)):
            file[f"{part}/data"] = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (n, 1))
            file[f"{part}/target"] = np.arange(n, dtype=np.int32) % 10
    domain = load("usps@7291", str(tmp_path))
    assert sizes(domain) == [36, 4, 20]
    np.testing.assert_array_equal(domain.test.x[0].ravel(), np.arange(256))


def test_a_usps_h5_that_was_cut_or_is_another_is_named(tmp_path, write):
    h5py = pytest.importorskip("h5py")
    path = write(tmp_path / "usps" / "usps.h5", b"")
    with h5py.File(path, "w") as file:
        file["train/data"] = np.zeros((40, 256), np.float32)
    whole = path.read_bytes()
    for harm in (whole, whole[: len(whole) // 2], b"<html>quota</html>", b""):
        path.write_bytes(harm)
        assert "usps.h5" in said("usps", tmp_path)


def test_usps_h5_without_h5py_names_both_ways_out(tmp_path, monkeypatch, write):
    monkeypatch.setitem(sys.modules, "h5py", None)
    write(tmp_path / "usps" / "usps.h5", b"\x89HDF")
    message = said("usps@7291", tmp_path)
    assert "pip install 'tl_jax[data]'" in message
    assert "usps.bz2" in message


def test_mnist_m_as_zips_tar_and_folders(tmp_path, picture, write):
    root = tmp_path / "mnist_m"
    root.mkdir()
    fake_mnist_m(root, picture, write)
    domain = load("mnist_m", str(tmp_path))
    assert domain.name == "mnist_m@20"
    assert sizes(domain) == [18, 2, 10]
    assert domain.train.x.shape[1:] == (32, 32, 3)
    assert "holds 20 training images: mnist_m@20" in said("mnist_m@59001", tmp_path)
    for archive in list(root.glob("*.zip")):
        shutil.unpack_archive(archive, root)
        archive.unlink()
    unpacked = load("mnist_m", str(tmp_path))
    np.testing.assert_array_equal(unpacked.train.x, domain.train.x)
    with tarfile.open(tmp_path / "all.tar.gz", "w:gz") as tar:
        tar.add(root, "mnist_m")
    shutil.rmtree(root)
    root.mkdir()
    shutil.move(tmp_path / "all.tar.gz", root / "mnist_m.tar.gz")
    np.testing.assert_array_equal(load("mnist_m", str(tmp_path)).test.x, domain.test.x)


@pytest.mark.parametrize(("name", "stem", "zero"), [("svhn", "", 10), ("syn", "synth_", 0)])
def test_svhn_and_synthetic_digits(tmp_path, name, stem, zero):
    fake_matlab(tmp_path / name, stem, zero)
    domain = load(name, str(tmp_path))
    assert sizes(domain) == [36, 4, 20]
    assert domain.train.x.shape[1:] == (32, 32, 3)
    assert (domain.test.y == np.arange(20) % 10).all()


def test_synthetic_digits_in_their_zip(tmp_path):
    fake_matlab(tmp_path / "syn", "synth_", 0)
    with zipfile.ZipFile(tmp_path / "SynthDigits.zip", "w") as archive:
        for path in (tmp_path / "syn").iterdir():
            archive.write(path, path.name)
            path.unlink()
    shutil.move(tmp_path / "SynthDigits.zip", tmp_path / "syn")
    assert sizes(load("syn", str(tmp_path))) == [36, 4, 20]


TREES = {
    "office31/amazon": "office31/amazon",
    "office31/webcam": "office31/domain_adaptation_images/webcam/images",
    "office_home/RealWorld": "office_home/OfficeHomeDataset_10072016/Real World",
    "office_home/Art": "office_home/Art",
    "pacs/art_painting": "pacs/PACS/kfold/art_painting",
    "pacs/photo": "pacs/photo",
    "vlcs/voc": "vlcs/VLCS/VOC2007",
    "vlcs/sun": "vlcs/VLCS/SUN/full",
    "visda/train": "visda/train",
    "domainnet/clipart@split": "domainnet/clipart",
    "imagenet_r": "imagenet_r/imagenet-r",
}


@pytest.mark.parametrize("spec", TREES)
def test_image_trees(tmp_path, picture, write, spec):
    classes = ("0", "3") if spec == "vlcs/sun" else ("mug", "pen")
    tree(tmp_path / TREES[spec], classes, picture, write)
    domain = load(f"{spec}?size=8", str(tmp_path))
    assert domain.classes == (("bird", "dog") if spec == "vlcs/sun" else classes)
    assert sizes(domain) == [14, 2, 4]
    whole = load(f"{spec.partition('@')[0]}@all?size=8", str(tmp_path))
    assert sizes(whole) == [18, 2, 20]
    assert whole.name.endswith("@all")
    assert len({x.tobytes() for x in whole.test.x}) == 20


def test_office31_in_its_archives(tmp_path, picture, write):
    root = tmp_path / "office31"
    tree(tmp_path / "a" / "amazon", ("mug", "pen"), picture, write, ending="jpg")
    tree(tmp_path / "b" / "webcam" / "images", ("mug", "pen"), picture, write, ending="jpg")
    root.mkdir()
    shutil.make_archive(str(root / "office31_amazon"), "zip", tmp_path / "a")
    shutil.make_archive(str(root / "domain_adaptation_images"), "gztar", tmp_path / "b")
    for name in ("amazon", "webcam"):
        assert sizes(load(f"office31/{name}?size=8", str(tmp_path))) == [14, 2, 4]
    message = said("office31/dslr", tmp_path)
    for part in ("There is no automatic download", "judy/domainadapt", "domain_adaptation_images.tar.gz", str(root)):
        assert part in message


def test_domainnet_keeps_the_official_lists(tmp_path, picture, write):
    root = tmp_path / "domainnet"
    tree(root / "clipart", ("ant", "axe"), picture, write)
    lines = [f"clipart/{c}/{i:04d}.png {k}" for k, c in enumerate(("ant", "axe")) for i in range(10)]
    write(root / "clipart_train.txt", "\n".join(lines[:6] + lines[10:16]) + "\n")
    write(root / "clipart_test.txt", "\n".join(lines[7:10] + lines[17:]) + "\n")
    domain = load("domainnet/clipart?size=8", str(tmp_path))
    assert domain.name == "domainnet/clipart@official"
    assert sizes(domain) == [11, 1, 6]


def fake_cifar(root, write):
    for name, n in (("data_batch_1.bin", 20), ("data_batch_2.bin", 20), ("test_batch.bin", 20)):
        records = RNG.integers(0, 256, (n, 3073), np.uint8)
        records[:, 0] = np.arange(n) % 10
        records[:, 1:1025] = 77  # the red plane
        write(root / "cifar10" / "cifar-10-batches-bin" / name, records.tobytes())


def test_cifar10_and_its_corruptions(tmp_path, write):
    fake_cifar(tmp_path, write)
    domain = load("cifar10", str(tmp_path))
    assert sizes(domain) == [36, 4, 20]
    assert (domain.test.x[..., 0] == 77).all()
    assert domain.classes[3] == "cat"
    write(tmp_path / "cifar10" / "cifar-10-batches-bin" / "test_batch.bin", b"x" * 4000)
    assert "records have 3073 bytes" in said("cifar10", tmp_path)
    folder = tmp_path / "cifar10_c" / "CIFAR-10-C"
    folder.mkdir(parents=True)
    np.save(folder / "fog.npy", np.repeat(np.arange(5, dtype=np.uint8), 10000)[:, None, None, None])
    np.save(folder / "labels.npy", np.arange(50000) % 10)
    corrupted = load("cifar10_c/fog@3", str(tmp_path))
    assert (corrupted.train.x == 2).all()
    assert sum(sizes(corrupted)) == 10000
    assert (load("cifar10_c/fog", str(tmp_path)).train.x == 4).all()


def test_omniglot_splits_by_who_drew(tmp_path, write):
    from pictures import encoded

    root = tmp_path / "omniglot"
    for part, alphabet in (("background", "Greek"), ("evaluation", "ULOG")):
        for c in range(2):
            for drawer in range(1, 21):
                x = np.full((105, 105), 10 * drawer, np.uint8)
                write(root / f"images_{part}" / alphabet / f"character{c:02d}" / f"0{c}_{drawer:02d}.png", encoded(x))
    domain = load("omniglot", str(tmp_path))
    assert len(domain.classes) == 4
    assert sizes(domain) == [64, 8, 8]
    assert set(np.unique(domain.test.x)) == {190, 200}
    assert domain.train.x.shape[1:] == (28, 28, 1)
    assert load("omniglot/background?size=16", str(tmp_path)).classes == ("Greek/character00", "Greek/character01")
    shutil.make_archive(str(tmp_path / "omniglot"), "xztar", root)
    shutil.rmtree(root)
    root.mkdir()
    shutil.move(tmp_path / "omniglot.tar.xz", root)
    np.testing.assert_array_equal(load("omniglot", str(tmp_path)).train.x, domain.train.x)


def fake_surf(root):
    (root / "office_caltech10" / "surf").mkdir(parents=True)
    x = RNG.integers(0, 9, (60, 800)).astype(np.uint8)
    x[:, 7] = 0
    y = np.arange(60)[:, None] % 10 + 1
    scipy.io.savemat(root / "office_caltech10" / "surf" / "Caltech10_SURF_L10.mat", {"fts": x, "labels": y})
    return x


def test_office_caltech_normalises_rows_then_features(tmp_path):
    from scipy.stats import zscore

    x = fake_surf(tmp_path)
    domain = load("office_caltech/caltech@surf-all", str(tmp_path))
    assert sizes(domain) == [54, 6, 60]
    expected = np.nan_to_num(zscore(x / x.sum(1, keepdims=True), axis=0))
    order = np.concatenate([np.flatnonzero((np.abs(expected - row) < 1e-4).all(1)) for row in domain.test.x])
    np.testing.assert_array_equal(np.sort(order), np.arange(60))
    np.testing.assert_array_equal(domain.test.y, order % 10)
    assert sizes(load("office_caltech/caltech", str(tmp_path))) == [42, 6, 12]


def fake_reviews(root):
    folder = root / "amazon_dann_svmlight"
    folder.mkdir()
    with zipfile.ZipFile(folder / "amazon_dann_svmlight.zip", "w") as archive:
        for part, n in (("train", 40), ("test", 20)):
            buffer = io.BytesIO()
            x = RNG.integers(0, 3, (n, 50))
            dump_svmlight_file(x, np.arange(n) % 2, buffer, zero_based=True)
            archive.writestr(f"books_{part}.svmlight", buffer.getvalue())
    return x


def test_amazon_reviews_have_rows_of_length_one(tmp_path):
    x = fake_reviews(tmp_path)
    domain = load("amazon_reviews/books@dann", str(tmp_path))
    assert sizes(domain) == [36, 4, 20]
    assert domain.classes == ("negative", "positive")
    np.testing.assert_allclose(domain.test.x[:, :50], x / np.linalg.norm(x, axis=1, keepdims=True), atol=1e-6)
    assert domain.test.x.shape[1] == 5000


def fake_speech(root):
    (root / "fsdd").mkdir()
    with zipfile.ZipFile(root / "fsdd" / "fsdd_recordings.zip", "w") as archive:
        for who in ("george", "theo"):
            for digit in range(10):
                for i in range(15):
                    buffer = io.BytesIO()
                    scipy.io.wavfile.write(buffer, 8000, np.full(10 + i, 100 * digit + i + 1, np.int16))
                    archive.writestr(f"recordings/{digit}_{who}_{i}.wav", buffer.getvalue())


def test_fsdd_tests_on_the_first_five(tmp_path):
    fake_speech(tmp_path)
    domain = load("fsdd/theo", str(tmp_path))
    assert domain.name == "fsdd/theo@official"
    assert sizes(domain) == [90, 10, 50]
    assert set(domain.test.x[:, 0] % 100) == {1, 2, 3, 4, 5}
    np.testing.assert_array_equal(domain.test.x[:, 0] // 100, domain.test.y)
    assert sizes(load("fsdd/theo@all", str(tmp_path))) == [135, 15, 150]
    assert "fsdd/lucas@official not found" in said("fsdd/lucas", tmp_path)


def test_school_is_a_regression_per_school_or_over_all(tmp_path):
    (tmp_path / "malsar").mkdir()
    cells = np.empty((1, 3), object), np.empty((1, 3), object)
    for i, n in enumerate((20, 30, 10)):
        cells[0][0, i], cells[1][0, i] = np.full((n, 4), i, np.uint8), np.linspace(0, 60, n)[:, None]
    scipy.io.savemat(tmp_path / "malsar" / "school.mat", {"X": cells[0], "Y": cells[1]})
    domain = load("school", str(tmp_path))
    assert sizes(domain) == [42, 6, 12]
    assert domain.classes == ()
    one = load("school/2", str(tmp_path))
    assert sum(sizes(one)) == 30
    assert (one.train.x == 1).all()


DAMAGED = {
    "mnist": lambda root, picture, write: fake_mnist(root, write),
    "usps": lambda root, picture, write: fake_usps(root, write),
    "svhn": lambda root, picture, write: fake_matlab(root / "svhn", "", 10),
    "mnist_m": lambda root, picture, write: fake_mnist_m(root / "mnist_m", picture, write),
    "office_caltech/caltech": lambda root, picture, write: fake_surf(root),
    "amazon_reviews/books": lambda root, picture, write: fake_reviews(root),
    "cifar10": lambda root, picture, write: fake_cifar(root, write),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_cut_in_half_or_of_another_kind_is_named(tmp_path, picture, write, name):
    DAMAGED[name](tmp_path, picture, write)
    load(name, str(tmp_path))
    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        for harm in (whole[: len(whole) // 2 + 1], b"\0junk" * 50, b"<html>quota</html>", b""):
            path.write_bytes(harm)
            assert said(name, tmp_path)
        path.write_bytes(whole)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_an_absent_benchmark_says_where_it_comes_from_and_goes(tmp_path, name):
    benchmark = BENCHMARKS[name]
    spec = f"{name}/{benchmark.domains[-1]}" if benchmark.domains[-1] else name
    message = said(spec, tmp_path)
    for part in (benchmark.page, "There is no automatic download", str(tmp_path / benchmark.folder), "expected: "):
        assert part in message
    text = where.where(spec, str(tmp_path))
    assert benchmark.page in text
    assert "absent" in text
    assert "{" not in message + text
    assert name in where.listing(str(tmp_path))


def test_where_compares_size_and_sha256(tmp_path, write):
    write(tmp_path / "fsdd" / "fsdd_recordings.zip", b"short")
    assert "there, but with 5 bytes instead of 16157653" in where.where("fsdd/theo", str(tmp_path))


PREPARED = {
    "tfds:office31/amazon-split": "office31/amazon?size=8",
    "tfds:office_home/RealWorld-all": "office_home/RealWorld@all?size=8",
    "tfds:pacs/art_painting-split": "pacs/art_painting?size=8",
    "tfds:vlcs/voc-split": "vlcs/voc?size=8",
    "tfds:visda/train-split": "visda/train?size=8",
    "tfds:syn/all": "syn",
    "tfds:usps/7291": "usps@7291",
    "tfds:mnist_m/all": "mnist_m",
    "tfds:fsdd/theo-official": "fsdd/theo",
    "tfds:amazon_reviews/books-dann": "amazon_reviews/books",
    "tfds:office_caltech/caltech-surf": "office_caltech/caltech",
}


@pytest.mark.parametrize("name", PREPARED)
def test_a_set_prepared_without_tensorflow_reads_back_the_same(tmp_path, picture, write, name):
    pytest.importorskip("tensorflow_datasets")
    makers = {
        "usps": lambda: fake_usps(tmp_path, write),
        "syn": lambda: fake_matlab(tmp_path / "syn", "synth_", 0),
        "mnist_m": lambda: fake_mnist_m(tmp_path / "mnist_m", picture, write),
        "fsdd": lambda: fake_speech(tmp_path),
        "amazon_reviews": lambda: fake_reviews(tmp_path),
        "office_caltech": lambda: fake_surf(tmp_path),
    }
    spec = PREPARED[name].partition("?")[0].partition("@")[0]
    images = spec in TREES
    if images:
        tree(tmp_path / TREES[spec], ("mug", "pen"), picture, write)
    else:
        makers[spec.partition("/")[0]]()
    assert "is prepared in" in prefetch(name, str(tmp_path))
    assert "is ready" in prefetch(name, str(tmp_path))
    size = "?size=8" if images else ""
    theirs, ours = load(name + size, str(tmp_path)), load(PREPARED[name], str(tmp_path))
    assert theirs.classes == ours.classes
    assert theirs.modality == ours.modality
    assert theirs.rate == ours.rate
    rows = lambda part: sorted((int(y), np.trim_zeros(x.ravel(), "b").tobytes()) for x, y in zip(*part, strict=True))
    for split in ours.splits:
        assert rows(theirs.splits[split]) == rows(ours.splits[split])
    assert not {"tensorflow", "torch"} & set(sys.modules) - BEFORE


BEFORE = set(sys.modules)


def test_preparing_is_refused_in_words(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    for name, message in (
        ("tfds:office31/amazn", "one of tfds:office31/amazon-split"),
        ("tfds:pacs/photo-split", "pacs/photo@split not found"),
        ("tfds:kmnist", "pip install 'tl_jax[prepare]'"),
    ):
        with pytest.raises(UserError) as caught:
            prefetch(name, str(tmp_path))
        assert message in str(caught.value)
