"""The flags of a sweep become points."""

import pytest

from tl_jax.core.errors import UserError
from tl_jax.run.settings.config import Config
from tl_jax.sweep.asked.inner import with_inner
from tl_jax.sweep.asked.space import Asked, points


def test_a_grid_crosses_everything_and_calls_stay_texts():
    found = points(Asked(over=["method=dann, cdan(entropy=True)", "lam=0.1, 1", "network=cnn"]))
    assert found[1] == {"method": ("dann",), "lam": 1.0, "network": "cnn"}
    assert [p["method"] for p in found] == [("dann",), ("dann",), ("cdan(entropy=True)",), ("cdan(entropy=True)",)]
    (added,) = points(Asked(over=["method=dann + mcc(lam=0.1)"]))
    assert added == {"method": ("dann + mcc(lam=0.1)",)}


def test_functions_give_the_values_of_numbers():
    values = lambda text: [next(iter(p.values())) for p in points(Asked(over=[text]))]
    assert values("lr=log(1e-4, 1e-1, 4)") == [1e-4, 1e-3, 1e-2, 1e-1]
    assert values("lam=log(0.03, 3, 3)") == [0.03, 0.3, 3.0]
    assert values("lam=linear(0, 1, 5), 2") == [0.0, 0.25, 0.5, 0.75, 1.0, 2.0]
    assert values("steps=ints(10, 12)") == [10, 11, 12]
    assert values("temperature=-1, 2.5") == [-1.0, 2.5]
    assert values("balanced=True, False") == [True, False]
    assert values("method='mine.py:f(x=1)', (dann, mcc)") == [("mine.py:f(x=1)",), ("dann", "mcc")]
    assert values("freeze='backbone/*=frozen', ()") == [(("backbone/*", "frozen"),), ()]


def test_what_goes_together_is_not_crossed():
    found = points(Asked(over=["lam=0, 1"], together=["batch_size, lr = (32, 1e-3), (64, 2e-3)"]))
    assert {(p["batch_size"], p["lr"]) for p in found} == {(32, 1e-3), (64, 2e-3)}
    assert len(found) == 4


def test_a_draw_is_a_pure_function_of_seed_number_and_name():
    draw = lambda n, *more, seed=0: points(Asked(over=["lr=log_uniform(1e-4, 1e-1)", *more], draws=n, seed=seed))
    few, many = draw(3), draw(20, "lam=uniform(0, 1)")
    assert [p["lr"] for p in few] == [p["lr"] for p in many[:3]]
    assert all(1e-4 <= p["lr"] <= 1e-1 and 0 <= p["lam"] <= 1 for p in many)
    assert len({p["lr"] for p in many}) == 20
    assert draw(3, seed=1) != few
    assert {p["steps"] for p in points(Asked(over=["steps=whole(1, 3)"], draws=30))} == {1, 2, 3}


def test_a_condition_replaces_or_adds_the_values_of_a_name():
    over = ["method=source_only, dann, mcc", "lam=0.1, 0.3, 1"]
    found = points(Asked(over=over, only=["dann: lam=0.1, 1", "mcc: temperature=1.0, 2.5"]))
    of = lambda method: [p for p in found if p["method"] == (method,)]
    assert [p["lam"] for p in of("dann")] == [0.1, 1.0]
    assert len(of("mcc")) == 6
    assert {p["temperature"] for p in of("mcc")} == {1.0, 2.5}
    assert not any("temperature" in p for p in of("source_only"))


def test_pairs_are_ordered_and_each_domain_is_left_out_once():
    found = points(Asked(pairs="office_caltech"))
    assert len(found) == 12
    assert {"source": ("office_caltech/amazon",), "target": "office_caltech/dslr"} in found
    left = points(Asked(leave_out="'digits:printed', 'digits:photo', 'digits:handwritten'"))
    assert [p["target"] for p in left] == ["digits:printed", "digits:photo", "digits:handwritten"]
    assert left[0]["source"] == ("digits:photo", "digits:handwritten")


def test_runs_that_a_setting_is_chosen_by_never_see_the_target():
    asked = Asked(over=["lr=0.1, 0.01"], leave_out="'p', 'a', 'c', 's'")
    outer = points(asked)
    found = with_inner(Config(), outer)
    assert found[: len(outer)] == outer
    assert len(found) == 2 * (4 + 4 * 3)
    for point in outer:
        domains = {*point["source"]}
        inner = [p for p in found if {*p["source"], p["target"]} == domains and p["lr"] == point["lr"]]
        assert [p["target"] for p in inner] == [*point["source"]]
        assert all(point["target"] not in (*p["source"], p["target"]) for p in inner)
    with pytest.raises(UserError, match=r"several are needed, not a -> b"):
        with_inner(Config(source=("a",), target="b"), [{"lr": 0.1}])


MISTAKES = {
    "after '=' stand values": Asked(over=["lam=0.1, mine.py:f(x=1)"]),
    "write name=value": Asked(over=["lam"]),
    "is swept 2 times": Asked(over=["lam=1", "lam=2"]),
    "--seeds crosses": Asked(over=["seeds=1, 2"]),
    "a number is needed": Asked(over=["lam='x', 1"]),
    "True or False": Asked(over=["balanced=1"]),
    "whole number": Asked(over=["steps=1.5"]),
    "each once": Asked(over=["lam=1, 1.0"]),
    "not logg": Asked(over=["lam=logg(1, 2, 3)"]),
    "ends must be greater": Asked(over=["lam=log(0, 1, 3)"]),
    "log(...): ": Asked(over=["lam=log(1)"]),
    "say how many times": Asked(over=["lr=uniform(0, 1)"]),
    "nothing is drawn": Asked(over=["lr=1"], draws=3),
    "stands alone": Asked(over=["lr=uniform(0, 1), 2"], draws=3),
    "write uniform(low, high)": Asked(over=["lr=uniform(0)"], draws=3),
    "Did you mean 'dann'": Asked(over=["method=dann, mcc"], only=["dan: lam=1"]),
    "two sets of values where 'cnn' is": Asked(over=["method=dann", "network=cnn"], only=["dann: lam=1", "cnn: lam=2"]),
    "write it as in": Asked(over=["method=dann"], only=["lam=1"]),
    "write name, name": Asked(together=["lr, lam = 1, 2"]),
    "Did you mean 'office31'": Asked(pairs="office_31"),
    "no name of a setting": Asked(over=["l-r=1"]),
    "more than": Asked(over=["lr=log(1e-4, 1, 1000)", "lam=linear(0, 1, 1000)"]),
}


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_a_message(message):
    with pytest.raises(UserError) as raised:
        points(MISTAKES[message])
    assert message in str(raised.value)
