"""Arrays, sparse rows and tables: what is read, and what is said of wrong ones."""

import bz2

import numpy as np
import pytest
import scipy.io
from sklearn.datasets import dump_svmlight_file
from sklearn.feature_extraction.text import CountVectorizer

from tl_jax.core.errors import UserError
from tl_jax.data.load import load
from tl_jax.data.readers import text

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 5)).astype(np.float32), np.arange(40) % 2


def said(spec):
    with pytest.raises(UserError) as caught:
        load(spec)
    return str(caught.value)


def test_whole_numbers_that_look_like_values_are_asked_about(tmp_path):
    spec = saved(tmp_path / "prices.npz", x=X, y=np.arange(40) * 100)
    assert "40 different whole numbers label 40 examples: are they values" in said(spec)
    assert load(f"{spec}?task=regression").classes == ()
    assert "the validation split is empty" in said(f"{spec}?task=classes")


def saved(path, **arrays):
    np.savez(path, **arrays)
    return f"npz:{path}"


def together(domain):
    """All rows of a domain in an order of their own."""
    x = np.concatenate([part.x for part in domain.splits.values()])
    return x[np.lexsort(x.reshape(len(x), -1).T)]


@pytest.mark.parametrize(
    ("x", "modality"),
    [
        (X, "vector"),
        (RNG.integers(0, 256, (40, 6, 6, 3), np.uint8), "image"),
        (RNG.integers(0, 256, (40, 6, 6), np.uint8), "image"),
        (RNG.normal(size=(40, 9, 2)), "series"),
        (RNG.integers(-99, 99, (40, 30), np.int16), "sound"),
    ],
)
def test_npz_keeps_the_rows_and_tells_the_modality(tmp_path, x, modality):
    domain = load(saved(tmp_path / "a.npz", x=x, y=Y, classes=np.array(["no", "yes"])))
    assert domain.modality == modality
    assert domain.classes == ("no", "yes")
    assert sum(len(part.y) for part in domain.splits.values()) == 40
    expected = x[..., None] if modality == "image" and x.ndim == 3 else x
    expected = expected[np.lexsort(expected.reshape(40, -1).T)].astype(domain.train.x.dtype)
    np.testing.assert_array_equal(np.sort(together(domain).ravel()), np.sort(expected.ravel()))


def test_npz_labels_may_be_names_numbers_or_values(tmp_path):
    assert load(saved(tmp_path / "a.npz", x=X, y=np.array(["b", "a"])[Y])).classes == ("a", "b")
    assert load(saved(tmp_path / "a.npz", x=X, y=Y * 10.0)).classes == ("0", "10")
    values = load(saved(tmp_path / "a.npz", x=X, y=X[:, 0]))
    assert values.classes == ()
    assert values.train.y.dtype == np.float32
    assert load(saved(tmp_path / "a.npz", x=X, y=Y) + "?task=regression").classes == ()


def test_npz_with_a_test_split_keeps_it_and_one_numbering(tmp_path):
    domain = load(saved(tmp_path / "a.npz", x=X, y=Y + 1, x_test=X[:7] + 9, y_test=np.full(7, 3)))
    assert domain.classes == ("1", "2", "3")
    np.testing.assert_array_equal(domain.test.x, X[:7] + 9)
    assert (domain.test.y == 2).all()
    assert len(domain.validation.y) == 4


def test_npz_groups_stay_together(tmp_path):
    group = np.repeat(np.arange(8), 5)
    x = np.concatenate([X, group[:, None]], 1)
    domain = load(saved(tmp_path / "a.npz", x=x, y=Y, groups=group))
    seen = [set(part.x[:, -1]) for part in domain.splits.values()]
    assert sum(map(len, seen)) == 8


