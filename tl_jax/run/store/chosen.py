"""The model of the step that a run's criterion prefers so far, trial by trial: checkpoints are of the last two steps.

One file a job, `selected/JOB.npz`: the states [T, ...] of which trial i is of its own step, averaged weights in the
place of those in training, without the optimiser. Whoever reads it compares the step: it says of itself which it is.
"""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from tl_jax.core.files import say, write_atomically
from tl_jax.core.processes import first, on_host
from tl_jax.run.store.names import slug
from tl_jax.training.predict import averaged
from tl_jax.training.state import State

FOLDER = "selected"
STEPS = "steps"
"""In the file beside the leaves, which are numbered in the order of the tree: the step of every trial, 0 for none."""


class Chosen:
    """What is kept of one job."""

    def __init__(self, root: Path, job: str):
        self.path = root / FOLDER / f"{slug(job)}.npz"

    def arrays(self) -> dict[str, np.ndarray]:
        """The content of the file; {} where it is not there or damaged, which is said."""
        try:
            with np.load(io.BytesIO(self.path.read_bytes())) as file:
                return dict(file)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            say(f"{self.path} is damaged: it is not used.")
            return {}

    def put(self, step: int, better: Sequence[bool], states: State) -> None:
        """Put the trials that are better at this step in the place of what was kept of them."""
        if not any(better):
            return
        leaves = [np.asarray(x) for x in jax.tree.leaves(on_host(averaged(states)._replace(opt={})))]
        new = {STEPS: np.full(len(better), step), **{str(i): x for i, x in enumerate(leaves)}}
        had = self.arrays() if not all(better) else {}
        if had.keys() == new.keys() and all(had[name].shape == x.shape for name, x in new.items()):
            mask = np.array(better)
            put = lambda x, old: np.where(mask.reshape(-1, *[1] * (x.ndim - 1)), x, old)
            new = {name: put(x, had[name]).astype(x.dtype) for name, x in new.items()}
        else:
            new[STEPS] = np.where(better, step, 0)
        self.write(new)

    def write(self, arrays: dict[str, np.ndarray]) -> None:
        """Write the file whole."""
        if first():
            file = io.BytesIO()
            np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
            self.path.parent.mkdir(exist_ok=True)
            write_atomically(self.path, file.getvalue())

    def states(self, trial: int, step: int, like: State) -> State | None:
        """What is kept, where this trial of it is of this step, in the form of `like`; else None."""
        found = self.arrays()
        if STEPS not in found or found[STEPS][trial] != step:
            return None
        bare = like._replace(opt={})
        leaves: list[Any] = jax.tree.leaves(bare)
        kept = [found.get(str(i)) for i in range(len(leaves))]
        if any(x is None or x.shape != leaf.shape for x, leaf in zip(kept, leaves, strict=True)):
            say(f"{self.path} is of another version: it is not used.")
            return None
        return jax.tree.unflatten(jax.tree.structure(bare), kept)
