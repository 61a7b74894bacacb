"""What predictions of 10 000 images cost beside the evaluation of as many: processor time, one network, in turn.

    python benchmarks/predicting.py [network] [repeats]

A run of one step on the embedded digits is made first. `evaluated` is what a run does with examples that lie in memory
(`predict_all`); `predicted` is `launch.predict` from the file on: an .npz is read, its images go through the model, and
rows with class, probability and entropy are written as CSV. Both are compiled before; the processor time of the process
(user and system) is taken, the least of the repeats. What `launch.predict` does before, once a process (the run's data
are read again, the program is compiled), is shown beside: `opened`.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np

import tl_jax
from tl_jax.data.load import load
from tl_jax.programs.trained.opened import open_model
from tl_jax.programs.trained.predict import predict, written
from tl_jax.run.execute.execution import execution
from tl_jax.run.plan.types import Options
from tl_jax.run.wanted import Wanted
from tl_jax.training.trials import predict_all

IMAGES = 10_000


def least(works: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """The least processor seconds of each piece of work, which are done in turn."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, seconds in zip(works, found, strict=True):
            began = time.process_time()
            work()
            seconds.append(time.process_time() - began)
    return [min(seconds) for seconds in found]


def main() -> None:
    """Print seconds and their ratio."""
    network, repeats = (sys.argv[1:] + ["cnn", "7"][len(sys.argv) - 1 :])[:2]
    with tempfile.TemporaryDirectory() as folder:
        how = {"network": network, "steps": 1, "seeds": 1, "devices": 1, "trials": "map", "pictures": False}
        run = tl_jax.fit(
            "digits:printed", "digits:handwritten", "source_only", run_dir=f"{folder}/run", quiet=True, **how
        )
        x = np.resize(load("digits:handwritten").train.x, (IMAGES, 16, 16, 3))
        np.savez(f"{folder}/new.npz", x=x)
        opening = time.process_time()
        model = open_model(Path(run.run_dir), Wanted())
        predict(model, f"{folder}/new.npz")
        opened = time.process_time() - opening
        ready = execution(model.task, Options(devices=1), "map")
        states = jax.tree.map(lambda leaf: leaf[None], model.state)
        evaluate = lambda: predict_all(ready.programs, states, x, "target")
        evaluate()
        predicting = lambda: written(predict(model, f"{folder}/new.npz"), "")
        evaluated, predicted = least([evaluate, predicting], int(repeats))
    print(
        f"{network}, {IMAGES} images, {repeats} repeats: evaluated {evaluated:.3f} s, predicted {predicted:.3f} s, "
        f"ratio {predicted / evaluated:.2f}; opened {opened:.1f} s"
    )


if __name__ == "__main__":
    main()
