"""What a domain takes: every array is checked once, and is right or a message."""

import dataclasses

import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain, Examples, changed
from tl_jax.data.match.match import matched

RNG = np.random.default_rng(0)
X = RNG.normal(size=(9, 4)).astype(np.float32)
Y = np.arange(9, dtype=np.int32) % 3
NAMES = np.array(["cat", "dog", "eel"])


class Frame:
    """What is needed of a data frame: named columns, chosen by a list of names, and an array of objects."""

    def __init__(self, **columns):
        self.columns = list(columns)
        self._held = columns

    def __getitem__(self, names):
        return Frame(**{name: self._held[name] for name in names})

    def __array__(self, dtype=None, copy=None):
        return np.array(list(self._held.values()), object).T


ONE_HOT = Frame(eel=Y == 2, cat=Y == 0, dog=Y == 1)


def domain(x=X, y=Y, classes=("cat", "dog", "eel"), **rest):
    return Domain("mine", classes, (x, y), (x, y), (x, y), **rest)


def said(**given):
    with pytest.raises(UserError) as error:
        domain(**given)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "y",
    [
        Y.astype(np.int64),
        Y.astype(np.uint8),
        Y.astype(np.float64),
        Y.tolist(),
        Y[:, None],
        Y.astype(">i4"),
        np.eye(3, dtype=np.float32)[Y],
        np.eye(3, dtype=bool)[Y],
        NAMES[Y],
        NAMES[Y].astype("S3"),
        NAMES[Y].tolist(),
        NAMES[Y].astype(object),
        Frame(y=Y),
        ONE_HOT,
        np.ma.MaskedArray(Y, False),
    ],
    ids=lambda y: f"{type(y).__name__} {getattr(y, 'dtype', '')} {np.shape(y)}",
)
def test_labels_of_any_form_are_class_numbers(y):
    found = domain(y=y).train.y
    assert found.dtype == np.int32
    assert found.tolist() == Y.tolist()


@pytest.mark.parametrize(
    "y",
    [
        [0, 1, None, 0, 1, 2, 0, 1, 2],
        np.where(np.arange(9) == 2, np.nan, Y),
        np.where(np.arange(9) == 2, -1, Y),
        np.ma.MaskedArray(Y, np.arange(9) == 2),
        np.where(np.arange(9) == 2, None, NAMES[Y]),
    ],
    ids=range(5),
)
def test_a_label_that_is_missing_is_unknown(y):
    assert domain(y=y).train.y.tolist() == [0, 1, -1, *Y[3:]]


def test_classes_are_found_where_none_are_named():
    assert domain(y=NAMES[Y], classes=None).classes == ("cat", "dog", "eel")
    ten = domain(y=10 * Y, classes=None)
    assert ten.classes == ("0", "10", "20")
    assert ten.train.y.tolist() == Y.tolist()
    assert domain(y=Y / 2, classes=None).classes == ()
    assert domain(y=None, classes=None).classes == ()
    assert domain(y=None, classes=None).train.y.tolist() == [-1] * 9
    assert domain(y=ONE_HOT, classes=None).classes == ("eel", "cat", "dog")


def test_values_are_floats_and_unknown_ones_nan():
    part = lambda y: Examples(X, y)
    found = Domain("values", (), part(Y.astype(np.int64)), part(None), part([1.5, None, *range(7)]))
    assert all(part.y.dtype == np.float32 for part in found.splits.values())
    assert np.isnan(found.validation.y).all()
    assert np.isnan(found.test.y[1])
    assert domain(y=np.full(9, np.nan), classes=()).train.y.dtype == np.int32


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"y": Y + 1}, ["mine, train split", "example 2 is 3", "from 0 to 2 for 3 classes", "write y - 1"]),
        ({"y": np.where(Y == 2, 3, Y)}, ["example 2 is 3", "-1 where the class is unknown"]),
        ({"y": Y - 2}, ["example 0 is -2"]),
        ({"y": Y / 2}, ["example 1 is 0.5", "whole"]),
        ({"y": np.where(Y == 0, 1e300, Y)}, ["example 0 is 1e+300"]),
        ({"y": np.where(Y == 0, np.inf, Y)}, ["example 0 is infinite"]),
        ({"y": 2 * (Y > 0) - 1, "classes": ("no", "yes")}, ["-1 and 1", "(y > 0).astype(int)"]),
        ({"y": Y[:5]}, ["9 examples", "[5]"]),
        ({"y": np.where(Y == 0, "cow", NAMES[Y])}, ["Unknown class in mine, train split: 'cow'", "cat, dog, eel"]),
        ({"y": np.zeros((9, 4, 4), int)}, ["[9, 4, 4]", "y [n] is needed"]),
        ({"y": np.full((9, 3), 0.33)}, ["one 1 a row"]),
        ({"y": np.eye(3)[Y], "classes": ()}, ["fit_tasks"]),
        ({"y": Y + 1j}, ["complex128", "numbers or names"]),
        ({"y": NAMES[Y], "classes": ()}, ["classes=None"]),
        ({"y": Y % 2 + 1, "classes": ("1", "2", "3")}, ["names or class numbers", "astype(str)"]),
        ({"classes": "cat"}, ["list of names"]),
        ({"classes": ("cat", "dog", "cat")}, ["'cat' is named twice"]),
        ({"classes": ("cat",), "y": 0 * Y}, ["one class (cat)"]),
        ({"classes": 3}, ["a list of names"]),
        ({"x": X[:0], "y": Y[:0]}, ["split is empty (0 train"]),
        ({"x": np.where(np.arange(36).reshape(9, 4) == 6, np.nan, X)}, ["example 1, feature 2: nan", "1 of 9"]),
        ({"x": np.where(X > 0, np.inf, X)}, ["example 0, feature 0", "inf"]),
        ({"x": X.astype(np.float64) * 1e60}, ["none in float32"]),
        ({"x": X[:, 0]}, ["[9]"]),
        ({"x": X[:, 0], "modality": "vector"}, ["x[:, None]"]),
        ({"x": [[1.0, 2.0], [3.0]]}, ["no array can be made of this list"]),
        ({"x": [["good", "day"]] * 9}, ["'good'", "vector needs"]),
        ({"x": RNG.integers(0, 9, (9, 4))}, ["quantities or token ids", "modality='text'"]),
        ({"x": np.full((9, 4), -1, np.int32)}, ["example 0 holds the token id -1", "modality='vector'"]),
        ({"x": np.full((9, 4), 7), "modality": "text", "vocabulary": 7}, ["id 7 at 0", "from 0 to 6"]),
        ({"x": np.full((9, 4), 1.5), "modality": "text"}, ["holds 1.5 at 0", "int32"]),
        ({"x": X, "modality": "sound"}, ["int16 waves", "32767"]),
        ({"x": X, "modality": "picture"}, ["Unknown modality of mine: 'picture'", "image, vector"]),
        ({"x": np.zeros((9, 12, 12), np.float32)}, ["images or series", "modality='series'"]),
        ({"x": Frame(age=[None] * 9, b=[1.0] * 9)}, ["feature 0 (age): nan"]),
        ({"x": np.ma.MaskedArray(X, X > 1)}, ["nan"]),
        ({"features": ("a", "b")}, ["2 names of features"]),
        ({"ids": {"train": np.arange(4)}}, ["4 names of examples in train, which has 9"]),
    ],
)
def test_what_cannot_be_meant_is_said(given, words):
    text = said(**given)
    assert all(word in text for word in words), text


