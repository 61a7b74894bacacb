"""A sweep on SLURM: its own job array, requeue and signals, through one generated script."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tl_jax.core.errors import UserError
from tl_jax.core.files import write_atomically
from tl_jax.sweep.clusters.tasks import TASKS, Asked, begin, job_name
from tl_jax.sweep.directory import GROWING, State, SweepDirectory
from tl_jax.sweep.local import STRIKES, importable
from tl_jax.sweep.worker import STOPPED

SENT = ("TL_JAX_DATA", "XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR")
"""Variables that go along from here where they are set; others, such as JAX_PLATFORMS, are those of the node."""
BARE = "PATH,HOME,USER,LANG"
LARGEST = 1000
"""Tasks of one array at most."""
WARNING = 120
"""Seconds before its time limit at which a job is asked to save."""
Call = Callable[[Sequence[str]], str]


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


def script(sweep: SweepDirectory, tasks: Path, offset: int, asked: Asked) -> str:
    """The batch script of one array; its task i does the runs of line offset + i + 1 of a file.

    Raises UserError for a flag of sbatch that the sweep sets itself.
    """
    again = "|".join(str(code) for code in sorted(STOPPED) if code > 0)
    root, file = shlex.quote(str(sweep.root.resolve())), shlex.quote(str(tasks))
    signal = [] if any(flag.startswith("signal") for flag in asked.flags) else [f"signal=USR1@{WARNING}"]
    several = " --distributed=slurm" if asked.hosts > 1 else ""
    return f"""{_head(sweep, "%A_%a", [*signal, *_tasks(asked), *_checked(asked.flags)])}
task=$(({offset} + SLURM_ARRAY_TASK_ID + 1))
names=$(sed -n "${{task}}p" {file})
srun --export=ALL {shlex.quote(sys.executable)} -m tl_jax.sweep.worker {root} $names{several}
code=$?
case $code in {again}) ;; *) exit $code ;; esac

# Stopped, and saved: again, unless it came no further for {STRIKES} times.
reached=0
for name in $names; do
    for file in {" ".join(GROWING)}; do
        size=$(stat -c %s {root}/runs/"$name"/$file 2>/dev/null || echo 0)
        reached=$((reached + size))
    done
done
state={file}.$task
last=-1; count=0
[ -e "$state" ] && read -r last count < "$state"
[ "$reached" -gt "$last" ] && count=0
echo "$reached $((count + 1))" > "$state"
[ "$count" -ge {STRIKES} ] && echo "given back {STRIKES} times without a new step: not again" && exit $code
scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
"""


def fetching(sweep: SweepDirectory, asked: Asked) -> str:
    """The batch script that reads the plan's data sets once, without the accelerators that the tasks ask for."""
    flags = [flag for flag in _checked(asked.flags) if not re.match(r"gres=|gpus|signal=|[a-z-]*-gpu=", flag)]
    words = [sys.executable, "-m", "tl_jax.sweep.clusters.data", str(sweep.root.resolve())]
    return f"{_head(sweep, '%j-data', flags)}\nsrun --export=ALL {shlex.join(words)}\n"


def _head(sweep: SweepDirectory, log: str, flags: Sequence[str]) -> str:
    """How a script begins: what is asked of SLURM, and the environment."""
    sent = importable() | {name: os.environ[name] for name in SENT if name in os.environ}
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sent.items())
    root = str(sweep.root.resolve()).replace("%", "%%")
    asked = [f"job-name={job_name(sweep)}", f'chdir="{Path.cwd()}"', f'output="{root}/logs/slurm-{log}.txt"']
    lines = [f"#SBATCH --{flag}\n" for flag in [*asked, "open-mode=append", "requeue", *flags]]
    return f"#!/bin/bash\n{''.join(lines)}\n{exports}"


def _tasks(asked: Asked) -> list[str]:
    """How many processes a task is. Raises UserError for a flag that says it, too."""
    counted = ("ntasks", "ntasks-per-node", "nodes")
    for flag in asked.flags:
        name, _, value = flag.partition("=")
        if name == "ntasks" or (asked.hosts == 1 and name in counted and value != "1"):
            raise UserError(
                f"--slurm={flag}: how many processes do a run together is said by --hosts, as in --hosts=2"
                + (" --slurm=nodes=2." if name == "nodes" else ".")
            )
    return [f"ntasks={asked.hosts}"] if asked.hosts > 1 else []


def _checked(flags: Sequence[str]) -> list[str]:
    ours = ("job-name", "chdir", "output", "open-mode", "requeue", "array", "export", "parsable", "wrap")
    for flag in flags:
        name = flag.partition("=")[0]
        if not re.fullmatch(r"[a-z][a-z-]*(=[^\n]+)?", flag):
            raise UserError(f"--slurm={flag}: write it as a long flag of sbatch without dashes, as in partition=gpu.")
        if name in ours:
            raise UserError(f"--slurm={flag}: the sweep sets --{name} itself.")
    return list(flags)


def submit(
    sweep: SweepDirectory, names: Sequence[str], asked: Asked, sets: Sequence[str] = (), run: Call = call
) -> list[str]:
    """Submit runs as arrays, after a job that reads the data sets; returns what was submitted, in words.

    sets: those of the plan that are not embedded. Raises UserError where SLURM refuses.
    """
    if not names:
        return []
    size = min(LARGEST, _largest(run(["scontrol", "show", "config"])))
    folder, groups = begin(sweep, "slurm", names, asked.per_job)
    (sweep.root / "logs").mkdir(exist_ok=True)
    said, after = [], ""
    if sets:
        after = _sent(folder / "data.sh", fetching(sweep, asked), [], run)
        said.append(f"job {after}: reads {len(sets)} data sets before the others begin")
    for offset in range(0, len(groups), size):
        part, path = groups[offset : offset + size], folder / f"job-{offset}.sh"
        limit = f"%{asked.parallel}" if asked.parallel else ""
        words = [f"--array=0-{len(part) - 1}{limit}", *[f"--dependency=afterany:{after}"] * bool(after)]
        job = _sent(path, script(sweep, folder / TASKS, offset, asked), words, run)
        write_atomically(folder / f"{job}.json", json.dumps(part).encode())
        said.append(f"job {job}: {len(part)} tasks, {sum(map(len, part))} runs ({path})")
        after = job if limit else after  # the limit is that of one array, so the next waits for it
    return said


def _sent(path: Path, text: str, words: Sequence[str], run: Call) -> str:
    """Write a script and submit it; its job's number."""
    write_atomically(path, text.encode())
    return run(["sbatch", "--parsable", f"--export={BARE}", *words, str(path)]).strip().partition(";")[0]


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
