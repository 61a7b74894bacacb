"""A sweep on Kubernetes: the manifest of an indexed Job, whose rules for failures know a worker's exit codes.

Where a task is several processes it is a JobSet, which begins all of them again when one is lost.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tl_jax.core.errors import UserError
from tl_jax.core.files import write_atomically
from tl_jax.sweep.clusters import data
from tl_jax.sweep.clusters.manifest import yaml
from tl_jax.sweep.clusters.tasks import TASKS, Asked, begin, job_name, named, one
from tl_jax.sweep.directory import Plan, SweepDirectory
from tl_jax.sweep.local import STRIKES
from tl_jax.sweep.worker import AGAIN

KIND = "kubernetes"
KNOWN = {
    "image": "the image that has this package and its Python",
    "claim": "the PersistentVolumeClaim on which the sweep's directory lies",
    "mount": "the absolute path of that volume, here and in the pods",
    "namespace": "of the Job",
    "queue": "the local queue of Kueue, which then starts the Job",
    "account": "the service account of the pods",
    "resource": "what a pod has, as in resource=nvidia.com/gpu=1 or resource=memory=16Gi...",
    "selector": "a label of the nodes, as in selector=cloud.google.com/gke-tpu-topology=2x4...",
    "toleration": "a taint that is tolerated, by its key, as in toleration=nvidia.com/gpu...",
    "env": "a variable of the pods, as in env=TL_JAX_DATA=/data...",
}
PORT = 8476
"""Of a task's first process, which the others look for."""
RESTARTS = 10
"""How often the processes of a task begin again, whatever ended them."""
GRACE = 120
"""Seconds that a pod has to save before it is killed."""
MOST = 100_000
"""Indices of a Job."""


def manifest(sweep: SweepDirectory, place: Path, tasks: int, asked: Asked) -> dict[str, Any]:
    """The Job whose index i does the runs of line i of `place`/tasks.txt. Raises UserError for what it cannot say."""
    root, name = _checked(sweep, asked), f"{job_name(sweep)}-{place.name}"
    if tasks > MOST:
        raise UserError(f"{tasks} tasks are too many for one Job, which has {MOST} at most: set --per_job.")
    line = 'exec python -m tl_jax.sweep.clusters.task "$0" "$1" "$JOB_COMPLETION_INDEX"'
    command = ["/bin/sh", "-c", line, root, str(place / TASKS)]
    rules = [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailIndex", "onExitCodes": _codes(UserError.code)},
        {"action": "Ignore", "onExitCodes": _codes(AGAIN)},  # the task counts those itself
    ]
    indexed = {
        "completionMode": "Indexed",
        "completions": tasks,
        "parallelism": min(asked.parallel or tasks, tasks),
        "backoffLimitPerIndex": STRIKES,
        "podReplacementPolicy": "Failed",  # never two pods with one index
        "podFailurePolicy": {"rules": rules},
    }
    return _job(name, asked, indexed, command)


def several(sweep: SweepDirectory, place: Path, tasks: int, asked: Asked) -> list[dict[str, Any]]:
    """The JobSets whose i-th does the runs of line i of `place`/tasks.txt by processes that find each other."""
    root, prefix, found = _checked(sweep, asked), f"{job_name(sweep)}-{place.name}", []
    own = asked._replace(flags=[flag for flag in asked.flags if not flag.startswith("queue=")])
    mistake = {"action": "FailJob", "onExitCodes": _codes(UserError.code)}
    indexed = {
        "completionMode": "Indexed",
        "completions": asked.hosts,
        "parallelism": asked.hosts,
        "backoffLimit": 0,
        "podFailurePolicy": {"rules": [mistake]},
    }
    rule = {"action": "FailJobSet", "onJobFailureReasons": ["PodFailurePolicy"]}
    for i in range(tasks):
        name = f"{prefix}-{i}"
        where = f"{name}-task-0-0.{name}:{PORT},{asked.hosts},$JOB_COMPLETION_INDEX"
        line = f'exec python -m tl_jax.sweep.clusters.task "$0" "$1" {i} "{where}"'
        job = _job(name, own, indexed, ["/bin/sh", "-c", line, root, str(place / TASKS)])
        labels = _job(name, asked, {}, [])["metadata"]
        one = {"name": "task", "replicas": 1, "template": {"spec": job["spec"]}}
        spec = {"failurePolicy": {"maxRestarts": RESTARTS, "rules": [rule]}, "replicatedJobs": [one]}
        spec |= {"suspend": True} if "labels" in labels else {}
        found.append({"apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet", "metadata": labels, "spec": spec})
    return found


