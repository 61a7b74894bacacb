"""Lists of files and labels as people write them."""

import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.data.load import load


@pytest.fixture
def flat(tmp_path, picture, write):
    """A folder of 24 pictures, one of them in a folder of its own."""
    for i in range(23):
        write(tmp_path / "flat" / f"{i}.png", picture(i))
    write(tmp_path / "flat" / "sub" / "23.png", picture(23))
    return tmp_path / "flat"


def listed(flat, lines, options="", head="file,label"):
    (flat / "list.csv").write_text("\n".join([head, *lines]) + "\n")
    return load(f"folder:{flat}#list.csv?size=8{options}")


def said(*args, **rest):
    with pytest.raises(UserError) as caught:
        listed(*args, **rest)
    return str(caught.value)


def noted(domain, part):
    assert any(part in note for note in domain.notes), domain.notes


GOOD = [f"{i}.png,{'xy'[i % 2]}" for i in range(23)]


def test_blanks_backslashes_absolute_names_and_other_case_mean_the_same_files(flat):
    plain = listed(flat, [*GOOD, "sub/23.png,y"])
    lines = [f"  {i}.png , {'xy'[i % 2]} " for i in range(19)]
    lines += ["./19.png,y", f"{flat}/20.png,x", "21.PNG,y", "flat/22.png,x", "sub\\23.png,y"]
    domain = listed(flat, lines)
    assert domain.classes == ("x", "y")
    for split in domain.splits:
        assert domain.ids[split].tolist() == plain.ids[split].tolist()
        np.testing.assert_array_equal(domain.splits[split].y, plain.splits[split].y)
    noted(domain, "1 names are spelled in another case or Unicode form than their files (first: 21.PNG)")
    assert listed(flat, [line.replace(",", ";") for line in GOOD], head="File;Label").classes == ("x", "y")


@pytest.mark.parametrize("mark", ["", "NA", "None", "?", " "])
def test_missing_labels_are_asked_about_kept_or_left_out(flat, mark):
    lines = [f"{i}.png,{mark if i % 5 == 0 else 'xy'[i % 2]}" for i in range(23)]
    assert "5 of 23 labels are missing (line 2: " in said(flat, lines)
    kept = listed(flat, lines, "&unlabelled=keep")
    assert kept.classes == ("x", "y")
    unknown = [n for s, part in kept.splits.items() for n, y in zip(kept.ids[s], part.y, strict=True) if y == -1]
    assert set(unknown) == {"0.png", "5.png", "10.png", "15.png", "20.png"}
    noted(kept, "5 images have no label and are kept without one (first: 0.png)")
    assert sum(len(part.y) for part in listed(flat, lines, "&unlabelled=drop").splits.values()) == 18


def test_a_list_without_labels_names_an_unlabelled_domain(flat):
    for lines, head in (([f"{i}.png" for i in range(23)], "file"), ([f"{i}.png," for i in range(23)], "file,label")):
        domain = listed(flat, lines, head=head)
        assert (domain.classes, domain.labelled) == ((), False)
        noted(domain, "no label is known")


def test_a_file_listed_twice_counts_once_and_never_under_two_labels(flat):
    domain = listed(flat, [*GOOD, GOOD[3]])
    noted(domain, "1 lines repeat a file and are left out (first: 3.png)")
    assert sum(len(part.y) for part in domain.splits.values()) == 23
    assert "3.png has two entries, 'y'  in line 5 and 'x'  in line 25" in said(flat, [*GOOD, "3.png,x"])
    split = [f"{line},train" for line in GOOD]
    assert "Leave one of them out" in said(flat, [*split, "3.png,y,test"], head="file,label,split")


def test_without_a_test_split_validation_is_the_test(flat):
    lines = [f"{line}, {'Val' if i % 4 == 0 else 'train'}" for i, line in enumerate(GOOD)]
    domain = listed(flat, lines, head="file,label,split")
    assert set(domain.ids["test"]) == {"0.png", "4.png", "8.png", "12.png", "16.png", "20.png"}
    noted(domain, "there is no test split: validation is the test")


@pytest.mark.parametrize(
    ("lines", "head", "message"),
    [
        ([*GOOD, "3.png"], "file,label", "line 25: 1 fields, where the first line names 2 columns"),
        ([*GOOD, "99.png,x"], "file,label", "line 25: there is no 99.png"),
        ([*GOOD, "../3.png,x"], "file,label", "line 25: there is no ../3.png"),
        ([*GOOD, "/etc/hostname,x"], "file,label", "line 25: there is no /etc/hostname"),
        ([*GOOD, ",x"], "file,label", "line 25: there is no name of a file"),
        ([f"{'n' * 300}.png,x"], "file,label", "line 2: there is no nnn"),
        ([], "file,label", "names no file"),
        (["1,2"], "image,label", "Unknown column 'file'"),
        (["1.png,2,3"], "file,label,label", "There are 2 columns label"),
        ([f"{line},trian" for line in GOOD], "file,label,split", "Did you mean 'train'?"),
        ([f"{line}," for line in GOOD], "file,label,split", "line 2:"),
    ],
)
def test_a_line_that_cannot_be_followed_is_named(flat, lines, head, message):
    assert message in said(flat, lines, head=head)


def test_a_list_that_is_no_text_is_named(flat):
    (flat / "list.csv").write_bytes(b"file,label\n1.png,caf\xe9\n")
    with pytest.raises(UserError, match="cannot be read as text in UTF-8"):
        load(f"folder:{flat}#list.csv?size=8")
    with pytest.raises(UserError, match="cannot be read as text"):
        load(f"folder:{flat}#sub?size=8")
