"""Sparse rows in text: svmlight:PATH."""

import zlib
from pathlib import Path

from tl_jax.core.errors import UserError
from tl_jax.data.domain import INDEX, Domain
from tl_jax.data.files import array_files
from tl_jax.data.files.marks import POLICIES
from tl_jax.data.readers.assemble import TASKS, make
from tl_jax.data.spec import Spec, accept, choice, data_file, whole

OPTIONS = ("features", "test", "zero_based", "label", "task", "unlabelled")


def load(spec: Spec, data_dir: str) -> Domain:
    """svmlight:PATH?features=5000&test=PATH: sparse rows (also .gz, .bz2), made dense float32 [n, features].

    label=none: what stands in front of the rows is no label.
    """
    from sklearn.datasets import load_svmlight_files

    accept(spec, OPTIONS)
    paths = [data_file(spec, spec.path, data_dir)]
    if "test" in spec.options:
        paths.append(data_file(spec, spec.options["test"], data_dir))
    asked = choice(spec, "zero_based", ("auto", "true", "false"))
    width = whole(spec, "features", 0, 0) or None
    try:
        parts = load_svmlight_files(
            [str(path) for path in paths],
            n_features=width,
            zero_based={"auto": "auto", "true": True, "false": False}[asked],
            query_id=True,
        )
    except (ValueError, OSError, EOFError, OverflowError, MemoryError, zlib.error) as error:
        raise UserError(
            f"{spec.text} cannot be read as svmlight ({error}). Lines are 'label index:value ...', with one label; "
            "?features= is at least the greatest index."
        ) from None
    notes, features = [], ()
    if asked == "auto":
        based = _counts_from(paths)
        features = tuple(f"{INDEX}{based + i}" for i in range(parts[0].shape[1]))
        notes.append(
            f"indices were taken to count from {based} (&zero_based={'true' if based == 0 else 'false'} says so)"
        )
    if any(len(part) for part in parts[2::3]):
        notes.append("query numbers (qid) were left out")
    xs, ys = [array_files.dense(paths[0], x) for x in parts[::3]], parts[1::3]
    ys = [None for _ in ys] if choice(spec, "label", ("first", "none")) == "none" else ys
    return make(
        spec.text,
        xs[0],
        ys[0],
        test=(xs[1], ys[1]) if len(xs) > 1 else None,
        task=choice(spec, "task", TASKS),
        unlabelled=choice(spec, "unlabelled", POLICIES),
        modality="vector",
        features=features,
        notes=notes,
        whole=spec.whole,
    )


def _counts_from(paths: list[Path]) -> int:
    """0 if any row of the files has a feature of index 0, else 1: what scikit-learn assumes."""
    import bz2
    import gzip

    openers = {".gz": gzip.open, ".bz2": bz2.open}
    for path in paths:
        with openers.get(path.suffix, open)(path, "rb") as file:
            if any(b" 0:" in line or b"\t0:" in line for line in file):
                return 0
    return 1
