"""Successive halving, on run directories in which nothing was trained."""

import dataclasses
import json

import pytest

from tl_jax.core.errors import UserError
from tl_jax.core.sealed import seal
from tl_jax.run import rungs
from tl_jax.run.settings.config import Config
from tl_jax.sweep import halving
from tl_jax.sweep.asked.rungs import Halving, halving_of
from tl_jax.sweep.directory import Plan, SweepDirectory
from tl_jax.sweep.local import Pool, Stop, work
from tl_jax.sweep.plan import Run
from tl_jax.sweep.tables.collect import collect

BASE = Config(methods=("dann",), steps=600, eval_every=50, seeds=(0, 1))
LAMS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
THIRD = Halving(3, (100, 300))


def planned(root, methods=("dann",), lams=LAMS, how=THIRD) -> tuple[SweepDirectory, Plan]:
    """Runs such as dann-0.1."""
    made = [
        Run(f"{method}-{lam:g}", dataclasses.replace(BASE, methods=(method,), sweep=(("lam", (lam,)),)), 2)
        for method in methods
        for lam in lams
    ]
    sweep, plan = SweepDirectory(root), Plan(BASE, {"devices": 1}, "", tuple(made), how)
    sweep.keep(plan)
    return sweep, plan


def reach(sweep: SweepDirectory, name: str, step: int, *scores: float | None, diverged: int = 0) -> None:
    """As a run does: its score at a rung, or its end."""
    path = rungs.path(sweep.run(name), step)
    path.parent.mkdir(parents=True, exist_ok=True)
    if step:
        path.write_text(seal({"step": step, "scores": scores, "diverged": diverged}))
    else:
        (sweep.run(name) / "finished.json").write_text("{}")
        (sweep.run(name) / "results.json").write_text("[]")
        (sweep.run(name) / "config.json").write_text(json.dumps(BASE.to_json()))


def good(name: str, step: int) -> tuple[float, float]:
    """The best lambda is 0.3, and at step 100 it is the second."""
    lam = float(name.rpartition("-")[2])
    score = -abs(lam - 0.3) - (0.5 if lam == 0.3 and step == 100 else 0)
    return score - 0.1, score + 0.1


def test_the_best_third_goes_on_from_each_rung_in_each_cell(tmp_path):
    sweep, plan = planned(tmp_path / "s", ("dann", "mcc"))
    assert sweep.plan().halving == THIRD
    trained = []
    while due := halving.mark(sweep, sweep.plan()):
        trained.append(due)
        for name, step in due.items():
            reach(sweep, name, step, *good(name, step))
    assert trained[0] == {run.name: 100 for run in plan.runs}
    assert trained[1] == {f"{method}-{lam}": 300 for method in ("dann", "mcc") for lam in (0.1, 0.03)}
    assert trained[2] == {"dann-0.1": 0, "mcc-0.1": 0}
    assert len(trained) == 3
    states = [state.state for state in sweep.states(plan)]
    assert states.count("dropped") == 10
    assert states.count("finished") == 2
    kept = json.loads((sweep.root / "dropped" / "dann-0.03.json").read_text())
    assert (kept["rung"], kept["rank"], kept["of"]) == (300, 2, 2)
    assert kept["score"] == pytest.approx(-0.27)
    notes = "\n".join(collect([sweep.root]).notes)
    assert "dann: 6 settings begun, 4 stopped at step 100, 1 stopped at step 300." in notes
    assert "not in this table" not in notes


def test_a_rung_waits_for_all_of_its_cell_and_for_no_other(tmp_path):
    sweep, plan = planned(tmp_path / "s", ("dann", "mcc"), LAMS[:3])
    for name in ("dann-0.01", "dann-0.03", "dann-0.1", "mcc-0.1"):
        reach(sweep, name, 100, *good(name, 100))
    assert halving.mark(sweep, plan) == {"dann-0.1": 0, "mcc-0.01": 100, "mcc-0.03": 100}
    assert halving.standing(sweep, plan, "mcc-0.1").due == {"mcc-0.01": 100, "mcc-0.03": 100}
    assert halving.standing(sweep, plan, "dann-0.1").due == {"dann-0.1": 0}  # alone: no more rungs


def test_what_diverged_or_was_refused_is_dropped_first_and_a_fault_of_the_machine_is_waited_for(tmp_path):
    sweep, plan = planned(tmp_path / "s", how=Halving(2, (100,)))
    reach(sweep, "dann-0.01", 100, 9.0, None, diverged=1)
    reach(sweep, "dann-0.03", 100, 9.0, None)
    reach(sweep, "dann-0.1", 100, 0.1, 0.1)
    sweep.fail("dann-0.3", 2, "step 3: term 'total' is nan", diverged=True)
    sweep.fail("dann-1", 1, "killed by signal 9.")
    reach(sweep, "dann-3", 100, 0.2, 0.2)
    assert halving.mark(sweep, plan) == {}  # it failed, and only the line itself tries it again
    sweep.forget_failure("dann-1")
    assert halving.mark(sweep, plan) == {"dann-1": 100}
    reach(sweep, "dann-1", 100, 0.0, 0.0)
    assert halving.mark(sweep, plan) == {"dann-3": 0, "dann-0.1": 0, "dann-1": 0}
    drops = {name: (drop.rank, drop.why) for name, drop in halving.standing(sweep, plan).dropped.items()}
    assert drops == {
        "dann-0.03": (4, "refused by the criterion"),
        "dann-0.01": (5, "diverged"),
        "dann-0.3": (6, "diverged"),
    }
    assert "2 stopped at step 100 (diverged), 1 stopped at step 100 (refused by the criterion)" in "".join(
        halving.described(sweep, plan)
    )


