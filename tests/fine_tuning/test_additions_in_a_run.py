"""What strategies add, trained: the rest stays bit for bit, and what can be merged is exported as plain weights."""

import numpy as np
import pytest
from tiny import FAST

import tl_jax
from tl_jax import Domain
from tl_jax.kinds.table import prepare
from tl_jax.run.finished import began_from, config_of, last
from tl_jax.run.plan.types import Options

ADDED = ("lora(form='dora', on='*/attention/*', rank=2)", "ia3", "vpt(prompts=2)")
MERGED = ADDED[:2]


def pictures(name, classes):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 150, (48, 8, 8, 3)).astype(np.uint8), np.arange(48) % 2
    x[:, :4] += (100 * y[:, None, None, None]).astype(np.uint8)
    part = lambda rows: (x[rows], y[rows])
    return Domain(name, classes, part(slice(0, 32)), part(slice(32, 40)), part(slice(40, 48)))


@pytest.mark.slow  # three programs are compiled
def test_the_rest_stays_bit_for_bit_and_exports_are_the_model(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source, target = pictures("source", ("a", "b")), pictures("target", ("p", "q"))
    settings = {**FAST, "kind": "inductive", "devices": 1, "trials": "map", "steps": 4, "pretrain_steps": 4}
    settings |= {"eval_every": 4, "labels_per_class": [], "seeds": 1, "strategies": list(ADDED)}
    settings["network"] = "dinov2(width=12, layers=2, heads=2, patch=4, image=8, bottleneck=0)"
    root = tl_jax.fit(source, target, "fine_tune", run_dir=str(tmp_path / "run"), **settings).run_dir
    setup = prepare(config_of(root), Options(devices=1), {d.name: d for d in (source, target)})
    for task in setup.tasks:
        began = began_from(root, task, None)
        params = last(root, task, began)[1].params
        kept = [path for path in params if path.startswith("backbone/")]
        assert len(kept) > 20
        for path in kept:
            np.testing.assert_array_equal(params[path], began[0][path], err_msg=path)
        added = [path for path in params if path.split("/")[0] in ("lora", "ia3", "vpt")]
        assert added
    for job in ADDED:
        model = tl_jax.load(root, job, source=source, target=target)
        written = [path.name for path in model.export(tmp_path / "out")]
        assert ("weights.safetensors" in written) == (job in MERGED), job
