"""One process of a sweep: some of its runs, one after the other. Its exit code says what is to be done.

0 done; 2 a mistake, never tried again; 75 again, please (stopped, or the directory is in use); 1 the machine's fault.
"""

import argparse
import os
import signal
import threading
import time
import traceback
from pathlib import Path

AGAIN = 75
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


def _heard() -> list[int]:
    return [int(getattr(signal, name)) for name in SIGNALS if hasattr(signal, name)]


STOPPED = frozenset([AGAIN, *(sign for number in _heard() for sign in (-number, 128 + number))])
"""Exit codes of a process that was stopped: there is nothing wrong with its run."""


def main(arguments: list[str] | None = None) -> int:
    """Run the named runs of a sweep."""
    # Until a run listens itself nothing is unsaved, and a stop may end the process at once. JAX is not loaded yet.
    for number in _heard():
        if signal.getsignal(number) != signal.SIG_IGN:  # as SIGHUP is under nohup
            signal.signal(number, _leave)
    parser = argparse.ArgumentParser(prog="tl_jax.sweep.worker")
    parser.add_argument("directory", type=Path)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--parent", type=int, default=0, help="Stop when this process has ended.")
    parser.add_argument("--distributed", default="", help="Be one of several processes that do each run together.")
    asked = parser.parse_args(arguments)
    if asked.parent:
        threading.Thread(target=_stop_without, args=(asked.parent,), daemon=True).start()
    codes = []
    for name in asked.names:
        codes.append(one(asked.directory, name, asked.distributed, last=name == asked.names[-1]))
        if codes[-1] == AGAIN:
            break
    return max(codes)


def _leave(number: int, frame: object) -> None:
    raise SystemExit(AGAIN)


def _stop_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def one(root: Path, name: str, distributed: str = "", *, last: bool = True) -> int:
    """Do, or go on with, one run; what fails is kept in the sweep's directory.

    distributed: how the other processes of the run are found (core/processes.py), "": there are none. last: whether
    nothing follows, so that a stop which found the run complete is nothing to come back for.
    """
    from tl_jax.core import processes
    from tl_jax.core.errors import BusyError, DivergedError, MachineError, UserError
    from tl_jax.kinds.table import run
    from tl_jax.run import rungs
    from tl_jax.run.plan.devices import setup
    from tl_jax.run.plan.types import Options
    from tl_jax.sweep import halving
    from tl_jax.sweep.directory import SweepDirectory

    sweep = SweepDirectory(root)
    try:
        plan = sweep.plan()
        options = dict(plan.options)
        setup(options.pop("platform", "auto"), options.get("devices", 0), distributed)
        due = lambda: halving.standing(sweep, plan, name).due.get(name)
        until = processes.told(due) if plan.halving else 0
        if until is None:
            print(f"{name}: finished, or dropped at a rung. Nothing to do.", flush=True)
            return 0
        options |= {"run_dir": str(sweep.run(name)), "agreed": str(sweep.root / "trials"), "until": until}
        found = run(plan.run(name).config, Options(**options), {})
        done = found.complete or (until and rungs.read(sweep.run(name), until))
        return 0 if done and (last or not found.stopped) else AGAIN
    except BusyError as error:
        print(f"tl_jax: {error}", flush=True)
        return AGAIN
    except (UserError, MachineError) as error:
        print(f"tl_jax: {error}", flush=True)
        if processes.first():
            sweep.fail(name, error.code, str(error), isinstance(error, DivergedError))
        return error.code
    except KeyboardInterrupt:
        return AGAIN
    except Exception as error:
        traceback.print_exc()
        sweep.fail(name, 1, f"{type(error).__name__}: {error} (see {sweep.log(name)})")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
