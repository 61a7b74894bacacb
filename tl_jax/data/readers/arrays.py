"""Arrays on disk: npz:PATH, mat:PATH?x=NAME&y=NAME."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tl_jax.core.errors import UserError, unknown
from tl_jax.data.domain import Domain
from tl_jax.data.files import array_files
from tl_jax.data.files.marks import POLICIES
from tl_jax.data.readers import images
from tl_jax.data.readers.array_shapes import first_axis, formed, numeric
from tl_jax.data.readers.assemble import TASKS, make
from tl_jax.data.spec import Spec, accept, choice, data_file, data_folder, whole

ROLES = {
    "x": ("x", "X", "x_train", "X_train", "train_images"),
    "y": ("y", "Y", "y_train", "train_labels", "labels", "label"),
    "x_val": ("x_val", "X_val", "x_valid", "X_valid", "x_validation", "val_images"),
    "y_val": ("y_val", "y_valid", "y_validation", "val_labels"),
    "x_test": ("x_test", "X_test", "test_images"),
    "y_test": ("y_test", "test_labels"),
}
"""{option: names of arrays that are taken for it, the first that is there}."""
META = ("classes", "groups", "features", "feature_names", "rate")
COMMON = ("modality", "task", "rate", "vocabulary", "unlabelled")
OPTIONS = (*ROLES, "samples", "layout", *COMMON, *images.OPTIONS)
NONE = "none"


def npz(spec: Spec, data_dir: str) -> Domain:
    """npz:PATH with x [n, ...] and y [n], perhaps x_val, y_val, x_test, y_test, classes, features, groups [n]."""
    return _read(spec, data_dir, array_files.npz)


def mat(spec: Spec, data_dir: str) -> Domain:
    """mat:PATH?x=fts&y=labels: a MATLAB file (format 5 to 7.2); images may be [h, w, c, n]."""
    return _read(spec, data_dir, array_files.mat)


def _read(spec: Spec, data_dir: str, read: Callable[[Path], array_files.Arrays]) -> Domain:
    """One file, or several of one set: PATH,PATH or a pattern with '*'."""
    accept(spec, OPTIONS)
    paths = _paths(spec, data_dir)
    held = array_files.joined(paths, {path: read(path) for path in paths})
    notes = [f"{len(paths)} files of one set: {', '.join(path.name for path in paths)}"] if len(paths) > 1 else []
    where = str(paths[0]) if len(paths) == 1 else spec.path
    return images.sized(_domain(spec, where, held, notes), spec)


def _paths(spec: Spec, data_dir: str) -> list[Path]:
    here = [Path(), Path(data_folder(data_dir))]
    if any((folder / spec.path).exists() for folder in here):
        return [data_file(spec, spec.path, data_dir)]
    if "*" in spec.path:
        path = Path(spec.path).expanduser()
        folders = [Path("/")] if path.is_absolute() else here
        pattern = str(path.relative_to("/")) if path.is_absolute() else str(path)
        found = next((sorted(hits) for folder in folders if (hits := list(folder.glob(pattern)))), [])
        if not found:
            raise UserError(f"{spec.text}: no file is named like {spec.path}.")
        return [data_file(spec, str(path), data_dir) for path in found]
    return [data_file(spec, part, data_dir) for part in spec.path.split(",")]


class _Part(NamedTuple):
    x: np.ndarray
    y: np.ndarray | None


def _domain(spec: Spec, where: str, held: array_files.Arrays, notes: list[str]) -> Domain:
    """The domain of named arrays; ?x=, ?y=, ?x_test= ... say other names than those of ROLES."""
    names = _named(spec, where, held, notes)
    parts = {}
    for role in ("", "_val", "_test"):
        if f"x{role}" in names:
            x, y = held[names[f"x{role}"]], held[names[f"y{role}"]] if f"y{role}" in names else None
            parts[role] = _Part(numeric(f"{spec.text}: {names[f'x{role}']}", x), _flat(spec, y, notes))
    arrays, said = first_axis(spec, [part.x for part in parts.values()], [part.y for part in parts.values()])
    arrays, modality, more = formed(spec, arrays)
    pairs = {role: (x, part.y) for (role, part), x in zip(parts.items(), arrays, strict=True)}
    notes += [*said, *more]
    features = _features(where, held, arrays[0].shape[1] if modality == "vector" else 0, notes)
    rate = held.get("rate")
    return make(
        spec.text,
        *pairs[""],
        validation=pairs.get("_val"),
        test=pairs.get("_test"),
        groups=None if held.get("groups") is None else np.ravel(held["groups"]),
        classes=_texts(held.get("classes")) or None,
        task=choice(spec, "task", TASKS),
        unlabelled=choice(spec, "unlabelled", POLICIES),
        modality=modality,
        rate=whole(spec, "rate", int(np.ravel(rate)[0]) if rate is not None and rate.size else 0, 0),
        vocabulary=_vocabulary(spec, arrays) if modality == "text" else 0,
        whole=spec.whole,
        features=features,
        notes=list(dict.fromkeys(notes)),
    )


def _texts(array: np.ndarray | None) -> tuple[str, ...]:
    return () if array is None else tuple(str(name).strip() for name in np.ravel(array).tolist())


def _features(where: str, held: array_files.Arrays, width: int, notes: list[str]) -> tuple[str, ...]:
    """The names of `width` columns, where there is an array of them. Raises UserError for one that stands twice."""
    features = _texts(held.get("features")) or _texts(held.get("feature_names"))
    if features and len(features) != width:
        notes.append(f"features: {len(features)} names do not fit, and were left out")
        return ()
    if len(set(features)) < len(features):
        raise UserError(f"{where}: {len(features) - len(set(features))} names in features stand twice.")
    return features


def _vocabulary(spec: Spec, arrays: Sequence[np.ndarray]) -> int:
    greatest = max(int(x.max(initial=0)) for x in arrays)
    vocabulary = whole(spec, "vocabulary", greatest + 1, 1)
    if greatest >= vocabulary:
        raise UserError(f"{spec.text}: token ids go up to {greatest}; vocabulary={vocabulary} must be greater.")
    return vocabulary


def _named(spec: Spec, where: str, held: array_files.Arrays, notes: list[str]) -> dict[str, str]:
    """{role: name of its array}. Raises UserError for one that is not there, or not of plain numbers or names."""
    names = {}
    for role, usual in ROLES.items():
        asked = spec.options.get(role)
        if asked == NONE and NONE not in held:
            continue
        if asked is not None and asked not in held:
            raise UserError(f"{where}: {unknown(f'array for {role}:', asked, held)}")
        name = asked or next((name for name in usual if name in held), "")
        if not name and role == "x":
            free = [name for name in held if name not in META]
            if len(free) != 1:
                raise UserError(f"{where}: {unknown('array for x:', 'x', held)} Name it with ?x=NAME.")
            name = free[0]
        if name:
            names[role] = name
            if held[name] is None:
                raise UserError(f"{where}: '{name}' holds Python objects, cells or records, not an array of numbers.")
    for end in ("_val", "_test"):
        if f"y{end}" in names and f"x{end}" not in names:
            raise UserError(
                f"{where}: there are labels '{names[f'y{end}']}' without examples. Name them: ?x{end}=NAME."
            )
    others = {name: held[name] for name in held if name not in (*names.values(), *META)}
    n = held[names["x"]].shape
    like = [name for name, array in others.items() if array is not None and array.size in n and array.size > 1]
    if "y" not in names and spec.options.get("y") != NONE:
        if like:
            raise UserError(
                f"{where}: which array holds the labels? Name it with ?y=NAME ({', '.join(like[:5])}), or say ?y=none "
                "where nobody knows them."
            )
        notes.append("there is no array y: no label is known")
    notes += [
        f"'{name}' was taken for {role}" for role, name in names.items() if role not in spec.options and role != name
    ]
    if others:
        notes.append(f"{len(others)} arrays were not read: {', '.join(list(others)[:5])}")
    return names


def _flat(spec: Spec, y: np.ndarray | None, notes: list[str]) -> np.ndarray | None:
    """Labels [n] or None: a row or a column as it is, one-hot rows by place. Raises UserError for other matrices."""
    if y is None:
        return None
    if y.dtype.kind in "cMmVO":
        raise UserError(f"{spec.text}: labels of type {y.dtype}; numbers or names are needed.")
    if y.ndim < 2 or max(y.shape) == y.size:
        return y.reshape(-1)
    if y.ndim == 2 and y.dtype.kind in "fiub":
        for hot in (y, y.T):
            if ((hot == 0) | (hot == 1)).all() and (hot.sum(1) == 1).all():
                notes.append(f"y is {list(y.shape)}: one-hot, read as {hot.shape[1]} class numbers from 0")
                return hot.argmax(1)
    raise UserError(
        f"{spec.text}: y is {list(y.shape)}; one label an example is needed: [n], [n, 1], or one-hot [n, classes]. "
        "Several labels an example (multi-label) are no classes: choose one column."
    )
