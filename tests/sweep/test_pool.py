"""The pool of a sweep and what its directory says, with processes that do nothing."""

import json
import os

import pytest

from tl_jax.core.errors import UserError
from tl_jax.run.settings.config import Config
from tl_jax.run.store.lock import locked
from tl_jax.sweep.directory import Plan, SweepDirectory
from tl_jax.sweep.local import Pool, Stop, work
from tl_jax.sweep.plan import Run

NAMES = ("a", "b", "c", "d")


def planned(root, names=NAMES) -> SweepDirectory:
    sweep = SweepDirectory(root)
    runs = tuple(Run(name, Config(steps=10 + i), 3) for i, name in enumerate(names))
    sweep.keep(Plan(Config(), {"devices": 1}, ["as asked"], runs))
    return sweep


def finish(sweep: SweepDirectory, name: str) -> None:
    sweep.run(name).mkdir(parents=True, exist_ok=True)
    (sweep.run(name) / "finished.json").write_text("{}")


class Fake:
    """A process that ends with a code after some looks at it."""

    def __init__(self, code: int, looks: int = 2, at_the_end=lambda: None):
        self.code, self.looks, self.at_the_end, self.told = code, looks, at_the_end, []

    def poll(self) -> int | None:
        self.looks -= 1
        if self.looks > 0:
            return None
        self.at_the_end()
        return self.code

    def terminate(self) -> None:
        self.told.append("terminate")
        self.code = 75

    def kill(self) -> None:
        self.told.append("kill")
        self.code, self.looks = -9, 0


def pool_of(sweep, start, places=2, stop=None) -> tuple[Pool, list[str]]:
    said = []
    return Pool(sweep, places, start, stop or Stop(), said.append, pause=0.0), said


def test_every_run_is_done_once_and_no_more_at_once_than_there_are_places(tmp_path):
    sweep, going, started, most = planned(tmp_path / "s"), set(), [], []

    def start(name, place):
        started.append(name)
        going.add(name)
        most.append(len(going))

        def end():
            going.discard(name)
            finish(sweep, name)

        return Fake(0, 3, end)

    pool, said = pool_of(sweep, start)
    assert work(pool, NAMES)
    assert sorted(started) == sorted(NAMES)
    assert max(most) == 2
    assert {state.state for state in sweep.states(sweep.plan())} == {"finished"}
    assert len(said) == 4
    assert "[4/4]" in said[-1]


def test_what_failed_is_said_and_the_others_go_on(tmp_path):
    sweep = planned(tmp_path / "s")
    codes = {"a": 2, "b": -9, "c": 0, "d": 1}

    def start(name, place):
        if name == "a":
            sweep.fail("a", 2, "Unknown method 'dan'.")
        if name == "c":
            finish(sweep, "c")
        if name == "b":
            sweep.log("b").parent.mkdir()
            sweep.log("b").write_text("one\ntwo\n")
        return Fake(codes[name])

    pool, said = pool_of(sweep, start)
    assert work(pool, NAMES)
    found = {state.name: state for state in sweep.states(sweep.plan())}
    assert [found[name].state for name in NAMES] == ["failed", "failed", "finished", "failed"]
    assert (found["a"].code, found["a"].message) == (2, "Unknown method 'dan'.")
    assert "killed by signal 9" in found["b"].message
    assert "one | two" in found["b"].message
    assert any("failed: Unknown method" in line for line in said)


def test_what_was_stopped_goes_on_and_is_given_up_after_three_times_without_a_step(tmp_path):
    sweep, started = planned(tmp_path / "s", ("a", "b")), []

    def start(name, place):
        started.append(name)
        if name == "a" and started.count("a") == 5:
            finish(sweep, "a")
            return Fake(0)
        if name == "a":
            sweep.run("a").mkdir(parents=True, exist_ok=True)
            grow = lambda: (sweep.run("a") / "metrics.jsonl").write_text("x" * started.count("a"))
            return Fake(143, at_the_end=grow)
        return Fake(75)

    pool, _ = pool_of(sweep, start, places=1)
    assert work(pool, ("a", "b"))
    assert started.count("a") == 5
    assert started.count("b") == 3
    assert "3 times without a new step" in sweep.state("b").message


def test_a_stop_reaches_every_process_once_and_begins_nothing(tmp_path):
    sweep, stop, fakes = planned(tmp_path / "s"), Stop(), []

    def start(name, place):
        fakes.append(Fake(0, 6))
        if len(fakes) == 2:
            os.kill(os.getpid(), 2)
        return fakes[-1]

    pool, said = pool_of(sweep, start, stop=stop)
    with stop.listening():
        assert not work(pool, NAMES)
    assert [fake.told for fake in fakes] == [["terminate"], ["terminate"]]
    assert "Stopping: 2 runs" in said[0]
    assert {state.state for state in sweep.states(sweep.plan())} == {"waiting"}


def test_a_run_that_another_process_has_is_waited_for(tmp_path):
    sweep, started = planned(tmp_path / "s", ("a", "b")), []

    def start(name, place):
        started.append(name)
        if name == "b":
            held.__exit__(None, None, None)
        return Fake(0, at_the_end=lambda: finish(sweep, name))

    held = locked(sweep.run("a"))
    held.__enter__()
    assert sweep.state("a").state == "running"
    pool, _ = pool_of(sweep, start)
    assert work(pool, ("a", "b"))
    assert started == ["b", "a"]


def test_a_plan_may_grow_and_not_change(tmp_path):
    sweep = planned(tmp_path / "s")
    planned(tmp_path / "s", (*NAMES, "e"))
    assert [run.name for run in sweep.plan().runs] == [*NAMES, "e"]
    assert sweep.plan().run("b").config.steps == 11
    with pytest.raises(UserError, match="planned with 1 runs that this line has not, such as e"):
        planned(tmp_path / "s")


def test_what_is_no_sweep_is_refused_and_a_damaged_plan_is_said(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(UserError, match="not a sweep's"):
        planned(tmp_path / "mine")
    with pytest.raises(UserError, match="not the directory of a sweep"):
        SweepDirectory(tmp_path / "mine").plan()
    sweep = planned(tmp_path / "s")
    text = (tmp_path / "s" / "plan.json").read_text()
    (tmp_path / "s" / "plan.json").write_text(text.replace('"steps": 11', '"steps": 12'))
    assert json.loads((tmp_path / "s" / "plan.json").read_text())
    with pytest.raises(UserError, match="cannot be read"):
        sweep.plan()
