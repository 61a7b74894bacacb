"""What ends a launch script with one message and an exit code of its own, instead of a traceback."""

import contextlib
import difflib
import errno
import importlib
import os
from collections.abc import Iterable, Iterator
from typing import Any


class UserError(Exception):
    """A mistake a user can mend: one message with what, where, the choices and the fix; nothing is half-written."""

    code = 2


class DivergedError(UserError):
    """No trial of a job is finite any more."""


class BusyError(UserError):
    """Another process has it now: the same again later may go."""

    code = 75


class MachineError(Exception):
    """The machine's fault: a disk that is full or cannot be read, too little memory, a process that was killed."""

    code = 1


def out_of_memory(error: BaseException) -> bool:
    """Whether a device has too little memory, as XLA says it."""
    return "RESOURCE_EXHAUSTED" in str(error)


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def machine_faults(where: object) -> Iterator[None]:
    """Raises MachineError for an error of the operating system met inside; where: what was being read or written."""
    try:
        yield
    except (BrokenPipeError, InterruptedError):
        raise
    except MemoryError as error:
        raise MachineError(f"{where}: not enough memory{f' ({error})' if str(error) else ''}.") from error
    except OSError as error:
        raise MachineError(what_failed(error, where)) from error


def what_failed(error: OSError, where: object) -> str:
    """'/data/run/results.json: No space left on device. ...': what, where, and that the run can go on from there."""
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(where)
    reason = error.strerror or str(error) or type(error).__name__
    fix = "Make room" if error.errno in FULL else "Mend that"
    return f"{path}: {reason}. {fix} and run the same line again: it goes on from the last evaluation that was saved."


def require(kind: str, name: object, choices: Iterable[str]) -> None:
    """Raises UserError (see `unknown`) unless the name is one of the choices."""
    choices = tuple(choices)
    if name not in choices:
        raise unknown(kind, name, choices)


def unknown(kind: str, name: object, choices: Iterable[str]) -> UserError:
    """Unknown method 'dan2'. Did you mean 'dan'? Available: ..."""
    choices = list(choices)
    near = difflib.get_close_matches(str(name), choices, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return UserError(f"Unknown {kind} '{name}'.{hint} Available: {', '.join(choices)}.")


PACKAGES = {"tensorboardX": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}
"""{package: the extra that brings it}."""


def needed(package: str, flag: str) -> Any:
    """The module of a package; flag: what asks for it. Raises UserError with the line that installs it if missing."""
    try:
        return importlib.import_module(package)
    except ImportError:
        extra = PACKAGES[package]
        message = f"{flag}={extra} needs {package}: pip install 'tl_jax[{extra}]', or pip install {package}."
        raise UserError(message) from None
