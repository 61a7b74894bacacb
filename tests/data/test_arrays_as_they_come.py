"""Arrays as other programs leave them: each is read right, with a word, or answered with a message."""

import gzip
import zipfile

import numpy as np
import pytest
import scipy.io
from scipy import sparse
from sklearn.datasets import dump_svmlight_file

from tl_jax.core.errors import UserError
from tl_jax.data.domain import known
from tl_jax.data.load import load
from tl_jax.data.match.match import matched

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 5)).astype(np.float32), np.arange(40) % 2


@pytest.fixture
def saved(tmp_path):
    """saved(arrays of a file) -> its spec."""

    def put(name="a.npz", **arrays):
        np.savez(tmp_path / name, **arrays)
        return f"npz:{tmp_path}/{name}"

    return put


def said(spec):
    with pytest.raises(UserError) as caught:
        load(spec)
    return str(caught.value)


def noted(domain):
    return "\n".join(domain.notes)


def in_order(domain):
    """x and labels in the order of the file."""
    ids = np.concatenate([domain.ids[split] for split in domain.splits])
    rows = np.argsort([int(name.rpartition(" ")[2]) for name in ids])
    parts = domain.splits.values()
    return np.concatenate([part.x for part in parts])[rows], np.concatenate([part.y for part in parts])[rows]


def test_names_of_other_libraries_are_known(saved):
    medical = {
        "train_images": RNG.integers(0, 256, (30, 8, 8), np.uint8),
        "train_labels": np.arange(30)[:, None] % 3,
        "val_images": RNG.integers(0, 256, (6, 8, 8), np.uint8),
        "val_labels": np.arange(6)[:, None] % 3,
        "test_images": RNG.integers(0, 256, (9, 8, 8), np.uint8),
        "test_labels": np.arange(9)[:, None] % 3,
    }
    domain = load(saved(**medical))
    assert [len(part.y) for part in domain.splits.values()] == [30, 6, 9]
    np.testing.assert_array_equal(domain.validation.x[..., 0], medical["val_images"])
    np.testing.assert_array_equal(domain.test.y, np.arange(9) % 3)
    assert domain.ids["test"][3] == "test row 3"
    assert "'train_images' was taken for x" in noted(domain)
    other = saved("b.npz", a=X, b=Y, c=X[:8], d=Y[:8])
    named = load(f"{other}?x=a&y=b&x_val=c&y_val=d")
    assert len(named.validation.y) == 8
    assert len(named.test.y) == 8  # a fifth of the rest
    assert "there are labels 'd' without examples" in said(f"{other}?x=a&y=b&y_val=d")


def test_without_labels_it_is_a_target(saved):
    assert not load(saved(x=X)).labelled
    assert "there is no array y: no label is known" in noted(load(saved(x=X)))
    assert "which array holds the labels? Name it with ?y=NAME (kind)" in said(saved(x=X, kind=Y))
    assert not load(saved(x=X, kind=Y) + "?y=none").labelled
    half = load(saved(x=X, y=Y, x_test=X[:7] + 1))
    assert half.classes == ("0", "1")
    assert not known(half.test.y).any()
    assert not load(saved(x=X, y=np.full(40, -1))).labelled


@pytest.mark.parametrize(
    ("y", "lost"), [(np.where(np.arange(40) < 4, -1, np.arange(40) % 3), 4), (np.where(Y, np.nan, 1.5 * X[:, 0]), 20)]
)
def test_labels_that_are_missing_are_asked_about(saved, y, lost):
    spec = saved(x=X, y=y)
    assert f"{lost} of 40 labels are missing" in said(spec)
    kept = load(f"{spec}?unlabelled=keep")
    assert sum(int((~known(part.y)).sum()) for part in kept.splits.values()) == lost
    assert sum(len(part.y) for part in load(f"{spec}?unlabelled=drop").splits.values()) == 40 - lost


