"""Labels, options and frames as people have them: one spelling of a class, no mark among classes, rows that fit."""

import unicodedata
from typing import Any

import numpy as np
import pytest

import tl_jax
from tl_jax import handed
from tl_jax.core.errors import UserError
from tl_jax.data.load import everything, load
from tl_jax.data.match.like import labels_like
from tl_jax.data.match.match import matched
from tl_jax.data.spec import parse

Domain: Any = tl_jax.Domain  # what is handed over is often of another type than they take
fit: Any = tl_jax.fit
one_domain: Any = handed.one_domain
N = 40
X = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
TURN = np.arange(N) % 4
DECOMPOSED = unicodedata.normalize("NFD", "café")
CAFES = np.array(["café", "the", DECOMPOSED, "the\u200b"])[TURN]


class Series:
    """What is needed of a column with an index, or (columns) of a frame."""

    iloc = None
    _held: Any

    def __init__(self, index, name="", columns=None, held=None):
        self.index, self._held = index, held
        if columns is not None:
            self.columns = list(columns)
            self._held = dict(columns)
        else:
            self.name = name

    def __getitem__(self, names):
        return Series(self.index, columns={name: self._held[name] for name in names})

    def __array__(self, dtype=None, copy=None):
        return np.stack(list(self._held.values()), 1) if isinstance(self._held, dict) else np.asarray(self._held)


def frame(index: Any = range(N), **more):
    return Series(list(index), columns={"a": X[:, 0], "b": X[:, 1], **more})


def column(values, index: Any = range(N), name="y"):
    return Series(list(index), name, held=values)


def said(go):
    with pytest.raises(UserError) as error:
        go()
    assert "\n" not in str(error.value)
    return str(error.value)


def saved(path, **arrays):
    np.savez(path / "a.npz", **arrays)
    return f"npz:{path}/a.npz"


@pytest.mark.parametrize("reader", ["csv", "npz", "folder", "list", "python"])
def test_a_class_is_one_however_its_accents_are_written(reader, tmp_path, write, picture):
    if reader == "python":
        domain = one_domain((X, CAFES), "mine")
    elif reader == "npz":
        domain = load(saved(tmp_path, x=X, y=CAFES))
    elif reader == "csv":
        lines = "".join(f"{x},{y}\n" for x, y in zip(X[:, 0].tolist(), CAFES.tolist(), strict=True))
        domain = load(f"csv:{write(tmp_path / 'a.csv', 'a,y' + chr(10) + lines)}?label=y")
    else:
        at = lambda i: f"{CAFES[i]}/{i}.png" if reader == "folder" else f"{i}.png"
        for i in range(N):
            write(tmp_path / "all" / at(i), picture(i))
        lines = "".join(f"{i}.png,{CAFES[i]}\n" for i in range(N))
        write(tmp_path / "list.csv", f"file,label\n{lines}")
        domain = load(f"folder:{tmp_path}/all" + f"#{tmp_path}/list.csv" * (reader == "list") + "?size=8")
    assert domain.classes == ("café", "the")
    every = np.concatenate([part.y for part in domain.splits.values()])
    assert np.bincount(every).tolist() == [20, 20]


@pytest.mark.parametrize("mark", ["", "nan", "NA", "?"])
def test_a_mark_is_no_class_of_labels_from_python(mark):
    y = np.where(TURN == 3, mark, "abcd"[0]).astype(object)
    y[TURN == 1] = "b"
    assert f"'{mark}' mark a missing one" in said(lambda: one_domain((X, y), "mine"))
    named = Domain("mine", ["a", "b", mark], (X, y), (X, y), (X, y))
    assert named.train.y.max() == 2


def test_one_number_is_one_class_or_a_message(tmp_path):
    assert one_domain((X, np.array([1, "1", 1.0, "2"] * 10, object)), "mine").classes == ("1", "2")
    for y in (["1", "1.0", "2", "3"], ["01", "1", "2", "3"]):
        assert "one number written in two ways" in said(lambda y=y: one_domain((X, y * 10), "mine"))
        assert "one number written in two ways" in said(lambda y=y: load(saved(tmp_path, x=X, y=np.array(y * 10))))


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (TURN - 2, "a label is -2"),
        (TURN - 2.0, "a label is -2"),
        (np.where(TURN == 3, -99, TURN), "a label is -99"),
        (np.where(TURN == 3, -(2**63), TURN), "a label is -9.22337e+18"),
        ((np.arange(N) * 7).astype(np.int8), "a label is -1"),
        (np.where(TURN == 3, 255, TURN).astype(np.uint8), "what -1 (unknown) becomes in uint8"),
        (np.where(TURN == 3, -1, TURN).astype(np.uint64), "becomes in uint64"),
    ],
    ids=range(7),
)
def test_numbers_that_stand_for_no_class_are_asked_about(y, words, tmp_path):
    assert words in said(lambda: one_domain((X, y), "mine"))


