"""Arrays on disk: npz:PATH, mat:PATH?x=NAME&y=NAME, svmlight:PATH."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tl_jax.core.errors import UserError, unknown
from tl_jax.data.assemble import TASKS, make
from tl_jax.data.domain import Domain
from tl_jax.data.door import MODALITIES
from tl_jax.data.files import refuse_html
from tl_jax.data.spec import Spec, accept, choice, find, whole

COMMON = ("modality", "task", "rate", "vocabulary")


def npz(spec: Spec, data_dir: str) -> Domain:
    """npz:PATH with x [n, ...] and y [n], perhaps classes, x_test and y_test, groups [n]."""
    accept(spec, ("x", "y", *COMMON))
    path = find(spec, spec.path, data_dir)
    refuse_html(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f"{path} cannot be read as .npz ({error}). Write it with numpy.savez(path, x=..., y=...)."
        ) from None
    return _domain(spec, path, held, ("x", "y"))


def mat(spec: Spec, data_dir: str) -> Domain:
    """mat:PATH?x=fts&y=labels: a MATLAB file (format 5 to 7.2); images may be [h, w, c, n]."""
    from scipy.io import loadmat

    accept(spec, ("x", "y", *COMMON))
    path = find(spec, spec.path, data_dir)
    refuse_html(path)
    try:
        held = {name: v for name, v in loadmat(path).items() if not name.startswith("__")}
    except NotImplementedError:
        raise UserError(f"{path} is MATLAB format 7.3 (HDF5). In MATLAB: save('{path.name}', '-v7').") from None
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} cannot be read as a MATLAB file ({error}).") from None
    return _domain(spec, path, held, ("x", "y"))


def svmlight(spec: Spec, data_dir: str) -> Domain:
    """svmlight:PATH?features=5000&test=PATH: sparse rows (also .gz, .bz2), made dense float32 [n, features]."""
    from sklearn.datasets import load_svmlight_files

    accept(spec, ("features", "test", "zero_based", *COMMON))
    paths = [find(spec, spec.path, data_dir)]
    if "test" in spec.options:
        paths.append(find(spec, spec.options["test"], data_dir))
    for path in paths:
        refuse_html(path)
    based = {"auto": "auto", "true": True, "false": False}[choice(spec, "zero_based", ("auto", "true", "false"))]
    width = whole(spec, "features", 0, 0) or None
    try:
        parts = load_svmlight_files([str(path) for path in paths], n_features=width, zero_based=based)
    except (ValueError, OSError) as error:
        raise UserError(
            f"{spec.text} cannot be read as svmlight ({error}). Lines are 'label index:value ...'; "
            "?features= is at least the greatest index."
        ) from None
    x, y, *rest = (p if isinstance(p, np.ndarray) else p.toarray().astype(np.float32) for p in parts)
    test = (rest[0], rest[1]) if rest else None
    return make(spec.text, x, y, test=test, task=choice(spec, "task", TASKS), modality="vector")


def _domain(spec: Spec, path: Path, held: Mapping[str, np.ndarray], keys: Sequence[str]) -> Domain:
    """The domain of named arrays; ?x= and ?y= say other names than x and y."""
    got = {}
    for key in keys:
        name = spec.options.get(key, key)
        if name not in held:
            hint = f" Name it with ?{key}=NAME." if key not in spec.options else ""
            raise UserError(f"{path}: {unknown(f'array for {key}:', name, held)}{hint}")
        got[key] = held[name]
    x, y, modality = _shaped(spec, got["x"], np.squeeze(got["y"]))
    test = None
    if "x_test" in held and "y_test" in held:
        test = _shaped(spec, held["x_test"], np.squeeze(held["y_test"]))[:2]
    return make(
        spec.text,
        x,
        y,
        test=test,
        groups=held.get("groups"),
        classes=tuple(map(str, held["classes"])) if "classes" in held else None,
        task=choice(spec, "task", TASKS),
        modality=modality,
        rate=whole(spec, "rate", int(held["rate"]) if "rate" in held else 0, 0),
        vocabulary=whole(spec, "vocabulary", int(x.max()) + 1, 1) if modality == "text" else 0,
    )


def _shaped(spec: Spec, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """x in the form of its modality, which its type and shape tell where the spec does not. Raises UserError."""
    if x.ndim == 4 and len(x) != len(y) == x.shape[-1]:
        x = np.moveaxis(x, -1, 0)  # MATLAB keeps the examples last
    modality = spec.options.get("modality") or _guess(x)
    if modality not in MODALITIES:
        raise unknown(f"modality in {spec.text}:", modality, MODALITIES)
    dimensions = {"image": (3, 4), "vector": (2,), "text": (2,), "sound": (2,), "series": (3,)}[modality]
    if x.ndim not in dimensions or (modality == "image" and x.dtype != np.uint8):
        need = "uint8 [n, h, w, c]" if modality == "image" else f"{dimensions[0]} dimensions"
        raise UserError(
            f"{spec.text}: x is {x.dtype} {list(x.shape)}; {modality} needs {need}. "
            "Another modality is chosen by ?modality=vector|text|sound|series; images are bytes from 0 to 255."
        )
    if modality == "image":
        x = x[..., None] if x.ndim == 3 else x
        if x.shape[-1] not in (1, 3):
            raise UserError(f"{spec.text}: images have {x.shape[-1]} channels (the last axis); 1 or 3 are needed.")
    kind = {"image": np.uint8, "text": np.int32, "sound": np.int16}.get(modality, np.float32)
    return np.ascontiguousarray(x.astype(kind)), y, modality


def _guess(x: np.ndarray) -> str:
    if x.dtype == np.uint8 and x.ndim in (3, 4):
        return "image"
    if x.dtype == np.int16 and x.ndim == 2:
        return "sound"
    return "series" if x.ndim == 3 else "vector"
