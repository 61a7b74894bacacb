"""A pair of small domains, and the settings that make a run of them take about a second: to draw takes longer."""

import numpy as np

from tl_jax import Domain, Examples
from tl_jax.run import experiment

NETWORK = "mlp(bottleneck=8, hidden=(16,))"
FAST = {
    "network": NETWORK,
    "steps": 24,
    "batch_size": 16,
    "eval_every": 6,
    "lr": 0.01,
    "quiet": True,
    "pictures": False,
}


def domain(name: str, shift: float, classes: tuple[str, ...] = ("a", "b", "c"), size: int = 60) -> Domain:
    """Three Gaussian classes in eight dimensions, moved by `shift`."""
    centres = np.random.default_rng(0).normal(size=(len(classes), 8)) * 2

    def split(n: int, seed: int) -> Examples:
        rng = np.random.default_rng(seed)
        y = np.arange(n, dtype=np.int32) % len(classes)
        return Examples((centres[y] + rng.normal(size=(n, 8)) + shift).astype(np.float32), y)

    seed = int(shift * 10)
    return Domain(name, classes, split(size, seed), split(21, seed + 1), split(33, seed + 2))


SOURCE, TARGET = domain("near", 0.0), domain("far", 1.0)


def stop(patch, at: str = "loss") -> None:
    """As Ctrl-C would, once a line of progress says this: by default at the first evaluation, else after any step."""
    listening, stops = experiment.StopRequest.listening, []
    patch.setattr(experiment.StopRequest, "listening", lambda self: stops.append(self) or listening(self))
    hear = lambda _, job, done, detail: at in f"{job} {detail}" and setattr(stops[-1], "signal", 2)
    patch.setattr(experiment.Reporter, "at", hear)
    if at != "loss":
        patch.setattr("tl_jax.run.execute.pace.SECONDS", 0)  # a step a dispatch


def assert_equal_runs(one, other) -> None:
    """Results, metrics, records and selected models of two runs are equal, to the bit."""
    for name in ("results.json", "metrics.jsonl"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    before, after = records(one) | selected(one), records(other) | selected(other)
    assert before.keys() == after.keys()
    for name in before:
        np.testing.assert_array_equal(before[name], after[name], err_msg=name)


def selected(run_dir) -> dict:
    """What is kept of the selected steps of a run, by job and name."""
    return {f"{p.name}/{k}": v for p in sorted(run_dir.glob("selected/*.npz")) for k, v in np.load(p).items()}


def records(run_dir) -> dict:
    """Everything that the jobs of a run stored, by job, file and name."""
    paths = sorted(run_dir.glob("records/*/*.npz"))
    return {f"{p.parent.name}/{p.name}/{k}": v for p in paths for k, v in np.load(p).items() if not k.endswith("_y")}