def test_token_ids_need_to_be_called_text(tmp_path):
    ids = RNG.integers(0, 50, (40, 7))
    domain = load(saved(tmp_path / "a.npz", x=ids, y=Y) + "?modality=text&vocabulary=64")
    assert (domain.modality, domain.vocabulary, domain.train.x.dtype) == ("text", 64, np.int32)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.where(X > 2, np.nan, X), "y": Y}, "rows hold NaN or infinity"),
        (
            {"x": X, "y": np.where(Y, np.nan, 1.0)},
            "20 of 40 labels are missing or a mark for it ('nan'; row 1, row 3, row 5, ...)",
        ),
        ({"x": X, "y": np.zeros(40, int)}, "one class (0)"),
        ({"x": X[:0], "y": Y[:0]}, "not one example"),
        ({"x": X, "y": Y[:9]}, "x has shape (40, 5) and y (9,)"),
        ({"images": X, "y": Y}, "Unknown array for x: 'x'"),
        ({"x": X[:3], "y": Y[:3]}, "split is empty"),
        ({"x": X, "y": Y, "classes": np.array(["a"])}, "labels run from 0 to 1, but 1 classes are named"),
        ({"x": X.astype(object), "y": Y}, "'x' holds Python objects"),
    ],
)
def test_wrong_arrays_are_named(tmp_path, arrays, message):
    assert message in said(saved(tmp_path / "a.npz", **arrays))


def test_wrong_files_and_options_are_named(tmp_path, write):
    assert "KB of HTML" in said(f"npz:{write(tmp_path / 'a.npz', '<html>sign in</html>')}")
    assert "cannot be read as .npz" in said(f"npz:{write(tmp_path / 'b.npz', 'nothing')}")
    spec = saved(tmp_path / "c.npz", x=X, y=Y)
    assert "Did you mean 'vector'?" in said(f"{spec}?modality=vectr")
    assert "image needs uint8 [n, h, w, c]" in said(f"{spec}?modality=image")
    assert "Did you mean 'modality'?" in said(f"{spec}?modalty=vector")


def test_mat_names_its_arrays_and_keeps_images_last(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"fts": X, "labels": Y[:, None] + 1})
    domain = load(f"mat:{tmp_path}/a.mat?x=fts&y=labels")
    assert domain.classes == ("1", "2")
    np.testing.assert_array_equal(together(domain), X[np.lexsort(X.T)])
    message = said(f"mat:{tmp_path}/a.mat?x=fts&y=label")
    assert "Did you mean 'labels'?" in message
    x = RNG.integers(0, 256, (6, 5, 3, 40), np.uint8)
    scipy.io.savemat(tmp_path / "b.mat", {"X": x, "y": Y})
    domain = load(f"mat:{tmp_path}/b.mat?x=X")
    assert domain.train.x.shape[1:] == (6, 5, 3)
    (row,) = [i for i in range(40) if (x[..., i] == domain.test.x[0]).all()]
    assert domain.test.y[0] == Y[row]


def test_svmlight_is_dense_and_as_wide_as_asked(tmp_path):
    x = np.round(X * (X > 0), 3)
    dump_svmlight_file(x, Y * 2 - 1, str(tmp_path / "a.svm"), zero_based=True)
    (tmp_path / "a.svm.bz2").write_bytes(bz2.compress((tmp_path / "a.svm").read_bytes()))
    for name in ("a.svm", "a.svm.bz2"):
        domain = load(f"svmlight:{tmp_path}/{name}?features=8&zero_based=true")
        assert domain.classes == ("-1", "1")
        assert domain.train.x.shape[1] == 8
        np.testing.assert_allclose(together(domain)[:, :5].sum(), x.sum(), rtol=1e-5)
    domain = load(f"svmlight:{tmp_path}/a.svm?features=5&zero_based=true&test={tmp_path}/a.svm")
    np.testing.assert_allclose(domain.test.x, x, atol=1e-6)
    assert "cannot be read as svmlight" in said(f"svmlight:{tmp_path}/a.svm?features=2&zero_based=true")


