"""What `fit` is handed is taken, or named in one line with nothing written; nothing is trained here."""

import numpy as np
import pytest
from tiny import FAST, SOURCE, TARGET, domain

import tl_jax
from tl_jax import api
from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain
from tl_jax.handed import domain_names
from tl_jax.kinds.table import prepare


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    """Everything up to training; afterwards the folder is as empty as before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(api, "run", prepare)
    yield
    assert list(tmp_path.iterdir()) == []


def asked(source=SOURCE, target=TARGET, **given):
    return tl_jax.fit(source, target, **{**FAST, "methods": ["source_only"], "seeds": 1, **given})


def test_settings_come_in_the_types_people_have():
    config = asked(
        lr=np.float32(0.5),
        steps=np.int64(7),
        eval_every=2.0,
        seeds=np.arange(2),
        methods=("mcc",),
        sweep={"lam": np.array([0.5, 1.0]), "weight_decay": 1},
        freeze=["backbone/*=0.1", ("head/*", 1.0)],
    ).config
    assert (config.lr, config.steps, config.eval_every, config.seeds, config.methods) == (0.5, 7, 2, (0, 1), ("mcc",))
    assert config.sweep == (("lam", (0.5, 1.0)), ("weight_decay", (1.0,)))
    assert config.freeze == (("backbone/*", "0.1"), ("head/*", "1.0"))
    kinds = {type(value) for value in (config.lr, config.steps, *config.seeds, *config.sweep[0][1])}
    assert kinds == {int, float}


def test_arrays_become_domains_of_random_splits():
    names = np.array(SOURCE.classes)[SOURCE.train.y]
    problem = asked((SOURCE.train.x, names), {"x": TARGET.train.x.tolist(), "y": names.tolist()}).problem
    source, target = problem.sources[0], problem.target
    assert (source.name, source.classes, target.name) == ("source", ("a", "b", "c"), "target")
    assert [len(part.y) for part in source.splits.values()] == [42, 6, 12]
    for split, rows in source.ids.items():
        assert np.array_equal(source.splits[split].x, SOURCE.train.x[rows])
        assert np.array_equal(source.splits[split].y, SOURCE.train.y[rows])


def test_two_domains_of_one_name_are_kept_apart():
    again = domain("near", 2.0)
    names, found = domain_names([SOURCE, again, SOURCE, "far", TARGET])
    assert names == ("near", "near-2", "near", "far", "far-2")
    assert found["near"] is SOURCE
    assert found["near-2"].train is again.train
    assert (found["near-2"].name, found["far-2"].train) == ("near-2", TARGET.train)


def mine():
    """A function of the user's own."""


BIG = "9" * 400
WILD = {
    "source": [None, 5, [], np.zeros((4, 2)), [np.zeros((4, 2)), np.zeros(4)], ("a", "b", "c"), {"images": 1}],
    "target": [None, mine, "", "digits:\x1b[31m", "npz:\0", "csv:" + "a" * 300, (SOURCE.train.x, SOURCE.train.y[:5])],
    "methods": [mine, [mine], 5, "mcc(temperature=1e999)", "mcc(temperature=-1)", f"mcc(temperature={BIG})", "mcc\0"],
    "network": [
        mine,
        None,
        "",
        "mlp\ud800",
        f"mlp(dropout={'-' * 100000}1)",
        f"mlp(hidden={'(' * 1000})",
        f"mlp(dropout={BIG})",
        *(f"mlp({call})" for call in ("dropout=5", "bottleneck=-1", "hidden=(1.5,)", "hidden=('a',)", "hidden=(0,)")),
        *(f"mlp(hidden=({width},))" for width in ("-1", "99999999999", "2000000000,2000000000")),
    ],
    "steps": [0, 2**31, "5", 1.5, True, None, 10**400],
    "batch_size": [1, 10**12, float("nan")],
    "eval_every": [-1],
    "lr": [-1, float("nan"), float("inf"), 1e39, 10**400, "a", None, True],
    "lam": [float("nan"), -1],
    "clip_norm": [-1],
    "weight_decay": [-5],
    "seeds": [0, -1, 10**9, [2**40, 3], [0, 0], [1.5], "three", None, [-1]],
    "sweep": [
        {"lr": [float("nan"), 0.1]},
        {"lr": [float("inf")]},
        {"lr": [-1, 0.1]},
        {"weight_decay": -5},
        {"lr": [0.1, 0.1]},
        {"lr": []},
        {"lr": ["a"]},
        ["lr=1"],
    ],
    "freeze": [5, [5], ["head"], {"nothing": "frozen"}, "=frozen"],
    "select": [None, 5],
    "optimizer": [None, "sgdd", "sgd(momentum=1.0)", "sgd(nesterov=1)", "mine.py:f"],
    "balanced": [1, "yes"],
    "kind": [None, "x"],
    "device_bytes": [1, -1, "a"],
    "devices": [-1, 1.5, "a", 10**6],
    "workers": [-1, 0.5],
    "trials": ["both", None],
    "data_dir": [5],
    "run_dir": ["/proc/x", "/dev/null/x", "a" * 300, "a/" * 3000, "x\0y", "\ud800", "/proc/self/environ"],
}


@pytest.mark.parametrize("name", WILD)
def test_one_wild_value_is_one_line(name):
    for value in WILD[name]:
        with pytest.raises(UserError) as error:
            asked(**{name: value})
        assert "\n" not in str(error.value), (name, value)
        assert len(str(error.value)) < 2000, (name, value)


def test_a_run_directory_that_is_a_dangling_link_is_named(tmp_path):
    link = tmp_path / "run"
    link.symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match="is a link to"):
        asked(run_dir=str(link))
    link.unlink()


def test_a_folder_that_could_be_made_is_not_there_afterwards(tmp_path):
    asked(run_dir=str(tmp_path / "a" / "b"))
    assert not (tmp_path / "a").exists()


def test_a_swept_name_is_given_once():
    config = api.Config(sweep=(("lam", (0.1,)), ("lam", (3.0,))))
    with pytest.raises(UserError, match=r"given 2 times: write --sweep=lam=0.1,3\."):
        prepare(config, api.Options(), {})


def test_a_value_beside_its_own_sweep_is_refused():
    with pytest.raises(UserError, match="--lr and --sweep=lr both say"):
        asked(lr=0.1, sweep={"lr": [0.1, 1.0]})


def test_columns_one_a_class_and_names_are_labels():
    part = (SOURCE.train.x, np.eye(3)[SOURCE.train.y])
    assert asked(Domain("near", SOURCE.classes, part, part, part)).problem.sources[0].train.y.tolist()[:3] == [0, 1, 2]
