"""Code of a user's own by its file: run once, exactly as it was digested, and every mistake in it one message."""

import sys
from functools import partial

import pytest

from tl_jax.core.errors import UserError
from tl_jax.naming import own_code
from tl_jax.naming.calls import parse
from tl_jax.naming.from_python import handed

GOOD = """
import beside
count = []
number = 5
def f(sharp=2.0, *, many: int = 3): return [sharp, many, beside.VALUE]
def needs(size): return [size]
def text(): return "no list"
def broken(): raise KeyError("gone")
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    own_code.forget()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(GOOD)
    (tmp_path / "beside.py").write_text("VALUE = 7")
    yield tmp_path
    own_code.forget()


def call(text):
    return parse(text, {"known": list}, "thing", (list,))


def test_a_function_of_a_file_is_called_as_one_of_the_table():
    found = call(" ./mine.py:f(many=4, sharp=3) ")
    assert found.text == "mine.py:f(many=4, sharp=3.0)"
    assert (found.name, found.arguments) == ("mine.py:f", {"sharp": 3.0, "many": 4})
    assert found() == [3.0, 4, 7]
    assert call(found.text).function is found.function  # the file was run once
    assert call("mine.py:f(sharp=2.0)").text == "mine.py:f"
    assert call("mine.py:f(many=-4)")() == [2.0, -4, 7]  # no bounds: what its names mean is not known
    assert call("known")() == []


def test_nothing_of_it_stays_behind():
    before = set(sys.path), "beside" in sys.modules
    call("mine.py:f")
    assert (set(sys.path), "beside" in sys.modules) == before


def test_each_folder_has_its_own_modules_beside_a_file(here):
    (here / "other").mkdir()
    (here / "other" / "mine.py").write_text(GOOD)
    (here / "other" / "beside.py").write_text("VALUE = 8")
    assert call("mine.py:f")()[2] == 7
    assert call("other/mine.py:f")()[2] == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("absent.py:f", r"absent\.py: No such file or directory \(looked for /.*absent\.py\)"),
        ("mine.py:g", r"Unknown thing of mine\.py 'g'\. Available: f, needs, text, broken\."),
        ("mine.py:number", r"mine\.py:number is a int; a function that gives a thing is needed"),
        ("mine.py:f(shrap=1.0)", r"no argument 'shrap'\. Did you mean 'sharp'\? Arguments: sharp=2\.0, many=3"),
        ("mine.py:f(sharp='a')", "takes a float"),
        ("mine.py:f(sharp=1e999)", "a number from"),
        ("mine.py:f(2.0)", "named arguments"),
        ("mine.py:", "Cannot read the thing"),
        ("mine.py:needs", r"needs a value of 'size'\. Arguments: size"),
        ("bad_syntax.py:f", r"bad_syntax\.py: line 2: "),
        ("bad_import.py:f", r"bad_import\.py: line 2: NameError: name 'missing' is not defined"),
        ("exits.py:f", r"exits\.py: line 1: SystemExit: 3"),
        ("folder.py:f", r"folder\.py: Is a directory"),
        ("python:f", "was handed over from Python"),
    ],
)
def test_a_mistake_is_one_message(text, message, here):
    (here / "bad_syntax.py").write_text("x = 1\ndef f(:")
    (here / "bad_import.py").write_text("x = 1\nmissing + 1")
    (here / "exits.py").write_text("raise SystemExit(3)")
    (here / "folder.py").mkdir()
    with pytest.raises(UserError, match=message) as raised:
        call(text)
    assert "\n" not in str(raised.value)


def test_what_a_function_raises_or_gives_is_a_mistake_too():
    with pytest.raises(UserError, match=r"mine\.py:text gives a str; a builtins\.list is needed"):
        call("mine.py:text")()
    with pytest.raises(UserError, match=r"mine\.py:broken: line 8: KeyError: 'gone'"):
        call("mine.py:broken")()


def test_a_kind_without_a_door_takes_no_file():
    with pytest.raises(UserError, match=r"a head cannot come from a file\. Available: known"):
        parse("mine.py:f", {"known": list}, "head")


def test_the_digest_is_of_what_was_run_and_of_what_lies_beside(here):
    digests = lambda: own_code.digests(["mine.py:f", "mcc", 5])
    first = digests()
    assert list(first) == ["own mine.py", "own beside.py"]
    (here / "beside.py").write_text("VALUE = 9")
    assert digests() == first  # in one run the code is one
    assert call("mine.py:f")()[2] == 7
    own_code.forget()
    assert call("mine.py:f")()[2] == 9
    assert {name for name, digest in digests().items() if digest != first[name]} == {"own beside.py"}


def maker(size):
    return lambda: [size]


def test_an_object_from_python_has_a_name_and_a_digest_of_code_and_values():
    names = [handed(one, one) for one in (maker(1), maker(1), maker(2), partial(maker, 3), partial(maker, 4))]
    assert set(names) == {"python:maker"}
    assert names[0].digest == names[1].digest
    assert len({name.digest for name in names}) == 4
    assert handed(maker, maker, ["python:maker"]) == "python:maker-2"
    found = parse(names[0], {}, "thing", (list,))
    assert (found.text, found()) == ("python:maker", [1])
    assert parse(handed(maker, maker), {}, "thing", (list,)).changed(size=3).text == "python:maker(size=3)"
