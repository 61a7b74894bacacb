"""A sweep on SLURM: its own job array, requeue and signals, through one generated script."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tl_jax.core.errors import UserError
from tl_jax.core.files import write_atomically
from tl_jax.sweep.directory import GROWING, State, SweepDirectory
from tl_jax.sweep.local import STRIKES, importable
from tl_jax.sweep.plan import digest_of
from tl_jax.sweep.worker import STOPPED

SENT = ("TL_JAX_DATA", "XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR")
"""Variables that go along from here where they are set; others, such as JAX_PLATFORMS, are those of the node."""
BARE = "PATH,HOME,USER,LANG"
LARGEST = 1000
"""Tasks of one array at most."""
WARNING = 120
"""Seconds before its time limit at which a job is asked to save."""
Call = Callable[[Sequence[str]], str]


class Asked(NamedTuple):
    """flags: of sbatch, as in partition=gpu; parallel: tasks at once (0: as many as there is room for); per_job: runs
    of a task, one after the other."""

    flags: Sequence[str] = ()
    parallel: int = 0
    per_job: int = 1


def call(words: Sequence[str]) -> str:
    """What a command of SLURM's prints. Raises UserError where there is none, or it refuses."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_")) or k == "SLURM_CONF"}
    try:
        done = subprocess.run(words, capture_output=True, text=True, env=clean)
    except FileNotFoundError:
        raise UserError(f"There is no {words[0]} here: --on=slurm is given on a machine that submits jobs.") from None
    if done.returncode:
        raise UserError(f"{' '.join(words[:2])}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def job_name(sweep: SweepDirectory) -> str:
    """The name of all jobs of a sweep, by which they are found again."""
    return f"tl-sweep-{digest_of(str(sweep.root.resolve()))[:8]}"


def script(sweep: SweepDirectory, tasks: Path, offset: int, asked: Asked) -> str:
    """The batch script of one array; its task i does the runs of line offset + i + 1 of a file.

    Raises UserError for a flag of sbatch that the sweep sets itself.
    """
    root, again = sweep.root.resolve(), "|".join(str(code) for code in sorted(STOPPED) if code > 0)
    lines = [f"#SBATCH --{flag}" for flag in _checked(asked.flags)]
    quoted = shlex.quote
    sent = importable() | {name: os.environ[name] for name in SENT if name in os.environ}
    exports = "\n".join(f"export {name}={quoted(value)}" for name, value in sent.items())
    signal = "" if any(flag.startswith("signal") for flag in asked.flags) else f"#SBATCH --signal=USR1@{WARNING}\n"
    return f"""#!/bin/bash
#SBATCH --job-name={job_name(sweep)}
#SBATCH --chdir={Path.cwd()}
#SBATCH --output={root}/logs/slurm-%A_%a.txt
#SBATCH --open-mode=append
#SBATCH --requeue
{signal}{chr(10).join(lines)}{chr(10) if lines else ""}
{exports}
task=$(({offset} + SLURM_ARRAY_TASK_ID + 1))
names=$(sed -n "${{task}}p" {quoted(str(tasks))})
srun --export=ALL {quoted(sys.executable)} -m tl_jax.sweep.worker {quoted(str(root))} $names
code=$?
case $code in {again}) ;; *) exit $code ;; esac

# Stopped, and saved: again, unless it came no further for {STRIKES} times.
reached=0
for name in $names; do
    for file in {" ".join(GROWING)}; do
        size=$(stat -c %s {quoted(str(root))}/runs/"$name"/$file 2>/dev/null || echo 0)
        reached=$((reached + size))
    done
done
state={quoted(str(tasks))}.$task
last=-1; count=0
[ -e "$state" ] && read -r last count < "$state"
[ "$reached" -gt "$last" ] && count=0
echo "$reached $((count + 1))" > "$state"
[ "$count" -ge {STRIKES} ] && echo "given back {STRIKES} times without a new step: not again" && exit $code
scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
"""


def _checked(flags: Sequence[str]) -> list[str]:
    ours = ("job-name", "chdir", "output", "open-mode", "requeue", "array", "export", "parsable", "wrap")
    for flag in flags:
        name = flag.partition("=")[0]
        if not re.fullmatch(r"[a-z][a-z-]*(=[^\n]+)?", flag):
            raise UserError(f"--slurm={flag}: write it as a long flag of sbatch without dashes, as in partition=gpu.")
        if name in ours:
            raise UserError(f"--slurm={flag}: the sweep sets --{name} itself.")
    return list(flags)


def submit(sweep: SweepDirectory, names: Sequence[str], asked: Asked, run: Call = call) -> list[str]:
    """Submit runs as arrays; returns what was submitted, in words. Raises UserError where SLURM refuses."""
    groups = [names[i : i + asked.per_job] for i in range(0, len(names), asked.per_job)]
    if not groups:
        return []
    size = min(LARGEST, _largest(run(["scontrol", "show", "config"])))
    folder = sweep.root.resolve() / "slurm" / str(1 + len(list(sweep.root.glob("slurm/*"))))
    tasks = folder / "tasks.txt"
    write_atomically(tasks, "".join(" ".join(group) + "\n" for group in groups).encode())
    (sweep.root / "logs").mkdir(exist_ok=True)
    said, before = [], ""
    for offset in range(0, len(groups), size):
        count = min(size, len(groups) - offset)
        path = folder / f"job-{offset}.sh"
        write_atomically(path, script(sweep, tasks, offset, asked).encode())
        limit = f"%{asked.parallel}" if asked.parallel else ""
        words = ["sbatch", "--parsable", f"--export={BARE}", f"--array=0-{count - 1}{limit}"]
        words += [f"--dependency=afterany:{before}"] * bool(before and limit)  # the limit is that of one array
        before = run([*words, str(path)]).strip().partition(";")[0]
        write_atomically(folder / f"{before}.json", json.dumps(groups[offset : offset + count]).encode())
        said.append(f"job {before}: {count} tasks, {sum(map(len, groups[offset : offset + count]))} runs ({path})")
    return said


def _largest(config: str) -> int:
    found = re.search(r"MaxArraySize\s*=\s*(\d+)", config)
    return max(1, int(found[1])) if found else LARGEST


def alive(sweep: SweepDirectory, run: Call = call) -> dict[str, str]:
    """{run: "running" or "queued"} of those that SLURM has."""
    groups = {path.stem: json.loads(path.read_bytes()) for path in sweep.root.glob("slurm/*/*.json")}
    if not groups:
        return {}
    found: dict[str, str] = {}
    for line in run(["squeue", "-h", "-r", f"--name={job_name(sweep)}", "-o", "%F %K %T"]).splitlines():
        job, task, state = line.split()
        if job in groups and task.isdigit():
            going = "running" if state in ("RUNNING", "COMPLETING") else "queued"
            found |= dict.fromkeys(groups[job][int(task)], going)
    return found


def overlaid(states: Sequence[State], going: Mapping[str, str]) -> list[State]:
    """The states with those that SLURM knows better: whether a run is queued, or running on a node."""
    ours = ("waiting", "stopped", "running")
    return [one._replace(state=going[one.name]) if one.name in going and one.state in ours else one for one in states]


def cancel(sweep: SweepDirectory, run: Call = call) -> str:
    """End all jobs of a sweep; what was saved stays."""
    going = alive(sweep, run)
    run(["scancel", f"--name={job_name(sweep)}"])
    return f"{len(going)} runs are taken off SLURM; the line of the sweep goes on with them."
