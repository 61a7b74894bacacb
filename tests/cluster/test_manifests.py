"""Manifests for Kubernetes and SkyPilot: what they say, and that the clients' own models take them."""

import json
import subprocess
import types

import pytest
import yaml as reference

from tl_jax.core.errors import UserError
from tl_jax.run.settings.config import Config
from tl_jax.sweep import worker
from tl_jax.sweep.clusters import data, kubernetes, skypilot, task
from tl_jax.sweep.clusters.manifest import yaml
from tl_jax.sweep.clusters.tasks import Asked
from tl_jax.sweep.directory import Plan, SweepDirectory
from tl_jax.sweep.plan import Run

NAMES = tuple(f"run-{i}" for i in range(5))
POD = ["image=registry/tl:1", "claim=shared", "resource=nvidia.com/gpu=1", "resource=memory=16Gi", "queue=team"]
POD += ["namespace=lab", "selector=pool=big", "toleration=nvidia.com/gpu", "env=A=b=c", "account=runner"]
CLOUD = ["volume=kept", "mount=/kept", "infra=gcp", "accelerators=tpu-v5e-8", "spot=true", "cpus=8+", "env=A=1"]


@pytest.fixture
def sweep(tmp_path) -> SweepDirectory:
    found = SweepDirectory(tmp_path / "s")
    config = Config(source=("digits:printed", "office31/amazon"), target="folder:/x")
    found.keep(Plan(Config(), {}, "", tuple(Run(name, config, 1) for name in NAMES)))
    return found


@pytest.fixture
def job(sweep, tmp_path):
    asked = Asked([*POD, f"mount={tmp_path}"], 3, 2)
    (said,) = kubernetes.write(sweep, sweep.plan(), NAMES, asked)
    place = sweep.root / "kubernetes" / "1"
    assert (place / "tasks.txt").read_text() == "run-0 run-1\nrun-2 run-3\nrun-4\n"
    assert f"kubectl create -f {place / 'job.yaml'}" in said
    assert f"kubectl wait -n lab --for=condition=complete --timeout=-1s job/{kubernetes.job_name(sweep)}-1-data" in said
    return reference.safe_load((place / "job.yaml").read_text()), reference.safe_load((place / "data.yaml").read_text())


def test_yaml_is_read_as_what_it_was_written_of():
    value = {
        "a": {"b": [1, {"c": True, "d": ["x", {}], "e": []}, [[2], "no"]]},
        "f": "1:2",
        "g": "one\n  two\n\nthree\n",
    }
    assert reference.safe_load(yaml(value)) == value


def test_a_job_has_an_index_a_task_and_rules_that_know_the_exit_codes(job, sweep):
    spec = job[0]["spec"]
    assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (3, 3, "Indexed")
    rules = [(one["action"], one.get("onExitCodes", {}).get("values")) for one in spec["podFailurePolicy"]["rules"]]
    assert rules == [("Ignore", None), ("FailIndex", [UserError.code]), ("Ignore", [worker.AGAIN])]
    assert job[0]["metadata"]["labels"] == {"kueue.x-k8s.io/queue-name": "team"}
    assert spec["suspend"] is True
    (container,) = spec["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "1", "memory": "16Gi"}
    assert container["command"][-2:] == [str(sweep.root), str(sweep.root / "kubernetes" / "1" / "tasks.txt")]
    first = job[1]["spec"]["template"]["spec"]
    assert "nodeSelector" not in first
    assert first["containers"][0]["resources"]["limits"] == {"memory": "16Gi"}


def test_a_task_of_several_processes_is_a_jobset_whose_pods_find_the_first(sweep, tmp_path):
    asked = Asked([*POD, f"mount={tmp_path}"], per_job=2, hosts=4)
    kubernetes.write(sweep, sweep.plan(), NAMES, asked)
    place = sweep.root / "kubernetes" / "1"
    sets = list(reference.safe_load_all((place / "job.yaml").read_text()))
    assert [one["kind"] for one in sets] == ["JobSet"] * 3
    assert all(one["metadata"]["labels"] == {"kueue.x-k8s.io/queue-name": "team"} for one in sets)
    assert all(one["spec"]["suspend"] for one in sets)
    assert sets[0]["spec"]["failurePolicy"]["rules"][0]["action"] == "FailJobSet"
    (task,) = sets[2]["spec"]["replicatedJobs"]
    job, name = task["template"]["spec"], sets[2]["metadata"]["name"]
    assert (job["completions"], job["parallelism"], job["backoffLimit"], "suspend" in job) == (4, 4, 0, False)
    assert job["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] == [UserError.code]
    (container,) = job["template"]["spec"]["containers"]
    # What the shell hands to the worker: its words, and the address by which JobSet names the first pod.
    (tmp_path / "python").write_text('#!/bin/sh\necho "$*"\n')
    (tmp_path / "python").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "JOB_COMPLETION_INDEX": "3"}
    said = subprocess.run(container["command"], env=environment, capture_output=True, text=True).stdout.split()
    assert said[1:] == ["tl_jax.sweep.clusters.task", str(sweep.root), str(place / "tasks.txt"), "2", said[-1]]
    assert said[-1] == f"{name}-task-0-0.{name}:8476,4,3"
    with pytest.raises(UserError, match="--parallel with --hosts"):
        kubernetes.text(sweep, place, 3, asked._replace(parallel=2))


def test_kubernetes_own_models_take_the_jobs(job):
    client = pytest.importorskip("kubernetes.client", reason="pip install kubernetes checks the manifests")
    with client.ApiClient(client.Configuration()) as api:
        for one in job:
            response = types.SimpleNamespace(data=json.dumps(one))
            model = api.deserialize(response, "V1Job")  # raises for what is missing or of the wrong type
            assert api.sanitize_for_serialization(model) == one, "the models know every field"


def test_a_task_of_skypilot_shares_the_lines_among_its_machines(sweep, tmp_path):
    (said,) = skypilot.write(sweep, sweep.plan(), NAMES, Asked(CLOUD, 2))
    made = reference.safe_load((sweep.root / "skypilot" / "1" / "task.yaml").read_text())
    assert made["num_nodes"] == 2
    assert made["volumes"] == {"/kept": "kept"}
    assert made["resources"]["accelerators"] == "tpu-v5e-8"
    assert made["setup"].endswith("[tpu]'")
    assert "sky jobs launch" in said
    assert skypilot.there(sweep, "/kept") in said
    text, done = made["run"].replace(skypilot.HERE, str(tmp_path)), []
    (tmp_path / "python").write_text('#!/bin/sh\necho $* >> "$0.said"\nexit 2\n')
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "plan.json").write_bytes((sweep.root / "plan.json").read_bytes())
    text = text.replace("root=/kept/", f"root={tmp_path}/kept/")
    for rank in "01":
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SKYPILOT_NODE_RANK": rank, "SKYPILOT_NUM_NODES": "2"}
        done.append(subprocess.run(["bash", "-c", text], env=environment).returncode)
    assert done == [0, 0]  # mistakes are kept in the sweep's directory
    asked = [line.split()[-1] for line in (tmp_path / "python.said").read_text().splitlines() if ".task " in line]
    assert asked == ["0", "2", "4", "1", "3"]


