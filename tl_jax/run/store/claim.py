"""Taking a run directory: for one config, and for the data, the weights and the code it was begun with."""

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tl_jax.core.errors import UserError
from tl_jax.core.files import PART, say, sweep, temporary_beside, write_atomically
from tl_jax.core.processes import any_of, first, same, several, told
from tl_jax.core.sealed import digest, opened, seal
from tl_jax.run.plan.types import Setup
from tl_jax.run.settings.config import Config
from tl_jax.run.store import lock
from tl_jax.run.store.contents import changes, contents, same_shapes
from tl_jax.run.store.manifest import NAME as MANIFEST

CONFIG, CONTENTS = "config.json", "contents.json"
MAY_DIFFER = ("methods", "strategies", "align", "seeds", "sweep", "select")
"""Settings that say which jobs and trials there are, and how a step of them is chosen: they change nothing in training
those that are there anyway."""


@contextlib.contextmanager
def taken(root: Path, setup: Setup) -> Iterator[tuple[str, ...]]:
    """Hold the run directory, of several processes by the first; the changes since it was begun that are accepted.

    Raises UserError where it is another run's, or not the same run or directory in all processes, and BusyError.
    """
    config, made = setup.config, contents(setup)
    if not same(digest([config.to_json(), made])):
        raise UserError("The processes differ in their settings, data, weights or code: give all of them the same.")
    with contextlib.ExitStack() as held:

        def take() -> tuple[str, ...]:
            refuse_foreign(root)
            held.enter_context(lock.locked(root))
            return claim(root, config, made, setup.options.accept_changes)

        accepted = told(take)
        if several() and not _shared(root):
            raise UserError(
                f"--run_dir={root} is not one folder on all hosts: use one on a file system that they share."
            )
        yield accepted


def _shared(root: Path) -> bool:
    """Whether all processes see the same directory, by a file that the first makes there for a moment."""

    def make() -> str:
        try:
            handle, path = temporary_beside(root / "seen")
        except OSError:  # it cannot be written
            return CONFIG
        os.close(handle)
        return path.name

    name = told(make)
    seen = not any_of(not (root / name).exists())
    if first() and name != CONFIG:
        (root / name).unlink(missing_ok=True)
    return seen


def refuse_foreign(root: Path) -> None:
    """Raises UserError for what is no run directory and cannot become one; nothing is written."""
    try:
        if root.exists() and not root.is_dir():
            raise UserError(f"--run_dir={root} is a file. Use a new --run_dir.")
        names = {path.name for path in root.iterdir()} if root.is_dir() else set()
    except (OSError, ValueError) as error:
        raise UserError(f"--run_dir={root}: {getattr(error, 'strerror', None) or error}. Use another.") from None
    others = [name for name in names if not name.startswith(lock.NAME) and not name.endswith(PART)]
    if others and not names & {CONFIG, CONTENTS}:
        raise UserError(f"{root} is not empty and holds no {CONFIG}: not a run directory. Use a new --run_dir.")


def claim(root: Path, config: Config, made: Mapping[str, Any], accept: bool = False) -> tuple[str, ...]:
    """Take the directory for this config and these contents, or go on with it; the lock is held.

    Returns the changes that were accepted since it was begun. Raises UserError if it holds another config, or if the
    data, the weights or the code have changed and `accept` does not say that they may.
    """
    _sweep(root)
    kept = _contents(root / CONTENTS)
    _check_config(root, config, kept)
    if kept is None and not (root / CONFIG).exists():
        _write(root, config, made, ())
        return ()
    if kept is None:
        changed = [f"{CONTENTS}, which is lost or damaged"]
    else:
        changed = changes(kept["made"], made)
        if changed and not same_shapes(kept["made"], made):
            raise UserError(_refusal(root, changed) + " They cannot be accepted either: numbers or classes differ.")
    before = tuple(kept["accepted"]) if kept else ()
    if not changed:
        return before
    if not accept:
        raise UserError(
            _refusal(root, changed) + " Or accept the change with --accept_changes (accept_changes=True): the run then "
            "goes on, and every record says so."
        )
    begun = sorted(path.parent.name for path in root.glob(f"records/*/{MANIFEST}"))
    since = f", begun before: {', '.join(begun)}" if begun else ""
    accepted = (*before, *(f"{change}{since}" for change in changed))
    _write(root, config, made, accepted)
    return accepted


def _refusal(root: Path, changed: Sequence[str]) -> str:
    return (
        f"{root} was begun with other contents than there are now; changed: {'; '.join(changed)}. Its numbers are of "
        "the former, so nothing was trained, shown or written. Put back what was changed, or use a new --run_dir."
    )


def _sweep(root: Path) -> None:
    try:
        sweep(root)
    except OSError:
        return


def _contents(path: Path) -> Any:
    """What contents.json holds; None where it is not there or not whole."""
    try:
        return opened(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _check_config(root: Path, config: Config, kept: Any) -> None:
    """Raises UserError for a directory of another config; a damaged config.json is made anew where that is sure."""
    path, ours = root / CONFIG, config.to_json()
    if not path.exists() and kept is None:
        return
    try:
        theirs = json.loads(path.read_text()) if path.exists() else None
    except ValueError:
        theirs = None
    if isinstance(theirs, dict):
        theirs = {**Config().to_json(), **theirs}  # settings that were added since have their defaults
    if theirs == ours:
        return
    if kept is not None and kept["config"] == digest(config.given()):
        say(f"{path} was lost or damaged; it was of this configuration, and is written again.")
        write_atomically(path, _json(ours))
        return
    if not isinstance(theirs, dict):
        raise UserError(f"{path} is lost or damaged, and it was not of this configuration. Use a new --run_dir.")
    changed = [k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k)]
    was = ", ".join(f"{k}={theirs.get(k)}" for k in sorted(changed))
    now = ", ".join(f"{k}={ours.get(k)}" for k in sorted(changed))
    raise UserError(
        f"{root} was made with {was}; now {now}. Resuming needs equal configurations. "
        "Use a new --run_dir, or drop --run_dir: each configuration then gets its own."
        + _further(root, (theirs, ours), changed)
    )


def _further(root: Path, configs: tuple[Mapping[str, Any], Mapping[str, Any]], changed: Sequence[str]) -> str:
    """What to type where more of a run is wanted than it has."""
    theirs, ours = configs
    if set(changed) <= set(MAY_DIFFER):
        return f" Add --extend={root} to it: what is trained there is then taken over, and not trained again."
    if changed != ["steps"] or ours["steps"] <= theirs["steps"]:
        return ""
    names = list(dict.fromkeys((*ours["methods"], *ours["strategies"])))
    more = ours["steps"] - theirs["steps"]
    return (
        " Learning rate and trade-off go by the share of --steps, so a longer run is another one from its first step. "
        f"To go on from weights of this one, drop --run_dir and type --steps={more} --init_from='{root}?job={names[0]}'"
        + (f" (or another of {', '.join(names)})" if len(names) > 1 else "")
        + "; the schedules then begin anew."
    )


def _write(root: Path, config: Config, made: Mapping[str, Any], accepted: Sequence[str]) -> None:
    """Contents first: a directory with a config has contents, too."""
    plain = config.to_json()
    try:
        content = {"config": digest(config.given()), "made": made, "accepted": list(accepted)}
        write_atomically(root / CONTENTS, seal(content).encode())
        write_atomically(root / CONFIG, _json(plain))
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise UserError(f"--run_dir={root}: {error.strerror}. Use another.") from None
        raise


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()
