"""Tables as careless but honest hands leave them: each is read right, with a word, or answered with a message."""

import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.data.check.pair import pair
from tl_jax.data.domain import known
from tl_jax.data.load import load
from tl_jax.data.match.match import matched
from tl_jax.data.readers import text
from tl_jax.run.plan.problem import describe


@pytest.fixture
def table(tmp_path):
    """table(lines or bytes, name, options) -> a spec of a file of these lines."""

    def put(lines, options="", name="t.csv"):
        content = lines if isinstance(lines, bytes) else ("\n".join(lines) + "\n").encode()
        (tmp_path / name).write_bytes(content)
        return f"csv:{tmp_path}/{name}?label=y{options}"

    return put


def said(spec):
    with pytest.raises(UserError) as caught:
        load(spec)
    return str(caught.value)


def rows(head, make, n=60):
    return [head, *(make(i) for i in range(n))]


def noted(domain):
    return "\n".join(domain.notes)


def all_x(domain):
    """Rows in the order of the file."""
    ids = np.concatenate([domain.ids[split] for split in domain.splits])
    x = np.concatenate([part.x for part in domain.splits.values()])
    return x[np.argsort([int(name.removeprefix("line ")) for name in ids])]


NUMBERS = np.random.default_rng(0).normal(size=60).round(3)


@pytest.mark.parametrize("mark", ["", "NA", "None", "?", "nan", " "])
@pytest.mark.parametrize("values", [False, True])
def test_a_missing_label_is_asked_about_and_never_a_class(table, mark, values):
    label = (lambda i: f"{i / 7:.3f}") if values else (lambda i: "abc"[i % 3])
    spec = table(rows("a,y", lambda i: f"{NUMBERS[i]},{mark if i % 12 == 5 else label(i)}"))
    assert "5 of 60 labels are missing or a mark for it" in said(spec)
    assert "line 7, line 19, line 31, ..." in said(spec)
    kept, dropped = load(f"{spec}&unlabelled=keep"), load(f"{spec}&unlabelled=drop")
    assert kept.classes == dropped.classes == (() if values else ("a", "b", "c"))
    assert sum(int((~known(part.y)).sum()) for part in kept.splits.values()) == 5
    assert "5 of 60 labels are missing: these examples were kept without a label" in noted(kept)
    assert sum(len(part.y) for part in dropped.splits.values()) == 55
    assert all(known(part.y).all() for part in dropped.splits.values())
    if not values and mark.strip():
        assert mark in load(f"{spec}&unlabelled=class").classes


def test_a_table_whose_labels_nobody_knows_is_a_target(table, tmp_path):
    spec = table(rows("a,b", lambda i: f"{NUMBERS[i]},{-NUMBERS[i]}")).replace("label=y", "label=none")
    domain = load(spec)
    assert domain.classes == ()
    assert not domain.labelled
    assert domain.features == ("a", "b")
    assert "where nobody knows the labels" in said(spec.replace("label=none", "drop=b")).lower()
    assert "say label=none" in said(spec.replace("label=none", "label=y"))
    empty = load(table(rows("a,y", lambda i: f"{NUMBERS[i]},")))
    assert not empty.labelled
    assert "none of the 60 labels is known" in noted(empty)
    texts = load(table(rows("t", lambda i: f"word{i}")).replace("label=y", "label=none&text=t"))
    assert not texts.labelled


def test_blanks_around_labels_and_names_are_no_part_of_them(table):
    domain = load(table(rows("a, y ", lambda i: f"{NUMBERS[i]},{['cat', 'dog', 'cat ', ' dog'][i % 4]}")))
    assert domain.classes == ("cat", "dog")
    assert "blanks around 30 of 60 labels were left out" in noted(domain)
    cased = load(table(rows("a,y", lambda i: f"{NUMBERS[i]},{['Cat', 'cat', 'dog'][i % 3]}")))
    assert "2 classes differ by upper and lower case alone" in noted(cased)


