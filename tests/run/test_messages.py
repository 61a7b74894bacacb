"""Mistakes: one clear message, nothing written."""

import json
import os

import jax
import pytest
from tiny import FAST, SOURCE, TARGET, domain, stop

import tl_jax
from tl_jax.core.errors import UserError

OTHER_CLASSES = domain("other", 1.0, classes=("a", "b", "d"))
SMALL = domain("small", 1.0, size=9)

MISTAKES = {
    "classes differ": (
        {"target": OTHER_CLASSES},
        ["near has 3 classes, other has 3", "Only in near: ['c']", "Only in other: ['d']", "by name"],
    ),
    "freeze matches nothing": (
        {"freeze": [("backbone/dense9/*", "frozen")]},
        ["--freeze='backbone/dense9/*=...' matches 0 of", "backbone/dense1/", "--list_params"],
    ),
    "freeze is unreadable": ({"freeze": [("head/*", "ice")]}, ["cannot read 'ice'", "'frozen'", "'frozen@300'"]),
    "everything frozen": ({"freeze": [("*", "frozen")]}, ["are frozen", "would do nothing", "'*'"]),
    "batch larger than the set": (
        {"target": SMALL},
        ["Target small has 9 training examples, the batch is 16", "--batch_size=9"],
    ),
    "batch not divisible by devices": (
        {"devices": 8, "batch_size": 20},
        ["Batch 20 over 8 devices: 2.5 each", "--batch_size=16 or 24"],
    ),
    "too many devices": ({"devices": 99}, ["--devices=99", "JAX sees 8"]),
    "selection by target labels": ({"select": "oracle"}, ["uses target labels", "source_val", "im", "snd"]),
    "unknown selection": ({"select": "snb"}, ["Unknown selection criterion 'snb'", "Did you mean 'snd'?"]),
    "unknown method": ({"methods": "dan2"}, ["Unknown method 'dan2'", "Did you mean 'dan'?", "mean_teacher"]),
    "unknown argument": (
        {"methods": "mcc(temprature=2.0)"},
        ["no argument 'temprature'", "Did you mean 'temperature'?", "temperature=2.5"],
    ),
    "argument of the wrong type": ({"methods": "mcc(temperature='hot')"}, ["takes a float such as 2.5, not 'hot'"]),
    "code in a call": ({"methods": "mcc(temperature=1+exit())"}, ["must be a literal"]),
    "method twice": ({"methods": ["mcc", "mcc()"]}, ["only once"]),
    "unknown network": ({"network": "lenett"}, ["Unknown network 'lenett'", "Did you mean 'lenet'?"]),
    "unknown swept value": ({"sweep": {"lamda": [1.0]}}, ["Unknown swept value 'lamda'", "Did you mean 'lam'?"]),
    "unknown setting": ({"step": 5}, ["Unknown setting 'step'", "Did you mean 'steps'?"]),
    "unknown plan": ({"forward_plan": "joined"}, ["Unknown forward plan 'joined'", "joint"]),
    "unknown domain": ({"target": "digits:printd"}, ["Unknown domain 'digits:printd'", "'digits:printed'?"]),
    "domain not on disk": (
        {"target": "tfds:mnist", "data_dir": "/nowhere"},
        ["tfds:mnist is not prepared under /nowhere", "no automatic download", "--data_dir"],
    ),
    "negative learning rate": ({"lr": -1.0}, ["--lr=-1.0", "at least 0"]),
    "no seeds": ({"seeds": 0}, ["--seeds=[]"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gives_its_message_and_writes_nothing(mistake, tmp_path):
    change, expected = MISTAKES[mistake]
    settings = {"source": SOURCE, "target": TARGET, "methods": "mcc", "seeds": 1, "devices": 1, **FAST, **change}
    with pytest.raises(UserError) as caught:
        tl_jax.fit(run_dir=str(tmp_path / "run"), **settings)
    for part in expected:
        assert part in str(caught.value)
    assert not (tmp_path / "run").exists()


def small_run(run_dir, **change):
    settings = {"methods": "source_only", "seeds": 1, "devices": 1, **FAST, "steps": 6, "eval_every": 3, **change}
    return tl_jax.fit(SOURCE, TARGET, run_dir=str(run_dir), **settings)


def contents(root) -> dict:
    """All but the note of who has the directory."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file() and p.name != ".lock"}


def test_another_configuration_in_the_same_directory_is_refused_with_the_difference(tmp_path):
    small_run(tmp_path / "run")
    before = contents(tmp_path)
    said = r"was made with forward_plan=per_domain, lr=0.01, standardise=\w+; now forward_plan=separate, lr=0.5, "
    with pytest.raises(UserError, match=said):
        small_run(tmp_path / "run", lr=0.5, forward_plan="separate")
    assert contents(tmp_path) == before


def test_a_directory_that_is_no_run_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="not empty and holds no config"):
        small_run(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_a_complete_run_says_so(tmp_path, capsys):
    first = small_run(tmp_path / "run")
    again = small_run(tmp_path / "run", quiet=False)
    assert "This run is complete: 6 of 6 steps" in capsys.readouterr().out
    assert again.records == first.records


def test_nan_names_the_term_the_step_and_the_last_finite_checkpoint(tmp_path):
    """Steps of 1e30 overflow the network; what was saved before stays finite and readable."""
    run_dir = tmp_path / "run"
    with pytest.raises(UserError) as caught:
        small_run(run_dir, lr=1e30, steps=12, optimizer="sgd", network="mlp(bottleneck=0, hidden=(16,))")
    message = str(caught.value)
    assert "source_only, step" in message
    assert "term 'source' is" in message
    assert "lr 1e+30" in message
    assert "--clip_norm" in message
    assert not (run_dir / "results.json").exists()


def test_nan_keeps_the_last_finite_checkpoint(tmp_path, monkeypatch):
    from tl_jax.methods import ADAPTATION
    from tl_jax.methods.contract import Method, Terms

    def explodes() -> Method:
        def terms(own, out, batch, at):
            late = jax.numpy.where(at.step >= 7, jax.numpy.nan, 0.0)
            return Terms({"source": out["source"].logits.mean(), "explosion": late})

        return Method(terms)

    monkeypatch.setitem(ADAPTATION, "explodes", explodes)  # pyright: ignore
    with pytest.raises(
        UserError, match=r"explodes, step 7: term 'explosion' is nan .*Last finite checkpoint: step 6\."
    ):
        small_run(tmp_path / "run", methods="explodes", steps=12)
    assert sorted(os.listdir(tmp_path / "run" / "checkpoints" / "explodes")) == ["3", "6"]


def test_results_of_a_stopped_run_name_what_is_missing(tmp_path, monkeypatch):
    """No mean over fewer seeds is printed: a method is there whole, or named as missing."""
    stop(monkeypatch)
    result = small_run(tmp_path / "run", methods=["source_only", "mcc"])
    assert not result.complete
    assert result.records == []
    assert "stopped: source_only at step 3 of 6" in result.table
    assert "mcc" in result.table
    assert "not finished" in result.table
    assert json.loads((tmp_path / "run" / "results.json").read_text()) == []
    monkeypatch.undo()
    assert small_run(tmp_path / "run", methods=["source_only", "mcc"]).complete