def text(sweep: SweepDirectory, place: Path, tasks: int, asked: Asked) -> str:
    """The manifest that does all tasks, as YAML. Raises UserError for what it cannot say."""
    if asked.hosts == 1:
        return yaml(manifest(sweep, place, tasks, asked))
    if asked.parallel:
        raise UserError("--parallel with --hosts: a queue of Kueue (--kubernetes=queue=...) says how many go at once.")
    return "---\n".join(map(yaml, several(sweep, place, tasks, asked)))


def fetching(sweep: SweepDirectory, place: Path, asked: Asked) -> dict[str, Any]:
    """The Job that reads the plan's data sets once, without the devices."""
    root = _checked(sweep, asked)
    flags = [flag for flag in asked.flags if not re.match(r"resource=[^=]*/|selector=|toleration=", flag)]
    command = ["python", "-m", "tl_jax.sweep.clusters.data", root]
    spec = {"completions": 1, "backoffLimit": STRIKES}
    return _job(f"{job_name(sweep)}-{place.name}-data", asked._replace(flags=flags), spec, command)


def write(sweep: SweepDirectory, plan: Plan, names: Sequence[str], asked: Asked) -> list[str]:
    """Write the manifests of these runs into the sweep's directory; what to do with them, in words."""
    _checked(sweep, asked)
    if not names:
        return []
    place, groups = begin(sweep, KIND, names, asked.per_job)
    write_atomically(place / "job.yaml", text(sweep, place, len(groups), asked).encode())
    said = []
    if data.sets(plan):
        first = fetching(sweep, place, asked)
        write_atomically(place / "data.yaml", yaml(first).encode())
        spaces = " ".join(f"-n {one}" for one in named(KIND, asked.flags, KNOWN).get("namespace", []))
        wait = f"kubectl wait {spaces} --for=condition=complete --timeout=-1s job/{first['metadata']['name']}"
        said = [f"kubectl create -f {place / 'data.yaml'}", re.sub(" +", " ", wait)]
    lines = "\n".join(f"  {line}" for line in [*said, f"kubectl create -f {place / 'job.yaml'}"])
    return [f"{len(groups)} tasks, {len(names)} runs. Nothing was submitted; submit them by\n{lines}"]


def _checked(sweep: SweepDirectory, asked: Asked) -> str:
    found = named(KIND, asked.flags, KNOWN)
    for name in ("image", "claim"):
        one(KIND, found, name, KNOWN)
    for name in ("resource", "selector", "env"):
        _pairs(name, found.get(name, []))
    return _under(sweep, one(KIND, found, "mount", KNOWN))


def _under(sweep: SweepDirectory, mount: str) -> str:
    """The sweep's directory as pods see it. Raises UserError unless it lies on the shared volume."""
    root = sweep.root.resolve()
    if not mount.startswith("/") or not root.is_relative_to(mount):
        raise UserError(
            f"--{KIND}=mount={mount}: --dir={root} does not lie under it. It is {KNOWN['mount']}; choose a --dir on it."
        )
    return str(root)


def _pairs(name: str, values: Sequence[str]) -> dict[str, str]:
    """{name: value} of texts 'name=value'. Raises UserError for another."""
    for value in values:
        if not re.fullmatch(r"[^=]+=.+", value):
            raise UserError(f"--{KIND}={name}={value}: {KNOWN[name].removesuffix('...')}.")
    return {value.partition("=")[0]: value.partition("=")[2] for value in values}


def _codes(*codes: int) -> dict[str, Any]:
    return {"containerName": "worker", "operator": "In", "values": list(codes)}


def _job(name: str, asked: Asked, spec: dict[str, Any], command: list[str]) -> dict[str, Any]:
    found = named(KIND, asked.flags, KNOWN)
    given = lambda key, of: {of: found[key][0]} if key in found else {}
    labels = given("queue", "kueue.x-k8s.io/queue-name")
    resources, mount = _pairs("resource", found.get("resource", [])), found["mount"][0]
    # Caches lie on the shared volume: decoded images and compiled programs are there for every pod.
    variables = {"XDG_CACHE_HOME": f"{mount.rstrip('/')}/.cache"} | _pairs("env", found.get("env", []))
    container = {
        "name": "worker",
        "image": found["image"][0],
        "command": command,
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "volumeMounts": [{"name": "sweep", "mountPath": mount}],
    } | ({"resources": {"requests": resources, "limits": resources}} if resources else {})
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE,
        "containers": [container],
        "volumes": [{"name": "sweep", "persistentVolumeClaim": {"claimName": found["claim"][0]}}],
    } | given("account", "serviceAccountName")
    if "selector" in found:
        pod["nodeSelector"] = _pairs("selector", found["selector"])
    if "toleration" in found:
        pod["tolerations"] = [{"key": key, "operator": "Exists"} for key in found["toleration"]]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name} | given("namespace", "namespace") | ({"labels": labels} if labels else {}),
        "spec": spec | ({"suspend": True} if labels else {}) | {"template": {"spec": pod}},
    }