@pytest.mark.parametrize("odd", ["1,234.5", "1.234,5", "12 %", "three"])
@pytest.mark.parametrize("task", ["", "&task=regression"])
def test_a_label_that_is_no_number_among_numbers_is_named_by_line(table, odd, task):
    spec = table(rows("a;y", lambda i: f"{NUMBERS[i]};{odd if i == 7 else i * 1.37}"), f"&separator=semicolon{task}")
    assert f"line 9: the label '{odd}' is not a number (1 of 60" in said(spec)
    decimal = table(rows("a;y", lambda i: f"{NUMBERS[i]};{i},5"), "&separator=;")
    assert "line 2: the label '0,5' is not a number (60 of 60" in said(decimal)


def test_names_that_are_all_different_are_asked_about(table):
    assert "60 different names label 60 examples" in said(table(rows("a,y", lambda i: f"{NUMBERS[i]},2020-01-{i}")))


def test_long_numbers_stay_apart_as_labels_and_are_named_as_features(table):
    spec = table(rows("a,id,y", lambda i: f"{NUMBERS[i]},{10**12 + i % 7},{10**17 + i % 2}"))
    domain = load(spec)
    assert domain.classes == ("100000000000000000", "100000000000000001")
    assert "column 'id': 7 different numbers up to 1e+12 become 1 in 32 bits" in noted(domain)
    assert "column 'a' holds 1e+39, too large for 32 bits" in said(table(rows("a,y", lambda i: f"1e39,{i % 2}")))
    assert "(first: line 2, feature 'a'" in said(table(rows("a,y", lambda i: f"inf,{i % 2}")))


def test_an_index_is_left_out_and_a_column_that_counts_is_named(table):
    for name in ("", "Unnamed: 0"):
        domain = load(table(rows(f"{name},a,y", lambda i: f"{i},{NUMBERS[i]},{i % 2}")))
        assert domain.features == ("a",)
        assert "column 1 has no name and was left out as an index (0, 1, 2, ...)" in noted(domain)
    domain = load(table(rows("id,a,y,", lambda i: f"{i * 2},{NUMBERS[i]},{i % 2},")))
    assert domain.features == ("id", "a")
    assert "column 'id' runs from 0 to 118, no two rows alike and rising row by row" in noted(domain)
    assert "column 4, which is empty and has no name, was left out" in noted(domain)
    assert "column 2 has no name" in said(table(rows("a,,y", lambda i: f"{NUMBERS[i]},3,{i % 2}")))


