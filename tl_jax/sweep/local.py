"""A sweep on this machine: a pool of processes, one a device, each with one run at a time."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tl_jax.run.plan.devices import cores
from tl_jax.sweep.directory import SweepDirectory
from tl_jax.sweep.worker import STOPPED

PAUSE = 0.2
"""Seconds between looks at the processes."""
STRIKES = 3
"""How often a run may be given back without a new step."""
TAIL = 5
"""Lines of a log that are shown of a process that died."""


class Process(Protocol):
    """As subprocess.Popen."""

    def poll(self) -> int | None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


Start = Callable[[str, int], Process]
"""Of a run's name and the number of a place in the pool."""


class Stop:
    """Ctrl-C or SIGTERM: every run saves where it stands; once more: all end at once."""

    def __init__(self) -> None:
        self.asked = 0

    def _handle(self, number: int, frame: object) -> None:
        self.asked += 1

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals to the end of the block."""
        numbers = [signal.SIGINT, signal.SIGTERM]
        before = {number: signal.signal(number, self._handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Pool(NamedTuple):
    """What a pool needs: places for so many processes, how one is started, who asks to stop, who is told."""

    sweep: SweepDirectory
    places: int
    start: Start
    stop: Stop
    say: Callable[[str], None]
    pause: float = PAUSE


class Going(NamedTuple):
    """A run that a process has: since when, and how far it was then."""

    name: str
    process: Process
    began: float
    stood: int


def work(pool: Pool, names: Sequence[str]) -> bool:
    """Do the runs in order. Returns False where it was stopped."""
    waiting, going, strikes = list(names), dict[int, Going](), dict[str, int]()
    done, told = 0, 0
    while waiting or going:
        if pool.stop.asked > told:
            told = pool.stop.asked
            _tell(pool, going, told)
        for place, one in list(going.items()):
            if (code := one.process.poll()) is None:
                continue
            del going[place]
            if not told and _again(pool, one, code, strikes):
                waiting.append(one.name)
                continue
            done += 1
            took = time.monotonic() - one.began
            pool.say(f"[{done}/{len(names)}] {one.name}: {_ended(pool, one.name, code)}, {took:.0f} s")
        for place in range(pool.places):
            if not pool.stop.asked and place not in going and (name := _next(pool, waiting)):
                going[place] = Going(name, pool.start(name, place), time.monotonic(), pool.sweep.standing(name))
        if told and not going:
            return False
        time.sleep(pool.pause)
    return True


def _tell(pool: Pool, going: Mapping[int, Going], told: int) -> None:
    for one in going.values():
        one.process.terminate() if told == 1 else one.process.kill()
    if going and told == 1:
        pool.say(f"Stopping: {len(going)} runs save where they stand. Once more: at once.")


def _again(pool: Pool, one: Going, code: int, strikes: dict[str, int]) -> bool:
    """Whether a run that was given back is tried again: not where it came no further for some times."""
    if code not in STOPPED:
        return False
    grown = pool.sweep.standing(one.name) > one.stood
    strikes[one.name] = 0 if grown else strikes.get(one.name, 0) + 1
    return strikes[one.name] < STRIKES


def _next(pool: Pool, waiting: list[str]) -> str:
    """Take the first run that no other process has; '' where there is none."""
    for name in waiting:
        if pool.sweep.state(name).state != "running":
            waiting.remove(name)
            return name
    return ""


def _ended(pool: Pool, name: str, code: int) -> str:
    """How a process ended, in words; one that died without a word is kept as failed."""
    if code == 0:
        state = pool.sweep.state(name).state
        return "held at a rung" if state == "stopped" else "finished"
    if code in STOPPED and pool.stop.asked:
        return "stopped"
    state = pool.sweep.state(name)
    if state.state != "failed":
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        if code in STOPPED:
            how = f"given back {STRIKES} times without a new step"
        pool.sweep.fail(name, 1, f"{how}. {_tail(pool.sweep.log(name))}")
        state = pool.sweep.state(name)
    return f"failed: {state.message}"


def _tail(path: Path) -> str:
    with contextlib.suppress(OSError):
        lines = path.read_text(errors="replace").splitlines()
        return f"The end of {path}: {' | '.join(lines[-TAIL:])}"
    return ""


def starter(sweep: SweepDirectory, environments: Sequence[Mapping[str, str]]) -> Start:
    """Workers as processes of their own, with the environment of their place; what they print goes to the run's log."""

    def start(name: str, place: int) -> subprocess.Popen[Any]:
        sweep.log(name).parent.mkdir(parents=True, exist_ok=True)
        words = [sys.executable, "-m", "tl_jax.sweep.worker", f"--parent={os.getpid()}", str(sweep.root), name]
        # A session of its own: a Ctrl-C reaches the pool alone, which tells each worker once.
        with sweep.log(name).open("ab") as log:
            return subprocess.Popen(
                words,
                env={**os.environ, **importable(), **environments[place]},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    return start


def importable() -> dict[str, str]:
    """The environment in which a new process finds this package."""
    root = str(Path(__file__).parents[2])
    return {"PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))}


def places(platform: str, processes: int) -> list[dict[str, str]]:
    """The environment of each process of the pool: one a GPU; on a CPU `processes`, by default two where there are
    cores for them."""
    found, count = _accelerators(platform)
    if found == "gpu":
        listed = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        devices = listed.split(",") if listed else list(map(str, range(count)))
        return [{"CUDA_VISIBLE_DEVICES": device} for device in devices[: processes or None]]
    if found != "cpu":
        return [{}]  # a TPU belongs to one process, which uses all of its chips
    return [{"JAX_PLATFORMS": "cpu"}] * (processes or min(2, cores()))


def _accelerators(platform: str) -> tuple[str, int]:
    """What JAX finds here, asked in another process: this one must not take the devices' memory."""
    if platform == "cpu" or os.environ.get("JAX_PLATFORMS") == "cpu":
        return "cpu", 1
    code = "import jax; print(jax.default_backend(), jax.local_device_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    words = done.stdout.split()
    return (words[0], int(words[1])) if len(words) == 2 else ("cpu", 1)