def test_minus_one_beside_one_is_a_class_and_may_be_said_to_be(saved):
    assert load(saved(x=X, y=2 * Y - 1)).classes == ("-1", "1")
    assert load(saved(x=X, y=np.arange(40) % 3 - 1) + "?unlabelled=class").classes == ("-1", "0", "1")
    assert "20 of 40 labels are missing" in said(saved(x=X, y=Y - 1, classes=np.array(["a", "b"])))
    assert "labels run from 1 to 2, but 2 classes are named. Count them from 0" in said(
        saved(x=X, y=Y + 1, classes=np.array(["a", "b"]))
    )


def test_one_hot_labels_and_columns_are_said_to_be(saved, tmp_path):
    domain = load(saved(x=X.T, y=np.eye(2)[Y]))
    assert "y is [40, 2]: one-hot, read as 2 class numbers" in noted(domain)
    assert "the examples are along the last axis" in noted(domain)
    x, y = in_order(domain)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)
    assert "choose one column" in said(saved(x=X, y=np.ones((40, 3))))
    assert load(saved(x=X.T) + "?samples=columns").train.x.shape[1:] == (5,)
    square = RNG.normal(size=(40, 40))
    assert "examples were taken to be rows" in noted(load(saved(x=square, y=Y)))
    scipy.io.savemat(tmp_path / "a.mat", {"X": sparse.csr_matrix(X.T), "Y": sparse.csr_matrix(np.eye(2)[Y].T)})
    x, y = in_order(load(f"mat:{tmp_path}/a.mat"))
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


def test_a_sparse_matrix_and_its_labels_lie_in_two_files(tmp_path):
    for make in (sparse.csr_matrix, sparse.coo_matrix, sparse.csc_matrix):
        sparse.save_npz(tmp_path / "x.npz", make(X * (X > 0)))
        np.save(tmp_path / "y.npy", Y)
        domain = load(f"npz:{tmp_path}/x.npz,{tmp_path}/y.npy")
        np.testing.assert_array_equal(in_order(domain)[0], X * (X > 0))
        assert "2 files of one set: x.npz, y.npy" in noted(domain)


def test_several_files_of_one_set_follow_each_other(saved, tmp_path):
    for i in range(4):
        saved(f"part{i}.npz", x=X[10 * i : 10 * i + 10], y=Y[10 * i : 10 * i + 10], classes=np.array(["a", "b"]))
    x, y = in_order(load(f"npz:{tmp_path}/part*.npz"))
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)
    saved("part4.npz", x=X[:, :3], y=Y)
    assert "cannot follow each other" in said(f"npz:{tmp_path}/part*.npz")
    assert "no file is named like" in said(f"npz:{tmp_path}/piece*.npz")


def test_columns_of_arrays_have_names_too(saved):
    names = np.array(["u", "v", "w", "p", "q"])
    a, b = load(saved(x=X, y=Y, features=names)), load(saved("b.npz", x=X[:, ::-1], y=Y, features=names[::-1]))
    np.testing.assert_array_equal(matched([a], b)[1].train.x, a.train.x)
    _, c = matched([a], load(saved("c.npz", x=X, y=Y)))
    assert "columns are matched by position: those of" in noted(c)
    assert "features: 1 names do not fit" in noted(load(saved(x=X, y=Y, features=np.array(["u"]))))
    assert "names in features stand twice" in said(saved(x=X, y=Y, features=np.array(list("aabcd"))))


PICTURES = RNG.integers(0, 256, (40, 9, 8, 3))


@pytest.mark.parametrize(
    ("x", "note"),
    [
        (PICTURES / 255.0, "images are float64 from 0 to 1: times 255 rounded to bytes"),
        ((PICTURES / 255).astype(np.float32), "times 255 rounded"),
        (PICTURES, "images are int64 from 0 to 255: rounded to bytes"),
        (PICTURES.astype(np.float32), "rounded to bytes"),
        (np.moveaxis(PICTURES, -1, 1).astype(np.uint8), "have their channels first: they were moved to the end"),
        (np.moveaxis(PICTURES, 0, -1).astype(np.uint8), "the examples are along the last axis"),
    ],
)
def test_images_of_any_kind_become_the_bytes_they_are(saved, x, note):
    domain = load(saved(x=x, y=Y))
    np.testing.assert_array_equal(in_order(domain)[0], PICTURES.astype(np.uint8))
    assert note in noted(domain)


