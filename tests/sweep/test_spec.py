"""The points of a sweep from a Python file."""

import pytest

from tl_jax.core.errors import UserError
from tl_jax.naming import own_code
from tl_jax.sweep.asked.space import Asked
from tl_jax.sweep.asked.spec import points_of, said

NOTHING = Asked([], [], [])
"""As flags that may be repeated say it."""
GOOD = """
import numpy as np

def plan():
    for lam in np.linspace(0, 1, 3):
        yield {"method": "dann", "lam": lam, "steps": np.int64(10)}
    yield {"method": ["dann", "mcc"], "freeze": ("backbone/*=frozen",)}
    yield {"method": "dann", "lam": 1, "steps": 10}
"""


def of(tmp_path, text: str, asked: Asked = NOTHING):
    own_code.forget()
    (tmp_path / "mine.py").write_text(text)
    return points_of(str(tmp_path / "mine.py"), asked)


def test_a_file_gives_every_point_once_in_the_types_of_a_configuration(tmp_path):
    found = of(tmp_path, GOOD)
    assert [point.get("lam") for point in found] == [0.0, 0.5, 1.0, None]
    assert found[0] == {"method": ("dann",), "lam": 0.0, "steps": 10}
    assert type(found[0]["steps"]) is int
    assert found[3] == {"method": ("dann", "mcc"), "freeze": (("backbone/*", "frozen"),)}


def test_what_is_said_of_a_file_changes_with_it_and_with_what_lies_beside_it(tmp_path):
    (tmp_path / "beside.py").write_text("LAMS = [1]")
    of(tmp_path, "import beside\ndef plan():\n    return [{'lam': lam} for lam in beside.LAMS]")
    before = said(str(tmp_path / "mine.py"))
    assert len(before) == 2
    (tmp_path / "beside.py").write_text("LAMS = [1, 2]")
    own_code.forget()
    assert said(str(tmp_path / "mine.py")) != before
    assert said("") == {}


MISTAKES = {
    "line 3: ZeroDivisionError": "def plan():\n    yield {'lam': 1}\n    yield {'lam': 1 / 0}",
    "line 1: ": "def plan(:",
    "'plan'. Did you mean 'plans'": "def plans():\n    return []",
    "gives no point": "def plan():\n    return []",
    "a list or a generator of points is needed": "def plan():\n    return {'lam': 1}",
    "point 2 is no dictionary": "def plan():\n    return [{'lam': 1}, 3]",
    "point 1: ": "def plan():\n    return [{'balanced': 2}]",
    "'seeds' cannot be swept": "def plan():\n    return [{'seeds': 2}]",
}


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_in_a_file_is_one_message(tmp_path, message):
    with pytest.raises(UserError) as raised:
        of(tmp_path, MISTAKES[message])
    assert message in str(raised.value)
    assert "mine.py" in str(raised.value)


def test_a_file_stands_alone(tmp_path):
    with pytest.raises(UserError, match="leave out --over"):
        of(tmp_path, GOOD, Asked(over=["lam=1"]))
    with pytest.raises(UserError, match="name a Python file"):
        points_of("mine.yaml", NOTHING)
