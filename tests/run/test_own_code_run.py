"""A method, a network, a criterion and a reader of a user's own file, in one tiny run; objects from Python as well."""

import json

import jax
import jax.numpy as jnp
import pytest
from flax import linen as nn
from tiny import FAST, SOURCE, TARGET

import tl_jax
from tl_jax import api
from tl_jax.core.errors import UserError
from tl_jax.kinds.table import prepare
from tl_jax.losses.classes import cross_entropy
from tl_jax.methods.contract import Method, Terms
from tl_jax.models.networks import mlp
from tl_jax.run.store.contents import changes, contents

FILE = '''
import jax
import numpy as np
from flax import linen as nn
from tiny import TARGET
from tl_jax.losses.classes import cross_entropy
from tl_jax.methods.contract import Method, Terms


def sharpened(sharp: float = 2.0) -> Method:
    """L = CE_s - lam * mean sum_c p_c^sharp."""

    def terms(own, out, batch, at):
        p = jax.nn.softmax(out["target"].logits)
        return Terms({"source": cross_entropy(out["source"].logits, batch.y),
                      "power": -(p ** at.values["sharp"]).sum(1).mean()})

    return Method(terms, values={"sharp": sharp})


class Mixer(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x, train=False):
        return nn.Dropout(0.1, deterministic=not train)(nn.relu(nn.Dense(self.width)(x)))


def mixer(width: int = 16):
    return Mixer(width)


def confidence(record, power: float = 1.0):
    p = jax.nn.softmax(record.target.logits)
    return np.asarray(p.max(1) ** power).mean()


def words(record):
    return "high"


def far():
    return TARGET
'''
EMPTY = {"domains": [], "weights": ""}
ASKED = {
    "source": SOURCE,
    "target": "mine.py:far()",
    "methods": ["mine.py:sharpened"],
    "network": "mine.py:mixer(width=8)",
    "select": "mine.py:confidence(power=2.0)",
    "sweep": {"sharp": [1.5, 3.0]},
    "seeds": 1,
    "devices": 1,
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_gives_method_network_criterion_and_reader(here):
    run = lambda **given: tl_jax.fit(**{**FAST, "steps": 6, "eval_every": 3, **ASKED, "run_dir": "run", **given})
    records = run().records
    assert [(r["method"], r["values"].get("sharp")) for r in records] == [
        ("mine.py:sharpened", 1.5),
        ("mine.py:sharpened", 3.0),
    ]
    assert {r["network"] for r in records} == {"mine.py:mixer(width=8)"}
    assert {r["selectors"]["selected"]["criterion"] for r in records} == {"mine.py:confidence(power=2.0)"}
    assert "own mine.py" in json.loads((here / "run" / "contents.json").read_text())["of"]["made"]["code"]
    assert run().records == records  # complete: the file is read again and is the same
    (here / "mine.py").write_text(FILE + "\n# another\n")
    with pytest.raises(UserError, match=r"changed: the code \(own mine\.py\).*--accept_changes"):
        run()
    assert run(accept_changes=True).records


def asked(**given):
    return tl_jax.fit(**{**FAST, **ASKED, "target": TARGET, "sweep": None, **given})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"methods": "mine.py:mixer"}, r"mine\.py:mixer gives a Mixer; a tl_jax\.methods\.contract\.Method is needed"),
        (
            {"network": "mine.py:sharpened"},
            r"gives a Method; a tl_jax\.models\.parts\.recipe\.Recipe or flax.*Module is",
        ),
        ({"network": "mine.py:far"}, r"gives a Domain; a tl_jax"),
        ({"target": "mine.py:mixer"}, r"gives a Mixer; a tl_jax\.data\.domain\.Domain is needed"),
        ({"select": "mine.py:words"}, r"mine\.py:words gives a str of a record; a number is needed"),
        ({"select": "mine.py:far"}, r"mine\.py:far: TypeError: far\(\) takes 0 positional"),
        ({"select": "mine.py:confidence(record=1)"}, "no argument 'record'"),
        ({"methods": "mine.py:sharpened", "kind": "inductive"}, r"labels of 'source'.*Here it can be: both, target"),
        ({"precision": "bfloat16"}, "Mixer has no field `dtype` to compute in"),
        ({"labels_per_class": 2, "select": "snd(temprature=1.0)"}, "Did you mean 'temperature'"),
    ],
)
def test_what_does_not_fit_is_said_before_training(given, message, here, monkeypatch):
    monkeypatch.setattr(api, "run", prepare)
    with pytest.raises(UserError, match=message):
        asked(**given)


def steep(by: float = 1.0) -> Method:
    def terms(own, out, batch, at):
        spread = -jnp.square(jax.nn.softmax(out["target"].logits)).sum(1).mean()
        return Terms({"source": cross_entropy(out["source"].logits, batch.y), "spread": at.values["by"] * spread})

    return Method(terms, values={"by": by})


def even(record):
    return 0.5


class Flat(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(4)(x.reshape(len(x), -1))


def test_fit_takes_methods_networks_and_criteria_as_objects(monkeypatch):
    monkeypatch.setattr(api, "run", prepare)
    setup = asked(methods=[steep, steep(by=2.0), "mcc"], network=Flat, select=even)
    assert [task.job.name for task in setup.tasks] == ["python:steep", "python:steep-2", "mcc"]
    assert [dict(task.job.trials[0][1]).get("by") for task in setup.tasks] == [1.0, 2.0, None]
    assert setup.config.network == "python:Flat"
    assert setup.config.select == "python:even"
    assert json.loads(json.dumps(setup.config.to_json()))["methods"] == ["python:steep", "python:steep-2", "mcc"]
    for network in (Flat(), mlp(hidden=(4,)), lambda: Flat()):
        shapes = asked(methods="source_only", network=network, select="im").tasks[0].shapes
        assert any(path.startswith("backbone/") for path in shapes)


def test_a_trunk_whose_features_are_no_rows_is_named(monkeypatch):
    monkeypatch.setattr(api, "run", prepare)

    class Square(nn.Module):
        def __call__(self, x):
            return jnp.stack([x, x], 1)

    with pytest.raises(UserError, match=r"Square gives \[2, 2, 8\] of examples \[2, 8\]"):
        asked(methods="source_only", network=Square, select="im")


def test_another_object_of_the_same_name_is_another_code(monkeypatch):
    monkeypatch.setattr(api, "run", prepare)
    given = lambda by: asked(methods=steep(by=by), network=FAST["network"], select="im")
    one, same, other = (contents(given(by))["code"] for by in (1.0, 1.0, 2.0))
    assert one == same
    assert changes({**EMPTY, "code": one}, {**EMPTY, "code": other}) == ["the code (own python:steep)"]