def test_given_splits_hold_out_a_tenth_of_values_too_and_of_whole_groups(table):
    spec = table(rows("a,y,s,g", lambda i: f"{NUMBERS[i]},{i * 0.37:.2f},{'train' if i % 4 else 'test '},{i // 6}"))
    domain = load(f"{spec}&split=s&drop=g")
    assert [len(part.y) for part in domain.splits.values()] == [41, 4, 15]
    grouped = load(f"{spec}&split=s&group=g")
    line = lambda split: {(int(name.removeprefix("line ")) - 2) // 6 for name in grouped.ids[split]}
    assert line("train").isdisjoint(line("validation"))
    assert len(grouped.test.y) == 15


STRAY = ['"good start', 'it"s', 'the end"', 'a "quoted" word', "plain", '"both"', '"a ""b"" c"', '5" pipe']


@pytest.mark.parametrize("name", ["t.tsv", "t.csv"])
def test_stray_quotes_swallow_no_row(table, name):
    sign = "\t" if name == "t.tsv" else ","
    spec = table(rows(f"t{sign}y", lambda i: f"{STRAY[i % 8]}{sign}{'pn'[i % 2]}", 64), "&text=t&form=counts", name)
    domain = load(spec)
    assert sum(len(part.y) for part in domain.splits.values()) == 64
    assert "quotes do not pair (32 lines have an odd number)" in noted(domain)
    assert domain.classes == ("n", "p")


def test_quotes_that_pair_hold_separators_and_lines(table):
    lines = rows("t,y", lambda i: f'"one, ""two""\nthree {i}",{"pn"[i % 2]}' if i % 3 else f"plain,{'pn'[i % 2]}", 30)
    domain = load(table(lines, "&text=t"))
    assert sum(len(part.y) for part in domain.splits.values()) == 30
    assert "20 rows span several lines, in quotes" in noted(domain)
    spaced = load(table(rows("t, y", lambda i: f'"one, two", {"pn"[i % 2]}'), "&text=t"))
    assert spaced.classes == ("n", "p")
    broken = rows("t,y", lambda i: f'"one, two {i}",{"pn"[i % 2]}', 30)
    broken[5:10] = ['"opened,p', "plain,n", "plain,p", "plain,n", 'closed",n']
    assert "line 6: a quote opens a field that ends in a later line, but this line is a row" in said(
        table(broken, "&text=t")
    )
    broken[9] = "plain,n"
    assert "line 6: " in said(table(broken, "&text=t"))


def test_other_separators_are_asked_about_and_named(table):
    lines = rows("a;b;y", lambda i: f"{NUMBERS[i]};1.5;{i % 2}")
    assert "'semicolon'. Is that the separator? Say ?separator=semicolon" in said(table(lines))
    assert load(table(lines, "&separator=semicolon")).features == ("a", "b")
    blanks = rows("a  b y", lambda i: f"  {NUMBERS[i]}   1.5 {i % 2}")
    assert load(table(blanks, "&separator=space")).features == ("a", "b")
    assert load(table(["sep=;", *lines])).features == ("a", "b")
    assert "separator=ab; one character is needed, or a name: comma, tab" in said(table(lines, "&separator=ab"))
    assert "'tab'. Is that" in said(table(rows("a\ty", lambda i: f"1\t{i % 2}")))


def test_a_table_without_names_has_numbered_columns(table):
    lines = rows("0.5,7,x", lambda i: f"{NUMBERS[i]},{i % 7},{'xz'[i % 2]}", 59)
    domain = load(table(lines, "&header=none").replace("label=y", "label=3"))
    assert domain.features == ("1", "2")
    assert sum(len(part.y) for part in domain.splits.values()) == 60
    numbers = rows("0.5,7,1", lambda i: f"{NUMBERS[i]},{i % 7},{i % 2}", 59)
    assert "is not one of names but of data? Say ?header=none" in said(table(numbers))
    assert "1 column names stand twice: a" in said(table(rows("a,a,y", lambda i: f"1,2,{i % 2}")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,y\n1,é".encode("latin-1"), "line 2: not a table in UTF-8 text (byte 0xe9). Is it Latin-1"),
        ("a,y\n1,2".encode("utf-16"), "is text in UTF-16. Save it as UTF-8"),
        ("a,y\n1,2".encode("utf-16-le"), "a byte of zero"),
        (b"PK\x03\x04", "is a zip archive (or .xlsx)"),
        (b"\x1f\x8b\x08\x00", "is not a whole gzip file"),
        (b"", "has 1 lines"),
        (b"a,y\n", "a line of column names and examples are needed"),
        (b"a,y\n1,2,3\n1,2,3\n", "line 2: 3 fields, but 2 columns, as in every line: row names"),
        (b"a,y\n1,0\n\n\n1,2,3\n", "line 5: 3 fields, but 2 columns"),
        (b"a,y\n1_000,0\n2,1\n", "line 2: the column 'a' is not all numbers (it holds '1_000')"),
        (b"a,y\n2020-01-01,0\n2,1\n", "Leave it out with &drop=a"),
        (b"a,y\nNA,0\n2,1\n", "1 of 2 rows hold NaN or infinity (first: line 2, feature 'a'"),
    ],
)
def test_what_is_no_table_is_said(table, content, message):
    assert message in said(table(content))


def test_a_folder_in_place_of_a_file_is_said(tmp_path):
    for scheme in ("csv", "npz", "mat", "svmlight"):
        assert "is a folder. One file is needed" in said(f"{scheme}:{tmp_path}")


def test_old_line_ends_a_mark_of_order_and_lines_without_values_are_no_hindrance(table):
    lines = rows("a,t,y", lambda i: f"{NUMBERS[i]},{'True' if i % 3 else 'false'},{i % 2}" if i != 5 else ",,")
    domain = load(table(b"\xef\xbb\xbf" + "\r\n".join(lines).encode()))
    assert domain.features == ("a", "t")
    assert sum(len(part.y) for part in domain.splits.values()) == 59
    assert "1 lines without a value were left out" in noted(domain)
    assert "column 't': true and false were read as 1 and 0" in noted(domain)
    np.testing.assert_array_equal(all_x(domain)[:, 0], np.delete(NUMBERS, 5).astype(np.float32))
    assert "    column 't': true and false" in describe([domain])


def test_columns_are_matched_by_name_not_by_place(table):
    a = load(table(rows("u,v,y", lambda i: f"{NUMBERS[i]},{i % 5},{i % 2}"), name="a.csv"))
    b = load(table(rows("v,y,u", lambda i: f"{i % 5},{i % 2},{NUMBERS[i]}"), name="b.csv"))
    _, target = matched([a], b)
    assert target.features == ("u", "v")
    for split in target.splits:
        np.testing.assert_array_equal(target.splits[split].x, a.splits[split].x)
    assert "2 of 2 columns stand in another order than in" in noted(target)
    assert "2 of 2 columns stand in another order" in "\n".join(pair(a, b).warnings)
    other = load(table(rows("u,w,y", lambda i: f"{NUMBERS[i]},{i % 5},{i % 2}"), name="c.csv"))
    with pytest.raises(UserError, match=r"Only in .*: \['v'\]. Only in .*: \['w'\]"):
        matched([a], other)
    assert "they are matched by name" in "\n".join(pair(a, other).warnings)


def test_texts_that_are_empty_or_cut_are_counted(table):
    lines = rows("t,y", lambda i: f"{['', 'a b c d', '!!', 'a'][i % 4]},{'pn'[i // 2 % 2]}")
    domain = load(table(lines, "&text=t&length=3"))
    assert "30 of 60 texts have no word" in noted(domain)
    assert "15 of 60 texts have more than 3 words and were cut" in noted(domain)
    with pytest.raises(UserError, match="GB"):
        text.counts([""] * 900, text.MOST)
    assert "buckets=999999999999; at most" in said(table(lines, "&text=t&buckets=999999999999"))


@pytest.mark.parametrize(
    ("written", "tokens"),
    [
        ("我喜欢这个产品。很好!", "我 喜 欢 这 个 产 品 很 好"),
        ("हिन्दी भाषा", "हिन्दी भाषा"),
        ("ฉันชอบ", "ฉั น ช อ บ"),
        ("こんにちはー ok", "こ ん に ち は ー ok"),
        ("한국어 좋아요", "한국어 좋아요"),
        ("😀 😡👍🏽 👨‍👩‍👧 🇩🇪🇫🇷", "😀 😡 👍🏽 👨‍👩‍👧 🇩🇪 🇫🇷"),
        ("Cafe\u0301 caf\u00e9", "caf\u00e9 caf\u00e9"),
        ("Don\u2019t \u2018stop\u2019", "don't stop"),
        ("naïve_x it's", "naïve_x it's"),
    ],
)
def test_words_of_many_scripts(written, tokens):
    assert text.words(written) == tokens.split(" ")


def test_words_of_plain_ascii_are_what_they_were():
    line = "I don't LIKE it! snake_case, 3.5 o'clock's -- 'quoted' x'y'z"
    expected = ["i", "don't", "like", "it", "snake_case", "3", "5", "o'clock", "s", "quoted", "x'y", "z"]
    assert text.words(line) == expected
    assert text.words(f"{line} é")[:-1] == expected
    assert text.token("don't", 8192) == 4666