TABLE = """age,weight,kind,who
1.5,10,cat,a
2.5,11,dog,b
3.5,12,cat,c
4.5,13,dog,d
5.5,14,cat,e
6.5,15,dog,f
7.5,16,cat,g
8.5,17,dog,h
9.5,18,cat,i
10.5,19,dog,j
"""


def test_a_table_of_numbers(tmp_path, write):
    path = write(tmp_path / "t.csv", TABLE)
    domain = load(f"csv:{path}?label=kind&drop=who")
    assert domain.classes == ("cat", "dog")
    np.testing.assert_array_equal(together(domain)[:, 1], np.arange(10, 20))
    grouped = load(f"csv:{path}?label=kind&group=who")
    assert grouped.train.x.shape[1] == 2
    values = load(f"csv:{path}?label=age&drop=who,kind")
    assert values.classes == ()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "Add ?label=COLUMN; columns: age, weight, kind, who"),
        ("?label=knid", "Unknown column of"),
        ("?label=knid", "Did you mean 'kind'?"),
        ("?label=kind", "the column 'who' is not all numbers (it holds 'a'). Leave it out with &drop=who"),
        ("?label=kind&drop=who,age,weight", "no column is left"),
        ("?label=kind&split=who", "Unknown split in"),
        ("?label=kind&text=who&form=bag", "Unknown form in"),
    ],
)
def test_wrong_columns_are_named(tmp_path, write, query, message):
    assert message in said(f"csv:{write(tmp_path / 't.csv', TABLE)}{query}")


def test_a_broken_table_is_named_by_line(tmp_path, write):
    broken = write(tmp_path / "t.csv", "a,b\n1,2\n1,2,3")
    assert "line 3: 3 fields, but 2 columns" in said(f"csv:{broken}?label=b")
    missing = TABLE.replace("3.5,12", ",12")
    assert "1 of 10 rows hold NaN" in said(f"csv:{write(tmp_path / 't.csv', missing)}?label=kind&drop=who")


REVIEWS = ["Good, good book!", "bad book", "I don't like it", "", "the best book", "a bad one"] * 5


def test_text_becomes_ids_that_need_no_vocabulary(tmp_path, write):
    lines = [f'"{review}",{"pos" if i % 2 else "neg"}' for i, review in enumerate(REVIEWS)]
    path = write(tmp_path / "t.csv", "\n".join(["review,sentiment", *lines]))
    domain = load(f"csv:{path}?text=review&label=sentiment&buckets=64&length=3")
    assert (domain.modality, domain.vocabulary) == ("text", 64)
    assert domain.train.x.shape[1] == 3
    assert domain.train.x.max() < 64
    counts = load(f"csv:{path}?text=review&label=sentiment&form=counts&buckets=64")
    assert (counts.modality, counts.train.x.shape[1]) == ("vector", 64)


def test_word_numbers_are_the_same_in_every_text_and_never_padding():
    assert text.words("I don't LIKE it, mañana!") == ["i", "don't", "like", "it", "mañana"]
    ids = text.tokens(REVIEWS, 1000, 10)
    assert ids[0, 0] == ids[0, 1] == text.token("good", 1000)
    assert ids[0, 2] == ids[1, 1] == ids[4, 2]  # book
    np.testing.assert_array_equal((ids > 0).sum(1)[:6], [3, 2, 4, 0, 3, 3])
    assert min(text.token(str(i), 3) for i in range(99)) == 1


def test_counts_are_those_of_scikit_learn_up_to_the_numbering_and_length():
    ours = text.counts(REVIEWS[:6], 1 << 16)
    table = CountVectorizer(ngram_range=(1, 2), token_pattern=r"\w+(?:'\w+)?").fit_transform(REVIEWS[:6]).toarray()
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), [1, 1, 1, 0, 1, 1], atol=1e-6)
    gram, theirs = ours @ ours.T, table @ table.T
    length = np.sqrt(np.maximum(np.diag(theirs), 1))
    np.testing.assert_allclose(gram, theirs / np.outer(length, length), atol=1e-6)