PIXELS = RNG.integers(0, 256, (9, 8, 8, 3))


@pytest.mark.parametrize(
    ("x", "word"),
    [
        (PIXELS, "np.rint(x).astype(np.uint8)"),
        (PIXELS.astype(np.float32), "np.rint(x).astype(np.uint8)"),
        (PIXELS / 255, "np.rint(255 * x"),
        (PIXELS / 127.5 - 1, "127.5 * (x + 1)"),
        (PIXELS > 99, "np.rint(255 * x"),
        ((PIXELS > 99).astype(np.uint8), "Write 255 * x"),
        (PIXELS.astype(np.uint16) * 257, "run from"),
        (PIXELS.astype(np.uint8).transpose(0, 3, 1, 2), "x.transpose(0, 2, 3, 1)"),
        (np.concatenate([PIXELS, PIXELS], -1)[..., :4].astype(np.uint8), "x[..., :3]"),
    ],
    ids=range(9),
)
def test_images_are_bytes_with_the_channels_last_or_the_message_says_how(x, word):
    assert word in said(x=x)


def test_what_loses_nothing_is_converted():
    assert domain(x=PIXELS[..., 0].astype(np.uint8)).train.x.shape == (9, 8, 8, 1)
    ids = domain(x=RNG.integers(0, 9, (9, 4)).astype(np.float32), modality="text", vocabulary=9)
    assert ids.train.x.dtype == np.int32
    assert domain(x=RNG.integers(0, 9, (9, 4)), modality="vector").train.x.dtype == np.float32
    assert domain(x=X.tolist()).train.x.dtype == domain(x=X.astype(">f8")).train.x.dtype == np.float32
    assert domain(x=X, modality="series").train.x.shape == (9, 4, 1)
    assert domain(y=None).labelled is False
    assert Domain("bare", (), X, {"x": X}, (X, None)).train.y.tolist() == [-1] * 9


def test_columns_of_frames_are_matched_by_name():
    frame = Frame(a=X[:, 0], b=X[:, 1])
    found = Domain("table", ("x", "y", "z"), (frame, Y), (frame[["b", "a"]], Y), (frame, Y))
    assert found.features == ("a", "b")
    assert np.array_equal(found.validation.x, X[:, :2])
    with pytest.raises(UserError, match="columns of the test split"):
        Domain("table", ("x", "y", "z"), (frame, Y), (frame, Y), (Frame(a=X[:, 0], B=X[:, 1]), Y))


def test_splits_of_different_shapes_are_named():
    with pytest.raises(UserError, match=r"\[4\] in train, \[4\] in validation, \[3\] in test"):
        Domain("mine", ("a", "b", "c"), (X, Y), (X, Y), (X[:, :3], Y))


def test_a_memory_map_stays_where_it_is(tmp_path):
    np.save(tmp_path / "x.npy", X)
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert domain(x=x).train.x is x
    assert domain(x=X, y=Y).train.x is X


def test_a_class_that_the_source_lacks_has_a_number_after_matching_only():
    other = domain(classes=("cat", "dog", "yak"))
    target = matched([domain()], other, label_space="universal")[1]
    assert set(target.train.y.tolist()) == {0, 1, 3}
    with pytest.raises(UserError, match="class numbers"):
        dataclasses.replace(target, name="again")
    assert changed(target, name="again").train.y is target.train.y


def test_unknown_labels_stay_unknown_when_classes_are_renamed():
    unknown = domain(y=np.where(np.arange(9) == 2, -1, Y), classes=("eel", "dog", "cat"))
    assert matched([domain()], unknown)[1].train.y.tolist() == [2, 1, -1, 2, 1, 0, 2, 1, 0]