def test_skypilots_own_schema_takes_the_task(sweep):
    jsonschema = pytest.importorskip("jsonschema", reason="pip install skypilot checks the task")
    schemas = pytest.importorskip("sky.utils.schemas", reason="pip install skypilot checks the task")
    made = skypilot.task(sweep, sweep.root / "skypilot" / "1", sweep.plan(), 5, Asked(CLOUD, 2))
    jsonschema.validate(made, schemas.get_task_schema())
    jsonschema.validate(made["resources"], schemas.get_resources_schema())


def test_a_task_has_the_fields_that_skypilot_knows_and_no_other(sweep):
    """Those of its schema in 0.14.1 that are used here, with their types."""
    made = skypilot.task(sweep, sweep.root / "skypilot" / "1", sweep.plan(), 5, Asked(CLOUD, 2))
    known = {"name": str, "workdir": str, "num_nodes": int, "resources": dict, "envs": dict, "volumes": dict}
    known |= {"file_mounts": dict, "setup": str, "run": str}
    assert {name: type(value) for name, value in made.items()} == known
    of_a_machine = {"infra": str, "accelerators": str, "cpus": str, "use_spot": bool, "job_recovery": dict}
    assert {name: type(value) for name, value in made["resources"].items()} == of_a_machine
    assert made["resources"]["job_recovery"] == {"max_restarts_on_errors": 3}
    assert all(isinstance(value, str) for value in made["envs"].values())


MISTAKES = {
    "imag=x": "image",
    "image=": "write it as image=",
    "image=y": "given twice",
    "resource=gpu": "resource=gpu",
    "mount=/elsewhere": "does not lie under it",
}


@pytest.mark.parametrize("flag", MISTAKES)
def test_a_mistake_in_a_flag_is_a_message_and_nothing_is_written(flag, sweep, tmp_path):
    flags = ["image=x", "claim=c", *[f"mount={tmp_path}"] * (not flag.startswith("mount")), flag]
    with pytest.raises(UserError, match=MISTAKES[flag]):
        kubernetes.write(sweep, sweep.plan(), NAMES, Asked(flags))
    with pytest.raises(UserError, match="--on=skypilot needs --skypilot=volume="):
        skypilot.write(sweep, sweep.plan(), NAMES, Asked())
    assert not list(sweep.root.glob("*/1"))


def test_what_is_not_embedded_is_read_once_and_every_set_is_tried(sweep, monkeypatch, capsys):
    read = []

    def prefetch(spec, folder):
        read.append(spec)
        if spec.startswith("office31"):
            raise UserError("absent")
        return f"{spec} is ready"

    monkeypatch.setattr(data, "prefetch", prefetch)
    assert data.sets(sweep.plan()) == ["office31/amazon", "folder:/x"]
    assert data.main([str(sweep.root)]) == 2
    assert read == ["office31/amazon", "folder:/x"]
    assert "office31/amazon: absent" in capsys.readouterr().out


def test_a_task_gives_its_runs_back_three_times_without_a_new_step_and_not_again(sweep, tmp_path, monkeypatch):
    asked, tasks, codes = [], tmp_path / "tasks.txt", []
    tasks.write_text("run-0 run-1\nrun-2\n")
    monkeypatch.setattr(worker, "main", lambda words: asked.append(words) or codes[-1])
    once = lambda code: codes.append(code) or task.main([str(sweep.root), str(tasks), "0"])
    assert [once(code) for code in (0, 2, 1)] == [0, 2, 1]
    sweep.run("run-1").mkdir(parents=True)
    for size in range(1, 6):
        (sweep.run("run-1") / "metrics.jsonl").write_text("x" * size)
        assert once(75) == 75
    assert [once(75) for _ in range(4)] == [75, 75, 1, 1]
    assert asked[0] == [str(sweep.root), "run-0", "run-1"]
