"""Versions, devices and the commit, for whoever wants to repeat a number."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax

from tl_jax.core.errors import MachineError
from tl_jax.core.files import say, write_atomically

PACKAGES = ("tl_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def environment() -> dict[str, Any]:
    """What numbers depend on besides the config, the data and the code."""
    return {
        "python": platform.python_version(),
        "packages": {name: installed(name) for name in PACKAGES},
        "platform": jax.default_backend(),
        "devices": [str(device.device_kind) for device in jax.devices()],
        "cpus": os.cpu_count(),
        "commit": commit(Path(__file__).parents[2]),
    }


def installed(name: str) -> str | None:
    """The version of a package; None where it is only on the path, as a checkout that nobody has installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def commit(package: Path) -> str | None:
    """The commit of the repository whose own folder a package is; None in any other, as in one that a venv lies in.

    It ends with -dirty where the package is not as committed.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(package), *words], capture_output=True, text=True, check=True, env=clean
        )
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")
        top = Path(git("rev-parse", "--show-toplevel"))
        if top.resolve() != package.parent.resolve():
            return None
        changed = git("--no-optional-locks", "status", "--porcelain", "--", ".")
        return git("rev-parse", "HEAD") + "-dirty" * bool(changed)
    except (OSError, subprocess.CalledProcessError):
        return None


def note_environment(path: Path, todo: Sequence[str]) -> None:
    """Keep what made the numbers: the first start's environment, and under "later" every other one that came after.

    todo: the jobs that this start is to train. A directory that cannot be written is left as it is.
    """
    now = environment()
    try:
        kept = json.loads(path.read_text()) if path.exists() else {}
        first = {name: value for name, value in kept.items() if name != "later"}
        later = list(kept.get("later", ()))
    except (ValueError, AttributeError):
        say(f"{path} is damaged: which versions made the numbers before is not known.")
        first, later = {"damaged": "what was here could not be read"}, []
    if not first:
        write(path, now)
    elif now not in (first, *({k: v for k, v in one.items() if k not in ("at", "trains")} for one in later[-1:])):
        at = datetime.now().astimezone().isoformat(" ", "seconds")
        write(path, {**first, "later": [*later, {"at": at, "trains": list(todo), **now}]}, needed=bool(todo))


def write(path: Path, value: Any, needed: bool = True) -> None:
    """JSON that is only worth a line where it cannot be written and nothing is to be trained."""
    try:
        write_atomically(path, (json.dumps(value, indent=1) + "\n").encode())
    except OSError as error:
        if needed:
            raise MachineError(f"{path}: {error.strerror}. Nothing was trained.") from error
        say(f"{path} stays as it was: {error.strerror}.")