def test_files_ask_about_the_same_numbers(tmp_path):
    for y in (
        np.where(TURN == 3, 255, TURN).astype(np.uint8),
        np.where(TURN == 3, -99, TURN),
        np.where(TURN == 3, -(2**31), TURN),
    ):
        spec = saved(tmp_path, x=X, y=y)
        assert "10 of 40 labels are missing or a mark for it" in said(lambda spec=spec: load(spec))
        assert load(f"{spec}?unlabelled=keep").classes == ("0", "1", "2")
        assert len(load(f"{spec}?unlabelled=class").classes) == 4
    masks = load(saved(tmp_path, x=X, y=np.where(TURN > 1, 255, 0).astype(np.uint8)))
    assert masks.classes == ("0", "255")


def test_whole_floats_are_the_numbers_that_they_are():
    found = one_domain((X, TURN - 1.0), "mine")
    assert found.classes == one_domain((X, TURN - 1), "mine").classes == ("0", "1", "2")
    assert found.unknown == 10


def test_names_and_numbers_of_two_splits_are_not_mixed(tmp_path):
    spec = saved(tmp_path, x=X, y=np.array(["a", "b"])[TURN % 2], x_test=X, y_test=TURN % 2)
    assert "the labels of y are names, those of y test numbers" in said(lambda: load(spec))


def test_classes_that_training_lacks_are_said(tmp_path):
    domain = load(saved(tmp_path, x=X, y=TURN % 2, x_test=X, y_test=TURN % 2 + 1))
    assert "1 of 3 classes (2) have examples to test on, and none in train" in domain.notes
    named = load(saved(tmp_path, x=X, y=TURN % 2, classes=np.array(["a", "b", "c"])))
    assert "1 of 3 classes have no example: c" in named.notes
    assert Domain("target", ("a", "b", "c"), X, X, X).notes == ()


@pytest.mark.parametrize("classes", [{"a", "b"}, {1: "b", 0: "a"}], ids=["set", "mapping"])
def test_class_names_have_an_order(classes):
    assert "a list of names is needed" in said(lambda: Domain("mine", classes, *[(X, TURN % 2)] * 3))


def test_rows_of_a_frame_are_those_of_its_labels():
    mixed = np.random.default_rng(1).permutation(N)
    assert "y.loc[x.index]" in said(lambda: one_domain((frame(mixed), column(TURN)), "mine"))
    assert one_domain((frame(range(9, N + 9)), column(TURN)), "mine").classes == ("0", "1", "2", "3")
    assert "'y' is a column of x" in said(lambda: one_domain((frame(y=TURN), column(TURN)), "mine"))
    assert one_domain((frame(y=X[:, 2]), column(TURN)), "mine").features == ("a", "b", "y")


def test_what_files_say_of_columns_is_said_of_frames():
    indexed = one_domain((frame(**{"Unnamed: 0": np.arange(N)}), column(TURN)), "mine")
    assert indexed.features == ("a", "b")
    assert indexed.notes == ("column 'Unnamed: 0', an index without a name, was left out",)
    times = one_domain((np.stack([1.6e9 + np.arange(N)[::-1] % 7, TURN], 1), TURN), "mine")
    assert "7 different numbers up to 1.6e+09 become 1 in 32 bits" in times.notes[0]
    assert "rising row by row" in one_domain((frame(c=np.arange(N)), column(TURN)), "mine").notes[0]
    assert "'a' stands twice" in said(lambda: one_domain((Twice(), TURN), "mine"))
    assert "2 names of features stand twice" in said(lambda: Domain("mine", None, *[(X, TURN)] * 3, features=["a"] * 3))


class Twice:
    columns = ("a", "a")


def test_an_option_given_twice_is_no_choice(tmp_path, write):
    assert "drop= is given twice" in said(lambda: parse("csv:a.csv?label=y&drop=a&drop=b"))
    table = write(tmp_path / "a.csv", "t,age,y\n" + "".join(f"word{i % 7},{i},{'ab'[i % 2]}\n" for i in range(30)))
    assert "'t' is both label= and text=" in said(lambda: load(f"csv:{table}?label=t&text=t"))
    assert "'y' is both label= and group=" in said(lambda: load(f"csv:{table}?label=y&group=y&text=t"))
    assert "1 columns beside the text are not read: age" in load(f"csv:{table}?label=y&text=t").notes


def test_two_tables_one_after_the_other_have_one_line_of_names(tmp_path, write):
    one = "t,y\n" + "".join(f"word{i % 7},{'ab'[i % 2]}\n" for i in range(20))
    domain = load(f"csv:{write(tmp_path / 'a.csv', one * 2)}?label=y&text=t")
    assert domain.classes == ("a", "b")
    assert "1 lines that repeat the column names were left out" in domain.notes


