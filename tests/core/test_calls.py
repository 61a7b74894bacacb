"""Names on the command line: a call in a string is parsed and checked, and nothing in it is run."""

import hypothesis
import hypothesis.strategies as st
import pytest

from tl_jax.core.errors import UserError
from tl_jax.naming.calls import parse


def mcc(temperature: float = 2.5):
    return ("mcc", temperature)


def cdan(entropy: bool = False, hidden: int = 1024, form: str = "paper", sizes: tuple = (1, 2)):
    return ("cdan", entropy, hidden, form, sizes)


TABLE = {"mcc": mcc, "cdan": cdan}


def test_a_name_and_a_call_become_the_object():
    assert parse("mcc", TABLE, "method")() == ("mcc", 2.5)
    assert parse(" mcc() ", TABLE, "method")() == ("mcc", 2.5)
    call = parse("cdan(form='tllib', entropy=True, sizes=(3,))", TABLE, "method")
    assert call() == ("cdan", True, 1024, "tllib", (3,))
    assert call.function is cdan
    assert call.arguments == {"form": "tllib", "entropy": True, "sizes": (3,)}


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("mcc", "mcc"),
        ("mcc( )", "mcc"),
        ("cdan(hidden = 8,entropy=True)", "cdan(entropy=True, hidden=8)"),
        ("mcc(temperature=2)", "mcc(temperature=2.0)"),
        ('cdan(form="x")', "cdan(form='x')"),
    ],
)
def test_equal_calls_have_equal_texts(text, canonical):
    call = parse(text, TABLE, "method")
    assert call.text == canonical
    assert parse(canonical, TABLE, "method") == call


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mmc", r"Unknown method 'mmc'\. Did you mean 'mcc'\? Available: cdan, mcc\."),
        ("zzz", r"Unknown method 'zzz'\. Available: cdan, mcc\."),
        ("mcc(temprature=2.0)", r"no argument 'temprature'\. Did you mean 'temperature'\? Arguments: temperature=2\.5"),
        ("mcc(**{})", "Cannot read|no argument"),
        ("mcc(temperature='hot')", r"'temperature' takes a float such as 2\.5, not 'hot'"),
        ("mcc(temperature=True)", "takes a float"),
        ("cdan(entropy=1)", "takes a bool such as False, not 1"),
        ("cdan(hidden=2.5)", "takes a int|takes an int"),
        ("cdan(sizes=[1])", r"takes a tuple such as \(1, 2\)"),
        ("mcc(temperature=x)", "must be a literal"),
        ("mcc(temperature=__import__('os').getpid())", "must be a literal"),
        ("mcc(temperature={[]: 1})", "must be a literal"),
        ("mcc(temperature=1.0, temperature=2.0)", "twice"),
        ("mcc(2.0)", "named arguments"),
        ("mcc(", "Cannot read the method"),
        ("", "Cannot read the method"),
        ("mcc; cdan", "Cannot read the method"),
        ("mcc, cdan", "each has a flag of its own"),
        ("os.system('true')", "Cannot read the method"),
    ],
)
def test_a_mistake_says_what_exists(text, message):
    with pytest.raises(UserError, match=message):
        parse(text, TABLE, "method")


def begin(*, from_: str = "", length: int = 3):
    return from_, length


@pytest.mark.parametrize(
    "text", ["f(from='a, from=b')", 'f( from = "a, from=b" )', 'f(\n  length=3,\n from="a, from=b")']
)
def test_an_argument_may_be_called_like_a_word_of_python(text):
    call = parse(text, {"f": begin}, "network")
    assert call.text == "f(from='a, from=b')"
    assert call() == ("a, from=b", 3)
    assert parse(call.text, {"f": begin}, "network") == call


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("f(form='a')", "no argument 'form'. Did you mean 'from'\\? Arguments: from='', length=3"),
        ("f(lambda=1)", "no argument 'lambda'"),
        ("f(from=1)", "'from' takes a str such as '', not 1"),
        ("f(from='a', from='b')", "gives 'from' twice"),
        ("f(from)", "Cannot read the network"),
    ],
)
def test_what_is_said_of_such_an_argument_calls_it_as_it_is_written(text, message):
    with pytest.raises(UserError, match=message):
        parse(text, {"f": begin}, "network")


@hypothesis.given(st.one_of(st.text(), st.text("mcctemperatu=()1.,'*[]{} ")))
@hypothesis.settings(max_examples=100, deadline=None)
def test_any_text_is_a_call_or_a_mistake_a_user_can_read(text):
    try:
        call = parse(text, TABLE, "method")
    except UserError:
        return
    assert call.function in TABLE.values()