def test_what_may_be_images_or_series_is_asked_about(saved):
    spec = saved(x=RNG.random((40, 28, 28)), y=Y)
    assert "images without colour, or series [n, t, c]? Say ?modality=image or ?modality=series" in said(spec)
    assert load(f"{spec}?modality=image").train.x.dtype == np.uint8
    assert load(f"{spec}?modality=series").train.x.dtype == np.float32
    assert "from -" in said(saved(x=RNG.normal(size=(40, 9, 8, 3)), y=Y))
    assert "images have 4 channels" in said(saved(x=np.zeros((40, 9, 8, 4), np.uint8), y=Y))
    spec = saved(x=RNG.normal(size=(40, 9, 128)), y=Y)
    assert "series of 9 steps and 128 channels: if it is the other way round, say ?layout=nct" in noted(load(spec))
    turned = load(f"{spec}?layout=nct")
    assert turned.train.x.shape[1:] == (128, 9)
    assert turned.notes == ()
    assert "layout= is of series" in said(saved(x=X, y=Y) + "?layout=nct")


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"x": X + 1j, "y": Y}, "", "x is complex64 [40, 5]; it holds complex numbers"),
        ({"x": X.astype("M8[s]"), "y": Y}, "", "it holds dates"),
        ({"x": X.astype(str), "y": Y}, "", "it holds text"),
        ({"x": X, "y": Y.astype("M8[D]")}, "", "labels of type datetime64[D]"),
        ({"x": X, "y": Y + 0j}, "", "labels of type complex128"),
        ({"x": X.astype(float) * 1e300, "y": Y}, "", "too large for 32 bits"),
        ({"x": X, "y": Y * 1e300}, "", "are no class numbers"),
        ({"x": X, "y": Y, "groups": np.arange(9)}, "", "9 groups for 40 examples"),
        ({"x": X, "y": Y}, "?modality=sound", "waves are int16, or numbers from -1 to 1"),
        ({"x": X, "y": Y}, "?modality=text", "token ids are whole numbers from 0"),
        ({"x": np.abs(X).astype(int) + 90, "y": Y}, "?modality=text&vocabulary=64", "vocabulary=64 must be greater"),
        ({"x": X, "y": Y, "x_test": X[:, :4], "y_test": Y}, "", "x is float32 [40, 4]; vector needs 2 dimensions as x"),
        ({"x": X, "y": Y}, "?y=labels", "Unknown array for y: 'labels'"),
        ({"x": X, "y": Y}, "?x_test=x2", "Unknown array for x_test: 'x2'"),
        ({"x": X, "y": np.array([[1], [2]], object)}, "", "'y' holds Python objects"),
    ],
)
def test_arrays_of_another_kind_are_named(saved, arrays, options, message):
    assert message in said(saved(**arrays) + options)


def test_large_numbers_waves_and_what_is_left_out_are_said(saved):
    notes = noted(load(saved(x=np.c_[X, 10**12 + np.arange(40) % 7], y=Y, weights=np.ones(40), junk=X[:3])))
    assert "feature 5: 7 different numbers up to 1e+12 become 1 in 32 bits" in notes
    assert "2 arrays were not read: weights, junk" in notes
    assert "whole numbers up to 300 were read as quantities" in noted(
        load(saved(x=RNG.permuted(np.tile(np.arange(301 - 40, 301), (5, 1)), axis=1).T, y=Y))
    )
    waves = load(saved(x=np.clip(X, -1, 1), y=Y) + "?modality=sound&rate=8000")
    assert waves.train.x.dtype == np.int16
    assert "times 32767" in noted(waves)


