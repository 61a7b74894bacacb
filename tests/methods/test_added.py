"""Methods that are added: the first whole, of the others every term but the source's, each with a weight of its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import FAST, SOURCE, TARGET

import tl_jax
from tl_jax.core.errors import UserError
from tl_jax.core.types import At, Batch, Labeled, Model, Output, Unlabeled
from tl_jax.methods import ADAPTATION, named_method
from tl_jax.methods.added import added
from tl_jax.methods.contract import Example, Method, Own, Terms
from tl_jax.naming.sums import summands, weighed

NO_MODEL = Model({}, {}, {}, {})
RNG = np.random.default_rng(0)


def outputs(n=6, d=4, c=3) -> Output:
    return Output(*(jnp.asarray(RNG.normal(size=(n, width)), jnp.float32) for width in (d, c)))


def batch(n=6) -> Batch:
    rows = jnp.arange(n)
    return Batch((Labeled(rows[:, None], jnp.asarray(RNG.integers(0, 3, n)), rows),), Unlabeled(rows[:, None], rows))


def at(method, **values) -> At:
    found = {"lam": 1.0, "lr": 0.1, "weight_decay": 0.0, **method.values, **values}
    found = {name: jnp.float32(value) for name, value in found.items()}
    return At(jnp.int32(5), jnp.float32(0.5), found["lam"], found, jax.random.key(0))


def test_the_sum_is_the_first_whole_and_the_others_weighed_terms():
    text, method = named_method("mcc(temperature=2) + bnm(lam=0.3)+entropy_minimisation", ADAPTATION)
    assert text == "mcc(temperature=2.0) + bnm(lam=0.3) + entropy_minimisation"
    out, given, where = {"source": outputs(), "target": outputs()}, batch(), at(method, lam=0.5, lam_bnm=2.0)
    own = Own({}, {name: {} for name in ("mcc", "bnm", "entropy_minimisation")})
    found = method.terms(own, out, given, where)
    want = {}
    for name in own.memory:
        alone = ADAPTATION[name]()
        want[name] = alone.terms(Own({}, {}), out, given, at(alone, **({"temperature": 2.0} if name == "mcc" else {})))
    weights = {"mcc": 0.5, "bnm": 0.5 * 2.0, "entropy_minimisation": 0.5 * 0.1}
    np.testing.assert_allclose(found.losses["source"], want["mcc"].losses["source"])
    for name, weight in weights.items():
        rest = sum(loss for term, loss in want[name].losses.items() if term != "source")
        np.testing.assert_allclose(found.losses[name], weight * rest, rtol=1e-6)
    assert set(found.losses) == {"source", *weights}
    assert set(method.weights(where)) == set(weights)
    assert method.values["lam_entropy_minimisation"] == pytest.approx(0.1)


def test_a_summand_has_its_own_schedule():
    """The slope of the reversed gradient is -lam_dann tanh(5 p) times that of the domain's loss."""
    _, method = named_method("mcc + dann", ADAPTATION)
    out, given = {"source": outputs(), "target": outputs()}, batch()
    own = method.init(jax.random.key(1), Example(jnp.ones((2, 4)), jnp.ones((2, 3)), jnp.ones((2, 1)), 1), NO_MODEL)

    def slope(where: At) -> np.ndarray:
        seen = lambda f: {**out, "target": out["target"]._replace(features=f)}
        loss = lambda f: method.terms(own, seen(f), given, where).losses["dann"]
        return np.asarray(jax.grad(loss)(out["target"].features))

    begun, over = (at(method)._replace(progress=jnp.float32(p)) for p in (0.1, 0.5))
    np.testing.assert_allclose(slope(over) / slope(begun), np.tanh(2.5) / np.tanh(0.5), rtol=1e-4)
    twice = at(method, lam_dann=2 * method.values["lam_dann"])
    np.testing.assert_allclose(slope(twice), 2 * slope(over), rtol=1e-5)


def test_equal_views_are_passed_once_and_others_have_a_name_of_their_own():
    views = dict(named_method("mcc + fixmatch + adamatch", ADAPTATION)[1].views)
    assert list(views) == [
        "source",
        "target",
        "source of fixmatch",
        "target of fixmatch",
        "target_strong",
        *list(views)[5:],
    ]
    assert len(views) == len({(view.domain, view.augment) for view in views.values()})


def test_a_value_that_two_have_is_called_by_its_method():
    values = named_method("fixmatch + flexmatch", ADAPTATION)[1].values
    assert {"fixmatch_threshold", "flexmatch_threshold", "lam_fixmatch", "lam_flexmatch"} <= values.keys()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mcc + mcd", "mcd alternates"),
        ("mcc + mcc", "names mcc twice"),
        ("shot + nrc", "each bring their own"),
        ("source_only(lam=2) + mcc", "source_only has no lam"),
        ("mcc(lam='much') + dann", "lam takes one number"),
        ("mcc + dam", "dann"),
        ("mcc +", "Cannot read"),
    ],
)
def test_what_cannot_be_added_is_said(text, said):
    with pytest.raises(UserError, match=said):
        named_method(text, ADAPTATION)


def test_a_term_that_nothing_weighs_is_said_in_a_sum_too():
    bare = Method(lambda own, out, batch, at: Terms({"apart": jnp.ones(())}), lam=None)
    method = added({"mcc": ADAPTATION["mcc"](), "mine": bare}, {})
    out = {"source": outputs(), "target": outputs()}
    with pytest.raises(UserError, match="Nothing weighs the term 'apart'"):
        method.terms(Own({}, {"mcc": {}, "mine": {}}), out, batch(), at(method))


def test_a_text_is_cut_at_the_plus_signs_of_no_bracket_and_no_quotes():
    assert summands("a(x='b+c', y=(1+2)) + d.py:e(z=1)") == ["a(x='b+c', y=(1+2))", "d.py:e(z=1)"]
    assert summands("c++/mine.py:f") == ["c++/mine.py:f"]
    assert weighed("mine.py:f(x=1, lam=2)") == ("mine.py:f(x=1)", 2.0)
    assert weighed("mcc") == ("mcc", None)


def test_a_summand_that_weighs_nothing_changes_nothing_and_its_weight_is_swept(tmp_path):
    """A teacher of the sum's second method, which predicts, has its memory."""
    how = {**FAST, "steps": 8, "eval_every": 8}
    methods = ["dann", "dann + mean_teacher", "dann + mcc(lam=0.5)"]
    result = tl_jax.fit(SOURCE, TARGET, methods, seeds=1, sweep={"lam_mcc": (0.0, 10.0)}, run_dir=str(tmp_path), **how)
    nll = {
        (one["method"], one["values"].get("lam_mcc")): one["selectors"]["last"]["target/nll"] for one in result.records
    }
    assert len(nll) == 4
    assert nll["dann + mcc(lam=0.5)", 0.0] == pytest.approx(nll["dann", None], abs=1e-3)
    assert nll["dann + mcc(lam=0.5)", 10.0] != pytest.approx(nll["dann", None], abs=5e-3)
    assert all(np.isfinite(list(nll.values())))
    logged = (tmp_path / "metrics.jsonl").read_text()
    assert '"mcc/confusion"' in logged
    assert '"mean_teacher' in logged
