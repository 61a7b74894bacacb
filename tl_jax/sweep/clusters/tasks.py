"""What is asked of a cluster, and the runs of a sweep as its tasks: a line of a file each."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tl_jax.core.errors import UserError, unknown
from tl_jax.core.files import write_atomically
from tl_jax.sweep.directory import SweepDirectory
from tl_jax.sweep.plan import digest_of

TASKS = "tasks.txt"


class Asked(NamedTuple):
    """flags: of the cluster, as in partition=gpu; parallel: tasks at once (0: as many as there is room for); per_job:
    runs of a task, one after the other; hosts: processes that a task is, each run divided over them."""

    flags: Sequence[str] = ()
    parallel: int = 0
    per_job: int = 1
    hosts: int = 1


class Where(NamedTuple):
    """A submission: its folder in the sweep's directory, and how many tasks it has."""

    folder: Path
    tasks: list[list[str]]


def job_name(sweep: SweepDirectory) -> str:
    """The name of all jobs of a sweep, by which they are found again."""
    return f"tl-sweep-{digest_of(str(sweep.root.resolve()))[:8]}"


def begin(sweep: SweepDirectory, kind: str, names: Sequence[str], per_job: int) -> Where:
    """A new folder of a submission, with its file of tasks."""
    groups = [list(names[i : i + per_job]) for i in range(0, len(names), per_job)]
    folder = sweep.root.resolve() / kind / str(1 + len(list(sweep.root.glob(f"{kind}/*"))))
    write_atomically(folder / TASKS, "".join(" ".join(group) + "\n" for group in groups).encode())
    return Where(folder, groups)


def named(kind: str, flags: Sequence[str], known: Mapping[str, str]) -> dict[str, list[str]]:
    """{name: its values} of flags 'name=value'; known: {name: what it is, with '...' where it may be repeated}.

    Raises UserError for another name, for one without a value, and for one twice that is none of several.
    """
    found: dict[str, list[str]] = {}
    for flag in flags:
        name, _, value = flag.partition("=")
        if name not in known:
            raise unknown(f"--{kind}", name, list(known))
        if not value or not re.fullmatch(r"[^\x00-\x1f]+", value):
            raise UserError(f"--{kind}={flag}: write it as {name}=..., {known[name].removesuffix('...')}.")
        if name in found and not known[name].endswith("..."):
            raise UserError(f"--{kind}={name}=... is given twice.")
        found.setdefault(name, []).append(value)
    return found


def one(kind: str, found: Mapping[str, Sequence[str]], name: str, known: Mapping[str, str]) -> str:
    """The value of a name that has to be given. Raises UserError where it is not."""
    if name not in found:
        raise UserError(f"--on={kind} needs --{kind}={name}=..., {known[name]}.")
    return found[name][0]
