"""Stored predictions -> results: last, selected and oracle, computed afterwards, never during training."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tl_jax.evaluation.metrics import accuracy, evaluate
from tl_jax.evaluation.selection import CRITERIA, Selection, select
from tl_jax.run.config import TARGET_VAL, Config
from tl_jax.run.problem import Problem
from tl_jax.run.rundir import RunDirectory
from tl_jax.run.setup import Task

Stored = Mapping[int, Mapping[str, np.ndarray]]


def job_results(task: Task, directory: RunDirectory) -> list[dict[str, Any]]:
    """One record a trial of a finished job; none if its last evaluation is not there yet."""
    config, job = task.config, task.job
    stored = directory.records(job.name)
    if job.steps not in stored:
        return []
    shared = {
        "kind": config.kind,
        "method": job.name,
        "source": "+".join(config.source),
        "target": config.target,
        "network": config.network,
        "forward_plan": config.forward_plan,
    }
    return [
        {
            **shared,
            "seed": seed,
            "values": dict(values),
            "selectors": _selectors(config, task.problem, _trial(stored, i)),
        }
        for i, (seed, values) in enumerate(job.trials)
    ]


def _trial(stored: Stored, i: int) -> dict[int, dict[str, np.ndarray]]:
    return {step: {name: array[i] for name, array in record.items()} for step, record in stored.items()}


def _selectors(config: Config, problem: Problem, stored: Mapping[int, dict[str, np.ndarray]]) -> dict[str, Any]:
    """{"last", "selected", "oracle"}: the step of each and every metric there."""
    labels = problem.target.validation.y
    scored = {step: accuracy(record["target_validation/logits"], labels) for step, record in stored.items()}
    best = max(stored, key=lambda step: (scored[step], step))
    if config.select == TARGET_VAL:
        chosen = Selection(best, scored[best], {}, "")
    else:
        unlabelled = [(step, label_free(record, problem.source_labels())) for step, record in stored.items()]
        chosen = select(unlabelled, CRITERIA[config.select])
    at = lambda step: {"step": step, **_metrics(stored[step], problem)}
    selected = {**at(chosen.step), "criterion": config.select, "score": chosen.score}
    if chosen.note:
        selected["note"] = chosen.note
    return {
        "last": at(max(stored)),
        "selected": selected,
        "oracle": {**at(best), "criterion": "target validation labels"},
    }


def label_free(record: Mapping[str, np.ndarray], source_labels: np.ndarray) -> dict[str, np.ndarray]:
    """What a criterion may see: source validation with labels, the target's training examples without."""
    sources = [record[name] for name in sorted(record) if name.startswith("source")]
    seen = {"source_val/logits": np.concatenate(sources), "source_val/y": source_labels} if sources else {}
    return {**seen, "target/logits": record["target/logits"]}


def _metrics(record: Mapping[str, np.ndarray], problem: Problem) -> dict[str, float]:
    target = evaluate(record["target_test/logits"], problem.target.test.y)
    source = label_free(record, problem.source_labels())
    scores = {f"target/{name}": value for name, value in target.items()}
    if problem.sources:
        scores["source/accuracy"] = accuracy(source["source_val/logits"], source["source_val/y"])
    return scores
