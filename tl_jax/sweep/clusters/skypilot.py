"""A sweep on the clouds of SkyPilot: a task for `sky jobs launch`, whose machines share the runs among them."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tl_jax.core.errors import UserError
from tl_jax.core.files import write_atomically
from tl_jax.run.store.names import readable
from tl_jax.sweep.clusters import data
from tl_jax.sweep.clusters.manifest import yaml
from tl_jax.sweep.clusters.tasks import TASKS, Asked, begin, job_name, named, one
from tl_jax.sweep.directory import PLAN, Plan, SweepDirectory
from tl_jax.sweep.local import STRIKES
from tl_jax.sweep.worker import AGAIN

KIND = "skypilot"
KNOWN = {
    "volume": "the volume of SkyPilot's on which the runs are kept",
    "mount": "the absolute path of that volume on the machines",
    "infra": "where, as in infra=gcp/us-central1 or infra=kubernetes",
    "accelerators": "of a machine, as in accelerators=H100:1 or accelerators=tpu-v5e-8",
    "cpus": "of a machine, as in cpus=8+",
    "memory": "of a machine in GB, as in memory=32+",
    "image": "as in image=docker:registry/name:tag",
    "spot": "true for machines that may be taken away",
    "setup": "a command that installs the package, in place of pip",
    "env": "a variable, as in env=TL_JAX_DATA=/data...",
}
HERE = "/tmp/tl-sweep"
"""Where the plan and the tasks are laid on each machine."""
CHECKOUT = Path(__file__).parents[3]


def task(sweep: SweepDirectory, place: Path, plan: Plan, tasks: int, asked: Asked) -> dict[str, Any]:
    """The task whose machine of rank r does lines r, r + n, ... of the file of tasks. Raises UserError."""
    found = _checked(sweep, asked)
    mount = found["mount"][0].rstrip("/")
    resources: dict[str, Any] = {
        name: found[name][0] for name in ("infra", "accelerators", "cpus", "memory") if name in found
    }
    resources |= {"image_id": found["image"][0]} if "image" in found else {}
    resources |= {"use_spot": found.get("spot", ["false"])[0] == "true"}
    # Machines that are taken away are replaced without being counted; what crashes is tried again some times.
    resources["job_recovery"] = {"max_restarts_on_errors": STRIKES}
    return {
        "name": f"{job_name(sweep)}-{place.name}",
        "num_nodes": min(asked.parallel or 1, tasks),
        "resources": resources,
        "envs": {"XDG_CACHE_HOME": f"{mount}/.cache"} | _variables(found),
        "volumes": {mount: found["volume"][0]},
        "file_mounts": {f"{HERE}/{PLAN}": str(sweep.root.resolve() / PLAN), f"{HERE}/{TASKS}": str(place / TASKS)},
        "setup": found.get("setup", [_setup(resources.get("accelerators", ""))])[0],
        "run": _run(there(sweep, mount), bool(data.sets(plan)), tasks),
    } | ({"workdir": str(CHECKOUT)} if (CHECKOUT / "pyproject.toml").exists() else {})


def there(sweep: SweepDirectory, mount: str) -> str:
    """The sweep's directory on the volume."""
    return f"{mount.rstrip('/')}/{readable(sweep.root.resolve().name)}-{job_name(sweep).rpartition('-')[2]}"


def write(sweep: SweepDirectory, plan: Plan, names: Sequence[str], asked: Asked) -> list[str]:
    """Write the task of these runs into the sweep's directory; what to do with it, in words."""
    _checked(sweep, asked)
    if not names:
        return []
    place, groups = begin(sweep, KIND, names, asked.per_job)
    made = task(sweep, place, plan, len(groups), asked)
    write_atomically(place / "task.yaml", yaml(made).encode())
    return [
        f"{len(groups)} tasks, {len(names)} runs, on {made['num_nodes']} machines (--parallel). Nothing was submitted; "
        f"submit it by\n  sky jobs launch {shlex.quote(str(place / 'task.yaml'))}\n"
        f"The runs will lie in {there(sweep, named(KIND, asked.flags, KNOWN)['mount'][0])} on the volume."
    ]


def _checked(sweep: SweepDirectory, asked: Asked) -> dict[str, list[str]]:
    found = named(KIND, asked.flags, KNOWN)
    one(KIND, found, "volume", KNOWN)
    if not re.fullmatch(r"/[\w./-]+", one(KIND, found, "mount", KNOWN)):
        raise UserError(f"--{KIND}=mount={found['mount'][0]}: {KNOWN['mount']}.")
    if found.get("spot", ["true"])[0] not in ("true", "false"):
        raise UserError(f"--{KIND}=spot={found['spot'][0]}: true or false.")
    _variables(found)
    return found


def _variables(found: dict[str, list[str]]) -> dict[str, str]:
    for value in found.get("env", []):
        if not re.fullmatch(r"[A-Za-z_]\w*=.+", value):
            raise UserError(f"--{KIND}=env={value}: {KNOWN['env'].removesuffix('...')}.")
    return {value.partition("=")[0]: value.partition("=")[2] for value in found.get("env", [])}


def _setup(accelerators: str) -> str:
    extra = "[tpu]" if accelerators.lower().startswith("tpu") else "[gpu]" if accelerators else ""
    what = "." if (CHECKOUT / "pyproject.toml").exists() else "tl_jax"
    return f"pip install '{what}{extra}'"


def _run(root: str, fetched: bool, tasks: int) -> str:
    """The script of every machine. A machine that fails ends all of them, so mistakes, which are kept, end with 0."""
    fetch = 'python -m tl_jax.sweep.clusters.data "$root"\n' if fetched else ""
    return f"""root={root}
mkdir -p "$root"
part="$root/.plan.$SKYPILOT_NODE_RANK"
cp {HERE}/{PLAN} "$part" && mv "$part" "$root/{PLAN}"
{fetch}worst=0
for ((i = SKYPILOT_NODE_RANK; i < {tasks}; i += SKYPILOT_NUM_NODES)); do
    code={AGAIN}
    while [ $code = {AGAIN} ]; do
        python -m tl_jax.sweep.clusters.task "$root" {HERE}/{TASKS} $i
        code=$?
    done
    [ $code = {UserError.code} ] || [ $code = 0 ] || worst=$code
done
exit $worst
"""
