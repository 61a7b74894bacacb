"""The embedded digits: fixed splits, disjoint where they say so, and readable."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from tl_jax.data.embedded import digits

LOADERS = (digits.handwritten, digits.printed, digits.photo)
COUNTS = {"handwritten": (1200, 150, 447), "printed": (3000, 300, 500), "photo": (1200, 150, 447)}


@pytest.fixture(scope="module")
def domains():
    return {load.__name__: load() for load in LOADERS}


def splits(domain):
    return domain.train, domain.validation, domain.test


def flat(x):
    return x.reshape(len(x), -1)


def byte_strings(x):
    return {image.tobytes() for image in x}


@pytest.mark.parametrize("name", COUNTS)
def test_shapes_types_and_balance(domains, name):
    domain = domains[name]
    assert domain.name == f"digits:{name}"
    assert domain.classes == tuple("0123456789")
    for split, n in zip(splits(domain), COUNTS[name], strict=True):
        assert split.x.shape == (n, 16, 16, 3)
        assert split.y.shape == (n,)
        assert (split.x.dtype, split.y.dtype) == (np.uint8, np.int32)
        assert split.x.flags.c_contiguous
        assert (split.x.min(), split.x.max()) == (0, 255)
        counts = np.bincount(split.y, minlength=10)
        assert len(counts) == 10
        spread = 9 if (name, n) in {("handwritten", 447), ("photo", 447)} else 0  # the file's own imbalance
        assert np.ptp(counts) <= spread
        assert (np.bincount(split.y[: n // 2], minlength=10) > 0).all()  # in mixed order


@pytest.mark.parametrize("load", LOADERS)
def test_two_loads_are_equal_to_the_byte(domains, load):
    again = load()
    for a, b in zip(splits(domains[load.__name__]), splits(again), strict=True):
        assert a.x.tobytes() == b.x.tobytes()
        assert a.y.tobytes() == b.y.tobytes()


@pytest.mark.parametrize("name", COUNTS)
def test_no_image_is_in_two_splits_or_twice_in_one(domains, name):
    parts = [byte_strings(split.x) for split in splits(domains[name])]
    assert len(set.union(*parts)) == sum(COUNTS[name])


def test_handwritten_is_the_whole_file_scaled_to_bytes(domains):
    from sklearn.datasets import load_digits

    data = load_digits()
    x = np.concatenate([split.x for split in splits(domains["handwritten"])])
    y = np.concatenate([split.y for split in splits(domains["handwritten"])])
    np.testing.assert_array_equal(np.bincount(y), np.bincount(data.target))
    # Enlarging by linear interpolation keeps the mean up to the border's weight.
    assert abs(x.mean() - data.images.mean() * 255 / 16) < 1
    assert (x == x[..., :1]).all()


def test_every_face_draws_ten_glyphs_whole_and_centred():
    glyphs = digits._glyphs()
    assert len(glyphs) == len(set(digits.FACES)) == 22
    for row in glyphs:
        assert len({glyph.tobytes() for glyph in row}) == 10  # a missing digit is drawn as the same box
        for ink in map(np.asarray, row):
            assert ink[[0, -1]].sum() == ink[:, [0, -1]].sum() == 0
            rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
            assert abs(rows[0] + rows[-1] - 63) <= 1
            assert abs(columns[0] + columns[-1] - 63) <= 1


@pytest.mark.parametrize("name", ["handwritten", "printed"])
def test_the_nearest_image_has_the_same_label(domains, name):
    train, _, test = splits(domains[name])
    knn = KNeighborsClassifier(1).fit(flat(train.x[..., 0]), train.y)
    y_hat = knn.predict(flat(test.x[..., 0]))
    recall = [np.mean(y_hat[test.y == c] == c) for c in range(10)]
    assert np.mean(y_hat == test.y) > 0.95
    assert min(recall) > 0.85


def test_the_domains_differ(domains):
    def accuracy(source, target):
        train, test = domains[source].train, domains[target].test
        return KNeighborsClassifier(1).fit(flat(train.x), train.y).score(flat(test.x), test.y)

    assert 0.5 < accuracy("printed", "handwritten") < 0.8
    assert 0.2 < accuracy("printed", "photo") < 0.5


def matching_strips(image, digit):
    """Numbers of the strips with a crop for which image = |crop - digit|."""
    found = set()
    for k in range(10):
        windows = np.lib.stride_tricks.sliding_window_view(
            np.stack(digits._strips((k,))), (16, 16), axis=(1, 2)
        ).transpose(0, 1, 2, 4, 5, 3)
        if (np.abs(windows.astype(np.int16) - digit) == image).all((3, 4, 5)).any():
            found.add(k)
    return found


@pytest.mark.parametrize("part", [0, 1, 2])
def test_photo_is_the_same_splits_handwriting_over_its_own_strips(domains, part):
    over, plain = splits(domains["photo"])[part], splits(domains["handwritten"])[part]
    np.testing.assert_array_equal(over.y, plain.y)
    for i in (0, len(over.y) - 1):
        found = matching_strips(over.x[i], plain.x[i].astype(np.int16))
        assert found
        assert found <= set(digits.STRIPS[part])


def test_strips_are_disjoint():
    numbers = [k for part in digits.STRIPS for k in part]
    assert sorted(numbers) == list(range(10))
    assert all(strip.shape[1:] == (32, 3) for strip in digits._strips(tuple(range(10))))


def test_scans_are_those_of_scikit_learn_wherever_it_keeps_its_file(monkeypatch):
    here = digits._scans()
    monkeypatch.setattr(digits, "_SCANS", "data/elsewhere.csv.gz")
    for x, other in zip(here, digits._scans(), strict=True):
        np.testing.assert_array_equal(x, other)
