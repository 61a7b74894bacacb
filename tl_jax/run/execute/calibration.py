"""Vmapped trials or one after the other: measured once per machine and shape, then remembered."""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.files import keep_in_cache, say_once, user_cache
from tl_jax.core.sealed import opened, seal
from tl_jax.run.plan.devices import Placement
from tl_jax.training.state import Data, Start
from tl_jax.training.trials import Programs

Built = tuple[Programs, Placement]
STEPS, REPEATS = 4, 3
MARGIN = 1.15
"""Vmap must win by this factor: near a tie the choice should not depend on noise."""
SHORT = 60.0
"""Seconds: what vmap could save of a run this short is lost to compiling it for the measurement."""


def _memory() -> Path:
    return user_cache() / "trials.json"


def choose(
    shape: str, build: Callable[[str], Built], start: Start, data: Data, *, steps: int = 10**9
) -> tuple[str, str]:
    """(mode, sentence): "vmap" or "map" for trials of this shape, and how that was decided.

    shape: what the speed depends on (network, batch, number of trials). build(mode) -> its programs and placement.
    steps: how many will be run; where they take less than SHORT in turn, vmap is not tried.
    """
    trials = len(start.seed)
    if trials == 1:
        return "map", "one trial"
    device = jax.devices()[0].device_kind
    key = f"jax {jax.__version__}, {len(jax.devices())} x {device}, {os.cpu_count()} cpus, {trials} trials, {shape}"
    known = _recall().get(key, {})
    for mode in ("map", "vmap"):
        if mode == "vmap" and mode not in known and known["map"] * steps < SHORT:
            each = f"{known['map'] * 1e3:.0f} ms"
            return "map", f"{trials} trials one after the other (a step of all: {each}; too short a run to try vmap)"
        if mode not in known:
            known = {**known, mode: _time(build(mode), start, data)}
            keep_in_cache(_memory(), seal({**_recall(), key: known}).encode())
    one, together = known["map"], known["vmap"]
    mode = "vmap" if together * MARGIN < one else "map"
    name = {"vmap": "vmapped", "map": "one after the other"}[mode]
    return (
        mode,
        f"{trials} trials {name} (a step of all: {one * 1e3:.0f} ms in turn, {together * 1e3:.0f} ms vmapped)",
    )


def _recall() -> dict[str, dict[str, float]]:
    """{shape: {mode: seconds}}; empty where nothing was measured yet, or the file is not as it was written."""
    try:
        return opened(_memory().read_bytes())
    except OSError:
        return {}
    except ValueError:
        say_once(f"{_memory()} is damaged: measured again.")
        return {}


def _time(built: Built, start: Start, data: Data) -> float:
    """Median seconds of one step of all trials. Arrays lie as in the run, so what is compiled here serves it."""
    programs, placement = built
    data = placement.data(data)
    states = placement.state(programs.begin(start, data))
    states, _ = programs.run(states, jnp.int32(1), data)
    jax.block_until_ready(states)
    taken = []
    for i in range(REPEATS):
        began = time.perf_counter()
        states, _ = programs.run(states, jnp.int32(1 + (i + 1) * STEPS), data)
        jax.block_until_ready(states)
        taken.append((time.perf_counter() - began) / STEPS)
    return float(np.round(statistics.median(taken), 6))
