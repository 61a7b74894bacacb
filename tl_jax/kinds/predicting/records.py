"""What a run that predicts stores at every evaluation, by name in a file and by field in the program: no labels."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tl_jax.data.domain import known
from tl_jax.evaluation.label_free.record import Labelled, Record, Seen

Arrays = Mapping[str, np.ndarray]


class Evaluated(NamedTuple):
    """Predictions of every set, [n, ...] of one trial or [T, n, ...] of all.

    target: of rows of the target's training split, None where no criterion reads it; validation, test: of its other
    splits; sources: of the validation split of each source.
    """

    target: Seen | None
    validation: Seen
    test: Seen
    sources: tuple[Seen, ...]

    def record(self, source_labels: np.ndarray) -> Record:
        """What a criterion may see; source_labels: of all sources one after the other. Of one trial."""
        source = self.of_sources(source_labels)
        if self.target is None:  # met in the test alone: what is known without labels are the sources' own examples
            assert source is not None
            return Record(Seen(source.logits, source.features), source)
        return Record(self.target, source)

    def of_sources(self, labels: np.ndarray) -> Labelled | None:
        """The sources' validation splits together, their known labels; None where none is known. Of one trial."""
        rows = known(labels)
        if not self.sources or not rows.any():
            return None
        features = [seen.features for seen in self.sources if seen.features is not None]
        joined = np.concatenate(features)[rows] if features else None
        return Labelled(np.concatenate([seen.logits for seen in self.sources])[rows], labels[rows], joined)


def name_of_source(i: int) -> str:
    """The name of source i's validation split in a file."""
    return f"source{i}_val"


def stored(sets: Mapping[str, Seen]) -> dict[str, np.ndarray]:
    """{"target/logits", "target/features", "source0_val/logits", ...}: as they go into a file."""
    arrays = {f"{name}/{part}": x for name, seen in sets.items() for part, x in seen._asdict().items()}
    return {name: x for name, x in arrays.items() if x is not None}


def evaluated(arrays: Arrays) -> Evaluated:
    """Back from a file, whose other arrays are left alone."""
    parts = lambda name: {part: arrays.get(f"{name}/{part}") for part in Seen._fields[1:]}
    seen = lambda name: Seen(arrays[f"{name}/logits"], **parts(name))
    count = sum(name.startswith("source") and name.endswith("_val/logits") for name in arrays)
    target = seen("target") if "target/logits" in arrays else None
    # By number: in the order of names 10 would come before 2.
    sources = tuple(seen(name_of_source(i)) for i in range(count))
    return Evaluated(target, seen("target_validation"), seen("target_test"), sources)


def of_trial(arrays: Arrays, i: int) -> Evaluated:
    """The same of one trial of [T, n, ...]."""
    return evaluated({name: x[i] for name, x in arrays.items()})
