"""The directory of a sweep: plan.json, runs/NAME/ (run directories), failed/NAME.json, logs/NAME.log;
where settings are halved, dropped/NAME.json.

What is done is read off the run directories; there is no other book of it that could be wrong.
"""

import contextlib
import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tl_jax.core.errors import UserError
from tl_jax.core.files import PART, write_atomically
from tl_jax.core.sealed import opened, seal
from tl_jax.run.conclude import FINISHED
from tl_jax.run.settings.config import Config
from tl_jax.run.store.lock import NAME as LOCK
from tl_jax.run.store.lock import holder, holder_of
from tl_jax.run.store.stops import LINES
from tl_jax.sweep.asked.rungs import Halving
from tl_jax.sweep.plan import Run, config_of, given

PLAN = "plan.json"
DROPPED = "dropped"
GROWING = ("metrics.jsonl", LINES)
"""The files of a run that are longer where it has come further: by evaluations, and by stops between them."""
STATES = ("finished", "running", "queued", "stopped", "waiting", "dropped", "failed")


class Plan(NamedTuple):
    """All runs of a sweep.

    asked: what the line said, as plain JSON; options: fields of Options and "platform", for every run; halving: where
    the worse runs are dropped; rounds: what a search has asked so far.
    """

    base: Config
    options: Mapping[str, Any]
    asked: Any
    runs: tuple[Run, ...]
    halving: Halving | None = None
    rounds: tuple[Any, ...] = ()

    def run(self, name: str) -> Run:
        """Raises UserError for a name that is not of the plan."""
        for run in self.runs:
            if run.name == name:
                return run
        raise UserError(f"'{name}' is no run of this sweep.")


class State(NamedTuple):
    """Of one run: one of STATES, and for a failed one why and with which exit code."""

    name: str
    state: str
    message: str = ""
    code: int = 0


@dataclass(frozen=True)
class SweepDirectory:
    """One sweep, as far as it has come."""

    root: Path

    def run(self, name: str) -> Path:
        """A run's directory."""
        return self.root / "runs" / name

    def log(self, name: str) -> Path:
        """What a run's processes have printed."""
        return self.root / "logs" / f"{name}.log"

    def failure(self, name: str) -> Path:
        """Where it is kept why a run failed."""
        return self.root / "failed" / f"{name}.json"

    def plan(self) -> Plan:
        """Raises UserError where there is none, or it is damaged."""
        path = self.root / PLAN
        try:
            found = opened(path.read_bytes())
        except FileNotFoundError:
            raise UserError(f"{self.root} holds no {PLAN}: not the directory of a sweep.") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read ({error}): give the line of the sweep again.") from None
        base = config_of(found["base"])
        made = tuple(Run(r["name"], config_of({**found["base"], **r["given"]}), r["trials"]) for r in found["runs"])
        halving = Halving(*map(_tuple, found["halving"])) if found.get("halving") else None
        return Plan(base, found["options"], found["asked"], made, halving, tuple(found.get("rounds", ())))

    def keep(self, plan: Plan) -> None:
        """Write the plan, whole and with its digest. Raises UserError where it would leave out runs that were planned.

        The directory holds nothing else, or an earlier plan.
        """
        self.refuse_foreign()
        if (self.root / PLAN).exists():
            before, now = self.plan(), {run.name for run in plan.runs}
            if lost := [run.name for run in before.runs if run.name not in now]:
                raise UserError(
                    f"{self.root} was planned with {len(lost)} runs that this line has not, such as {lost[0]}. A sweep "
                    "may grow by more runs, not change: use a new --dir."
                )
        plain = [{"name": r.name, "given": given(plan.base, r.config), "trials": r.trials} for r in plan.runs]
        content = {"base": plan.base.to_json(), "options": dict(plan.options), "asked": plan.asked, "runs": plain}
        more = {"halving": plan.halving, "rounds": plan.rounds}
        content |= {name: value for name, value in more.items() if value}
        write_atomically(self.root / PLAN, (seal(content) + "\n").encode())

    def refuse_foreign(self) -> None:
        """Raises UserError for what is no directory of a sweep and cannot become one."""
        if self.root.exists() and not self.root.is_dir():
            raise UserError(f"--dir={self.root} is a file. Use a new --dir.")
        names = {path.name for path in self.root.iterdir()} if self.root.is_dir() else set()
        others = [name for name in names if name != LOCK and not name.endswith(PART)]
        if others and PLAN not in names:
            raise UserError(f"{self.root} is not empty and holds no {PLAN}: not a sweep's. Use a new --dir.")

    def states(self, plan: Plan) -> list[State]:
        """Where every run stands, in the order of the plan."""
        begun, failed = _names(self.root / "runs"), _names(self.root / "failed")
        dropped = _names(self.root / DROPPED)
        marked = lambda name: (name in begun, f"{name}.json" in failed, f"{name}.json" in dropped)
        return [self._state(run.name, *marked(run.name)) for run in plan.runs]

    def state(self, name: str) -> State:
        """Where one run stands."""
        marks = self.failure(name).exists(), (self.root / DROPPED / f"{name}.json").exists()
        return self._state(name, self.run(name).exists(), *marks)

    def _state(self, name: str, begun: bool, failed: bool, dropped: bool) -> State:
        run = self.run(name)
        if begun and (run / FINISHED).exists():
            return State(name, "finished")
        if failed:
            with contextlib.suppress(OSError, ValueError, KeyError):
                found = json.loads(self.failure(name).read_bytes())
                return State(name, "failed", found["message"], found["code"])
        if dropped:
            return State(name, "dropped")
        if not begun:
            return State(name, "waiting")
        return State(name, "running" if holder(run) else "stopped")

    def fail(self, name: str, code: int, message: str, diverged: bool = False) -> None:
        """Keep why a run failed; diverged: because no trial of it stayed finite, which is a result."""
        content = {"code": code, "message": message, "diverged": diverged}
        write_atomically(self.failure(name), (json.dumps(content, indent=1) + "\n").encode())

    def forget_failure(self, name: str) -> None:
        """The run may be tried again."""
        self.failure(name).unlink(missing_ok=True)

    def cancel(self, kill: Callable[[int, int], None], number: int) -> str:
        """Ask the processes of this sweep on this machine to stop, that of the pool first; what was asked, in words."""
        found = [holder_of(self.root), *(holder_of(path) for path in sorted(self.root.glob("runs/*")))]
        here, told = socket.gethostname(), 0
        for pid, host in (one for one in found if one):
            if host == here:
                with contextlib.suppress(ProcessLookupError):
                    kill(pid, number)
                    told += 1
                if told == 1 and found[0]:
                    break  # the pool tells its processes
        elsewhere = {host for _, host in filter(None, found) if host != here}
        more = f" Others run on {', '.join(sorted(elsewhere))}: cancel there." if elsewhere else ""
        return (
            f"Asked to stop, state saved where it stands. sweep status shows how it goes.{more}"
            if told
            else f"No process of this sweep runs here.{more}"
        )

    def standing(self, name: str) -> int:
        """A number that grows as a run does."""
        size = 0
        for grows in GROWING:
            with contextlib.suppress(OSError):
                size += os.stat(self.run(name) / grows).st_size
        return size


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except FileNotFoundError:
        return set()