def test_groups_with_blanks_are_the_same_groups(tmp_path):
    spec = saved(
        tmp_path, x=X, y=TURN % 2, groups=np.array(["p", "q ", "r", "q", "s ", "r ", "s", "p "])[np.arange(N) % 8]
    )
    domain = load(spec)
    of = lambda rows: {"pqrqsrsp"[int(row.split()[-1]) % 8] for row in rows}
    train, validation, test = (of(ids) for ids in domain.ids.values())
    assert len(train) + len(validation) + len(test) == len(train | validation | test) == 4


def test_a_message_of_labels_ends_fit_before_anything_is_trained(tmp_path):
    with pytest.raises(UserError, match="a label is -99"):
        fit((X, np.where(TURN == 3, -99, TURN)), (X, TURN), run_dir=str(tmp_path / "run"), quiet=True)
    assert not (tmp_path / "run").exists()


def test_no_column_is_rate_or_vocabulary():
    for what in ({"rate": "x"}, {"vocabulary": -3}):
        assert "a whole number of at least 0" in said(lambda what=what: Domain("mine", None, *[(X, TURN)] * 3, **what))


def test_sparse_files_that_count_from_two_numbers_are_not_shifted(tmp_path, write):
    row = lambda i, base: f"{i % 2} " + " ".join(f"{j + base}:{(i * j) % 5 + 1}" for j in range(3)) + "\n"
    files = [write(tmp_path / f"{base}.svm", "".join(row(i, base) for i in range(30))) for base in (0, 1)]
    read = lambda more: [load(f"svmlight:{file}?features=4{more}") for file in files]
    first, second = read("")
    assert "&zero_based=true or false" in said(lambda: matched([first], second))
    first, second = read("&zero_based=true")
    assert not second.train.x[:, 0].any()
    assert matched([first], second)[1].train.x.shape == second.train.x.shape


def test_a_list_of_images_with_values_is_no_list_of_classes(tmp_path, write, picture):
    for i in range(20):
        write(tmp_path / "all" / f"{i}.png", picture(i))
    table = write(tmp_path / "list.csv", "file,label\n" + "".join(f"{i}.png,{i % 5 / 2}\n" for i in range(20)))
    assert "labels such as 0.5 are values" in said(lambda: load(f"folder:{tmp_path}/all#{table}"))
    assert "nothing reads the part after '#'" in said(lambda: load("digits:printed#list.csv"))


def test_one_file_by_two_names_is_said(shop):
    (shop / "bike" / "again.png").symlink_to(shop / "mug" / "03.png")
    notes = load(f"folder:{shop}?size=8").notes
    assert "1 images are files that are there by another name, too, 1 of them in another class" in notes[0]


def test_what_is_predicted_may_all_be_of_one_class(tmp_path, write, shop, picture):
    """And may be one example: nothing is learnt from it."""
    both = write(
        tmp_path / "both.csv", "a,y\n" + "".join(f"{x},{'ab'[i % 2]}\n" for i, x in enumerate(X[:, 0].tolist()))
    )
    model = load(f"csv:{both}?label=y")
    read = lambda path, before, like: labels_like(everything(str(path), "", before, like), like)
    one = write(tmp_path / "one.csv", "a,y\n1.5,b\n")
    assert read(one, f"csv:{both}?label=y", model)[0].tolist() == [1]
    assert "split is empty" in said(lambda: load(f"csv:{one}?label=y"))
    np.savez(tmp_path / "some.npz", x=X[:3, :1], y=np.array(["a"] * 3))
    assert read(tmp_path / "some.npz", f"csv:{both}?label=y", model)[0].tolist() == [0, 0, 0]
    write(tmp_path / "new" / "mug" / "1.png", picture())
    pictures = load(f"folder:{shop}?size=8")
    assert read(tmp_path / "new", f"folder:{shop}?size=8", pictures) == (np.array([1]), "")
    assert "found 1 class" in said(lambda: load(f"folder:{tmp_path}/new"))


def test_a_value_far_from_all_others_may_be_a_mark():
    values = np.where(np.arange(N) == 5, -999, X[:, 0]).astype(np.float32)
    notes = one_domain((X, values), "mine").notes
    assert notes == ("labels such as -999 are far from all others: a mark of a missing value?",)
    assert one_domain((X, X[:, 0]), "mine").notes == ()


def test_groups_that_given_splits_cut_are_said(tmp_path, write):
    line = lambda i: f"{X[i, 0]},{('train', 'test')[i % 2]},{'pq'[i % 4 // 2]},{i % 3}\n"
    table = write(tmp_path / "a.csv", "a,s,g,y\n" + "".join(map(line, range(N))))
    assert "2 groups are in train and in test (p, ...)" in load(f"csv:{table}?label=y&split=s&group=g").notes[0]