def test_where_every_setting_failed_none_goes_on(tmp_path):
    sweep, plan = planned(tmp_path / "s", lams=LAMS[:2])
    for name in ("dann-0.01", "dann-0.03"):
        sweep.fail(name, 2, "nan", diverged=True)
    assert halving.mark(sweep, plan) == {}
    assert len(halving.standing(sweep, plan).dropped) == 2


def test_a_damaged_score_is_made_again_and_a_grown_sweep_is_decided_as_if_it_had_been_so_from_the_beginning(tmp_path):
    sweep, plan = planned(tmp_path / "s", lams=LAMS[:3])
    for run in plan.runs:
        reach(sweep, run.name, 100, *good(run.name, 100))
    rungs.path(sweep.run("dann-0.1"), 100).write_text("{")
    assert halving.mark(sweep, plan) == {"dann-0.1": 100}
    reach(sweep, "dann-0.1", 100, 0.0, 0.0)
    assert halving.mark(sweep, plan) == {"dann-0.1": 0}
    sweep, plan = planned(tmp_path / "s")
    assert halving.mark(sweep, plan) == {f"dann-{lam}": 100 for lam in ("0.3", "1", "3")}
    for name in ("dann-0.3", "dann-1", "dann-3"):
        reach(sweep, name, 100, *good(name, 100))
    assert halving.mark(sweep, plan) == {"dann-0.1": 300, "dann-0.03": 300}
    assert sweep.state("dann-0.03").state == "waiting" or sweep.state("dann-0.03").state == "stopped"
    assert {path.stem for path in sweep.root.glob("dropped/*")} == {"dann-0.01", "dann-0.3", "dann-1", "dann-3"}


def test_killed_anywhere_the_same_line_ends_with_the_same_settings(tmp_path):
    """A process that is killed at every look in turn, and a pool that is begun again."""

    class KilledError(Exception):
        pass

    class Process:
        def __init__(self, end):
            self.end = end

        def poll(self):
            self.end()
            return 0

        def terminate(self): ...
        def kill(self): ...

    ends = set()
    for moment in range(1, 12):
        sweep, _ = planned(tmp_path / str(moment))
        looks, done = [], False
        while not done:

            def start(name, place, sweep=sweep, looks=looks, moment=moment):
                def end():
                    looks.append(name)
                    if len(looks) == moment:
                        raise KilledError
                    step = halving.standing(sweep, sweep.plan(), name).due.get(name)
                    if step is not None:
                        reach(sweep, name, step, *good(name, step))

                return Process(end)

            pool = Pool(sweep, 2, start, Stop(), lambda line: None, 0.0)
            try:
                while due := halving.mark(sweep, sweep.plan()):
                    work(pool, list(due))
                done = True
            except KilledError:
                continue
        assert len(looks) <= 6 + 2 + 1 + 2
        ends.add(tuple((state.name, state.state) for state in sweep.states(sweep.plan())))
    assert len(ends) == 1


MISTAKES = {
    "say by how much": lambda: halving_of(3, ""),
    "at which growing steps": lambda: halving_of(3, "300,100"),
    "--halve=0 --rungs=100": lambda: halving_of(0, "100"),
    "130 is no such step": lambda: checked(how=Halving(3, (100, 130))),
    "600 is no such step": lambda: checked(how=Halving(3, (600,))),
    "no two runs differ": lambda: checked({"lams": LAMS[:1]}),
    "one setting of one method": lambda: checked(methods=("dann", "mcc")),
    "(or strategy, labels_per_class)": lambda: checked(labels_per_class=(1, 2)),
    "the kind unsupervised has not": lambda: checked(kind="unsupervised", methods=("mae",)),
    "--rungs are steps": lambda: checked(epochs=2.0),
    "--select=target_val has not": lambda: checked(select="target_val"),
}


def checked(more=None, how=THIRD, **config):
    base = dataclasses.replace(BASE, **config)
    lams = (more or {}).get("lams", LAMS)
    made = [Run(f"{lam}", dataclasses.replace(base, sweep=(("lam", (lam,)),)), 2) for lam in lams]
    halving.check(Plan(base, {}, "", tuple(made), how))


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_a_message(message):
    with pytest.raises(UserError) as raised:
        MISTAKES[message]()
    assert message in str(raised.value)


def test_settings_differ_in_numbers_alone_and_cells_in_the_rest():
    base = dataclasses.replace(BASE, sweep=())
    of = lambda **given: Run(str(given), dataclasses.replace(base, **given), 2)
    runs = [of(batch_size=32, sweep=(("lr", (0.1,)),)), of(clip_norm=1.0), of(network="cnn"), of(labels_per_class=(5,))]
    found = halving.cells(Plan(base, {}, "", tuple(runs), THIRD))
    assert [len(cell) for cell in found.values()] == [2, 1, 1]
    assert halving_of(0, "") is None
