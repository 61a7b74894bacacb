"""Vmapped trials or one after the other: measured once per machine and shape, then remembered."""

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.errors import out_of_memory
from tl_jax.core.files import keep_in_cache, say, say_once, user_cache, write_first
from tl_jax.core.processes import first, several, told
from tl_jax.core.sealed import digest, opened, seal
from tl_jax.run.plan.devices import Placement, cores
from tl_jax.training.state import Data, Start
from tl_jax.training.trials import Programs, half_as_many

Built = tuple[Programs, Placement]
Decision = tuple[str, str]
"""(mode, sentence): "vmap" or "map", and how that was decided."""
STEPS, ATTEMPTS = 4, 3
APART = 4 / 3
"""Two measurements of which one is longer by more than this were disturbed: they are made anew."""
MARGIN = 1.15
"""Vmap must win by this factor: near a tie the choice should not depend on noise."""
SHORT = 60.0
"""Seconds: what vmap could save of a run this short is lost to compiling it for the measurement."""


def _memory() -> Path:
    return user_cache() / "trials.json"


def choose(shape: str, build: Callable[[str], Built], start: Start, data: Data, *, steps: int = 10**9) -> Decision:
    """What is faster for trials of this shape, as it was measured, or is now.

    shape: what the speed depends on (network, batch, number of trials). build(mode) -> its programs and placement.
    steps: how many will be run; where they take less than SHORT in turn, vmap is not tried.
    """
    trials = len(start.seed)
    if trials == 1:
        return "map", "one trial"
    known = _Measured(f"{_machine()}, {trials} trials, {shape}", lambda mode: _time(build(mode), start, data))
    one, together = known.of("map"), next((mode for mode in known.seconds if mode != "map"), "")
    if not together and one * steps < SHORT:
        why = f"a step of all: {one * 1e3:.0f} ms; too short a run to try vmap{known.remark}"
        return "map", f"{trials} trials one after the other ({why})"
    together, many = known.most(together or "vmap", trials)
    mode = together if many * MARGIN < one else "map"
    name = {"vmap": "vmapped", "map": "one after the other"}.get(mode, f"vmapped, {mode[5:]} at once")
    taken = f"{one * 1e3:.0f} ms in turn, {many * 1e3:.0f} ms vmapped"
    return mode, f"{trials} trials {name} (a step of all: {taken}{known.remark})"


class _Measured:
    """Seconds of a step of all trials by mode: as remembered under a key, or measured now by time(mode)."""

    def __init__(self, key: str, time: Callable[[str], tuple[float, bool]]):
        self.seconds, self.remark = told(lambda: dict(_recall().get(key, {}))), ""
        self._key, self._time = key, time

    def of(self, mode: str) -> float:
        """Of one mode. What a busy machine gave is not remembered, nor what is measured after it."""
        if mode not in self.seconds:
            self.seconds[mode], sure = self._time(mode)
            self.remark = self.remark if sure else "; the machine was busy, so this is not remembered"
            if not self.remark and first():
                keep_in_cache(_memory(), seal({**_recall(), self._key: self.seconds}).encode())
        return self.seconds[mode]

    def most(self, mode: str, trials: int) -> tuple[str, float]:
        """A mode and its seconds, or those of the first with half as many at once that the device has memory for."""
        while True:
            try:
                return mode, self.of(mode)
            except Exception as error:
                smaller = half_as_many(mode, trials)
                if smaller is None or several() or not out_of_memory(error):
                    raise
            mode = smaller


def agreed(folder: str, shape: str, decide: Callable[[], Decision]) -> Decision:
    """What the first run of this shape decided, for all runs that agree in a folder; "" has no others.

    Runs of a sweep would otherwise differ by rounding, as each was measured beside other work.
    """
    if not folder:
        return decide()
    path = Path(folder) / f"{digest([_machine(), shape])}.json"
    found = told(lambda: _decided(path))
    if found is None:
        mode, reason = decide()
        made = seal({"shape": shape, "machine": _machine(), "mode": mode, "reason": reason}).encode()
        return (mode, reason) if told(lambda: write_first(path, made)) else agreed(folder, shape, decide)
    return found["mode"], f"{found['reason']}; as decided once in this sweep"


def _decided(path: Path) -> Mapping[str, str] | None:
    """What another run has decided; None where none has, or it cannot be read."""
    try:
        return opened(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        say(f"{path} is damaged: decided anew.")
        path.unlink(missing_ok=True)
        return None


def _machine() -> str:
    devices = jax.devices()
    return f"jax {jax.__version__}, {len(devices)} x {devices[0].device_kind}, {cores()} cores"


def _recall() -> dict[str, dict[str, float]]:
    """{shape: {mode: seconds}}; empty where nothing was measured yet, or the file is not as it was written."""
    try:
        return opened(_memory().read_bytes())
    except OSError:
        return {}
    except ValueError:
        say_once(f"{_memory()} is damaged: measured again.")
        return {}


def _time(built: Built, start: Start, data: Data) -> tuple[float, bool]:
    """Seconds of one step of all trials, and whether two measurements agreed on them.

    Arrays lie as in the run, so what is compiled here serves it.
    """
    programs, placement = built
    data = placement.data(data)
    states = placement.state(programs.begin(start, data))
    progress = placement.state(programs.idle(states, data))
    done, taken = 0, list[float]()
    while len(taken) <= 2 * ATTEMPTS:
        done += STEPS if taken else 1
        began = time.perf_counter()
        states, progress = programs.run(states, jnp.int32(done), data, progress)
        jax.block_until_ready(states)
        seconds = (time.perf_counter() - began) / STEPS
        taken.append(told(lambda: seconds))  # noqa: B023 - called at once
        last = taken[-2:]  # of the first the most is compiling
        if len(taken) % 2 and len(taken) > 2 and max(last) <= APART * min(last):
            return float(np.round(statistics.mean(last), 6)), True
    return float(np.round(statistics.median(taken[1:]), 6)), False
