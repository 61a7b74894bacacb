"""How long `status`, `collect` and a report take on a sweep of many runs: python benchmarks/sweeps.py [RUNS].

The runs are fakes: directories with the files of a finished run of two trials, and nothing trained.
"""

import dataclasses
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tl_jax.run.settings.config import Config
from tl_jax.sweep.directory import Plan, SweepDirectory
from tl_jax.sweep.plan import Run
from tl_jax.sweep.report import standing
from tl_jax.sweep.tables.collect import collect
from tl_jax.sweep.tables.files import keep_rows
from tl_jax.sweep.tables.pivot import Asked, pivot
from tl_jax.sweep.tables.render import table

METHODS = ("source_only", "dann", "cdan", "mcc", "afn")


def fake(root: Path, count: int) -> SweepDirectory:
    """A sweep of `count` runs, all finished but one in a hundred."""
    sweep, runs = SweepDirectory(root), []
    for i in range(count):
        method, target, lr = METHODS[i % 5], f"far{i // 5 % 4}", 1e-3 * (1 + i // 20)
        config = Config(source=("near",), target=target, methods=(method,), sweep=(("lr", (lr,)),), seeds=(0, 1))
        runs.append(Run(f"{method}-{i}", config, 2))
    sweep.keep(Plan(dataclasses.replace(Config(), source=("near",)), {}, "", tuple(runs)))
    for i, run in enumerate(runs):
        finish(sweep.run(run.name), run.config, i)
    return sweep


def finish(folder: Path, config: Config, i: int) -> None:
    """The files of a run that report and status read."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config.to_json(), indent=1))
    scores = {"step": 600, "target/accuracy": 0.5 + i % 7 / 20, "target/macro_f1": 0.5, "source/accuracy": 0.9}
    selectors = {"last": scores, "selected": {**scores, "criterion": "im", "score": i % 11 / 10}, "oracle": scores}
    values = {"lam": 1.0, **{name: each[0] for name, each in config.sweep}, "weight_decay": 0.01}
    shared = {**config.described(config.methods[0]), "values": values, "selectors": selectors}
    (folder / "results.json").write_text(json.dumps([{**shared, "seed": seed} for seed in config.seeds], indent=1))
    if i % 100:
        (folder / "finished.json").write_text("{}\n")


def main(count: int) -> None:
    """Make the fakes, and time what is asked of them."""
    root = Path(tempfile.mkdtemp(prefix="sweeps-"))
    try:
        sweep = fake(root / "s", count)
        timed = lambda what, make: _timed(what, make)
        timed("status", lambda: standing(sweep, sweep.plan(), sweep.states(sweep.plan())))
        found = timed("collect", lambda: collect([sweep.root]))
        said = timed("trials.csv, trials.parquet", lambda: keep_rows(root / "out", found.rows))
        timed("table", lambda: table(pivot(found.rows, Asked(best=("lr",)))).text())
        print(f"{count} runs, {len(found.rows)} trials; {said[-1]}")
    finally:
        shutil.rmtree(root)


def _timed(what, make):
    began, cpu = time.perf_counter(), time.process_time()
    made = make()
    print(f"{what}: {time.perf_counter() - began:.1f} s ({time.process_time() - cpu:.1f} s of processor time)")
    return made


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
