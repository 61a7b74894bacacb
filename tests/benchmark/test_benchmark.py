"""Kinds of transfer side by side: the runs of a table, what is read of them, and the words."""

import csv
import dataclasses
import json

import pytest

from tests.tiny import NETWORK
from tl_jax.benchmark import verdict, work
from tl_jax.benchmark.read import read
from tl_jax.benchmark.rows import Asked, check, rows
from tl_jax.benchmark.written import written
from tl_jax.core.errors import UserError
from tl_jax.core.sealed import opened, seal
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config

OPTIONS = Options(devices=1, quiet=True, pictures=False)
BASE = Config(network=NETWORK, steps=6, pretrain_steps=2, batch_size=16, seeds=(0, 1))
TABLE = Asked(BASE, ("scratch", "tent"), ("0", "1"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(what was asked for, its rows, where they lie) of a table of two rows whose runs are done."""
    check(TABLE)
    asked, place = work.settled(TABLE, OPTIONS, tmp_path_factory.mktemp("table"))
    found = rows(asked, place)
    work.check(work.parts_of(found), place, OPTIONS)
    assert work.do(asked, found, place, OPTIONS, lambda line: None)
    return asked, found, place


def test_a_table_has_a_figure_where_there_is_a_run_and_a_dash_elsewhere(made):
    asked, found, place = made
    text = written(read(found, asked.labels, place), asked, place)
    scratch, tent = (next(line for line in text.splitlines() if name in line) for name in ("target alone", "test time"))
    assert scratch.split()[2:4] == ["scratch", "-"]
    assert "±" in scratch
    assert tent.split()[6] == "-"
    lines = list(csv.DictReader((place.root / "table.csv").read_text().splitlines()))
    assert [(line["row"], line["labels"], line["n"]) for line in lines] == [("scratch", "1", "2"), ("tent", "0", "2")]
    assert int(lines[1]["trained"]) < int(lines[0]["trained"]) < float(lines[0]["flops"])
    assert all(float(line["cpu seconds"]) > 0 for line in lines)
    assert r"\toprule" in (place.root / "table.tex").read_text()
    assert "2 steps before, 4 after" in (place.root / "table.md").read_text()
    assert (place.root / "benchmark.png").stat().st_size > 0


def test_a_table_that_is_done_trains_nothing_again(made, monkeypatch):
    asked, found, place = made
    before = {path: path.read_bytes() for path in place.root.rglob("*.json")}
    monkeypatch.setattr(work.experiment, "run", None)
    monkeypatch.setattr(work, "streamed", None)
    assert work.do(asked, found, place, OPTIONS, lambda line: None)
    assert before == {path: path.read_bytes() for path in place.root.rglob("*.json")}


def test_runs_of_another_state_of_the_code_are_said(made):
    asked, found, place = made
    assert read(found, asked.labels, place).notes == []
    path = place.run(found[0].parts[0]) / "contents.json"
    kept = path.read_text()
    try:
        content = opened(kept.encode())
        content["made"]["code"]["losses/classes.py"] = "other"
        path.write_text(seal(content))
        assert "1 of 2 runs were made by another state" in read(found, asked.labels, place).notes[0]
    finally:
        path.write_text(kept)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": ("source_only", "mccc")}, "Unknown row 'mccc'. Did you mean 'mcc'?"),
        ({"rows": ("mcc", "mcc")}, "each only once"),
        ({"labels": ("0", "many")}, "--labels=0,many"),
        ({"base": dataclasses.replace(BASE, pretrain_steps=6)}, "--pretrain_steps=6"),
    ],
)
def test_a_mistake_is_said_before_anything_is_read(change, message):
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        check(TABLE._replace(**change))


def test_every_row_has_one_budget_of_steps(made):
    asked, _, place = made
    every = Asked(asked.base)
    for row in rows(every, place):
        before = sum(part.config.steps for part in row.before)
        for part in row.parts:
            own = part.config.steps + part.config.pretrain_steps
            assert before + own == asked.base.steps, row.name
            assert part.config.network == asked.base.network
    strategies = {row.name: row.parts for row in rows(every, place) if row.sort == "fine-tuning"}
    assert len(set(strategies.values())) == 1, "one pretrained model for all strategies"


def test_negative_transfer_is_said_only_beyond_the_spread():
    seeds = lambda *values: dict(enumerate(values))
    scores = {
        "source_only": {"0": seeds(0.5, 0.6, 0.7)},
        "mcc": {"0": seeds(0.8, 0.91, 1.0)},
        "dan": {"0": seeds(0.3, 0.41, 0.5)},
        "dann": {"0": seeds(0.4, 0.8, 0.5)},
        "full": {"1": seeds(0.9, 0.95, 0.99)},
    }
    first, bought, worth = verdict.verdict(scores, ("0", "1"), 0.3)
    assert "mcc is highest" in first
    assert "above: mcc (+0.303 ± 0.006); below: dan" in first
    assert "Negative transfer (below it by more than that spread): dan." in first
    assert "full +0.043 ± 0.055" in bought
    assert "not told apart" in bought
    assert "3 seeds are few" in worth
    assert verdict.remark("dan", scores).startswith("Without target labels: NEGATIVE TRANSFER")
    assert verdict.remark("dann", scores) == ""


def test_a_directory_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="holds no benchmark"):
        work.refuse_foreign(tmp_path)
    (tmp_path / "benchmark.json").write_text(json.dumps({}))
    work.refuse_foreign(tmp_path)