def test_files_that_are_not_whole_are_named(saved, tmp_path):
    saved(x=X, y=Y)
    whole = (tmp_path / "a.npz").read_bytes()
    for name, content in (
        ("half.npz", whole[: len(whole) // 2]),
        ("flipped.npz", whole[:400] + bytes([whole[400] ^ 16]) + whole[401:]),
        ("empty.npz", b""),
        ("text.npz", b"x,y\n1,2\n"),
    ):
        (tmp_path / name).write_bytes(content)
        assert "cannot be read as .npz" in said(f"npz:{tmp_path}/{name}")
    header = b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (4000000000, 4000000), }"
    with zipfile.ZipFile(tmp_path / "absurd.npz", "w") as file:
        file.writestr("x.npy", header.ljust(127) + b"\n")
    assert "absurd.npz" in said(f"npz:{tmp_path}/absurd.npz")
    np.save(tmp_path / "x.npy", X)
    (tmp_path / "x.npy").rename(tmp_path / "array.npz")
    assert not load(f"npz:{tmp_path}/array.npz").labelled
    scipy.io.savemat(tmp_path / "a.mat", {"x": X, "y": Y})
    (tmp_path / "half.mat").write_bytes((tmp_path / "a.mat").read_bytes()[:600])
    (tmp_path / "empty.mat").write_bytes(b"")
    for name in ("half", "empty"):
        assert "cannot be read as a MATLAB file" in said(f"mat:{tmp_path}/{name}.mat")


def test_cells_and_structures_of_matlab(tmp_path):
    names = np.empty((40, 1), object)
    names[:, 0] = [["cat", "dog"][i] for i in Y]
    scipy.io.savemat(tmp_path / "a.mat", {"x": X, "y": names, "data": {"fts": X, "labels": Y + 1.0}})
    domain = load(f"mat:{tmp_path}/a.mat")
    assert domain.classes == ("cat", "dog")
    np.testing.assert_array_equal(in_order(domain)[1], Y)
    inner = load(f"mat:{tmp_path}/a.mat?x=data.fts&y=data.labels")
    assert inner.classes == ("1", "2")
    cells = np.empty((1, 2), object)
    cells[0, 0], cells[0, 1] = X, Y
    scipy.io.savemat(tmp_path / "b.mat", {"x": cells, "y": Y})
    assert "'x' holds Python objects, cells or records" in said(f"mat:{tmp_path}/b.mat")


def test_what_svmlight_files_leave_open_is_said(tmp_path):
    dump_svmlight_file(X, Y, str(tmp_path / "a.svm"), zero_based=False)
    domain = load(f"svmlight:{tmp_path}/a.svm")
    assert domain.train.x.shape[1] == 5
    assert "indices were taken to count from 1 (&zero_based=false says so)" in noted(domain)
    assert not load(f"svmlight:{tmp_path}/a.svm?label=none").labelled
    (tmp_path / "q.svm").write_text(
        "# head\n" + "".join(f"{i % 2} qid:{i // 4} 0:{i % 7} 2:1.5\n\n" for i in range(40))
    )
    domain = load(f"svmlight:{tmp_path}/q.svm")
    assert "query numbers (qid) were left out" in noted(domain)
    assert "count from 0" in noted(domain)
    for lines in (
        "1,2 1:3\n" * 9,
        "1 99999999999999999999:3\n" * 9,
        "1 9999999999999:3\n" * 9,
        "1 a:3\n" * 9,
        "1 1:x\n" * 9,
    ):
        (tmp_path / "b.svm").write_text(lines)
        assert "b.svm" in said(f"svmlight:{tmp_path}/b.svm")
    (tmp_path / "c.svm.gz").write_bytes(gzip.compress((tmp_path / "a.svm").read_bytes())[:-200])
    assert "cannot be read as svmlight" in said(f"svmlight:{tmp_path}/c.svm.gz")
