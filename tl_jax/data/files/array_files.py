"""Files of named arrays: .npz, .npy and MATLAB's, several of which may hold one set."""

import os
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tl_jax.core.errors import UserError

Arrays = dict[str, np.ndarray]
SHARED = ("classes", "features", "feature_names", "rate")
"""Arrays that several files of one set hold alike; of others each holds a part."""
_SPARSE = {"csr": ("data", "indices", "indptr", "shape"), "coo": ("data", "row", "col", "shape")}
_SPARSE |= {"csc": _SPARSE["csr"], "bsr": _SPARSE["csr"]}


def npz(path: Path) -> Arrays:
    """The arrays of a file by name; of .npy the one it holds, by the file's name; a sparse one is made dense, as x.

    An array of Python objects is None. Raises UserError for a file that is none, or not whole.
    """
    try:
        with open(path, "rb") as raw:
            loaded = np.load(raw, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {path.stem: loaded}
            with loaded as file:
                _refuse_giant(path, file.zip)
                held = {name: _member(file, name) for name in file.files}
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"{path}: an array of it does not fit into memory ({error}). Is the file damaged?") from None
    except Exception as error:  # a file that is cut, flipped or encrypted ends in one of many
        raise _unreadable(path, error) from None
    return _dense(path, held)


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path} ({path.stat().st_size / 1e6:.3g} MB) cannot be read as .npz ({error}). A download that stopped "
        "half-way looks like this, too. Write it with numpy.savez(path, x=..., y=...)."
    )


def _member(file: Any, name: str) -> Any:
    try:
        return file[name]
    except ValueError as error:
        if "allow_pickle" in str(error):
            return None
        raise


def _refuse_giant(path: Path, archive: zipfile.ZipFile | None) -> None:
    """Raises UserError if what the archive declares is more than the machine's memory."""
    declared = sum(member.file_size for member in archive.infolist()) if archive else 0
    if declared > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
        raise UserError(f"{path} unpacks to {declared / 1e9:.4g} GB, more than this machine's memory.")


def _dense(path: Path, held: Arrays) -> Arrays:
    """The arrays; of a file that scipy.sparse.save_npz wrote the matrix, as x."""
    from scipy import sparse

    said = held.get("format")
    form = str(said.item(), "ascii") if said is not None and np.issubdtype(said.dtype, np.bytes_) else ""
    if form not in _SPARSE or not set(_SPARSE[form]) <= set(held):
        return held
    data, *where, shape = (held.pop(name) for name in _SPARSE[form])
    del held["format"]
    try:
        places = (data, tuple(where)) if form == "coo" else (data, *where)
        matrix = getattr(sparse, f"{form}_matrix")(places, shape=tuple(shape))
        return {"x": dense(path, matrix), **held}
    except (ValueError, TypeError, IndexError) as error:
        raise UserError(f"{path}: the sparse matrix in it is not whole ({error}).") from None


def dense(path: Path, matrix: Any) -> np.ndarray:
    """A sparse matrix as float32. Raises UserError where that does not fit into memory."""
    try:
        return matrix.astype(np.float32).toarray()
    except MemoryError:
        n, d = matrix.shape
        raise UserError(f"{path}: {n} x {d} numbers, made dense, are {4e-9 * n * d:.4g} GB: too many.") from None


def mat(path: Path) -> Arrays:
    """The arrays of a MATLAB file; fields of a structure by STRUCTURE.FIELD, cells of text as names, others None."""
    from scipy.io import loadmat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of the kind of its sparse matrices: both do here
            found = loadmat(path, appendmat=False)
    except NotImplementedError:
        raise UserError(f"{path} is MATLAB format 7.3 (HDF5). In MATLAB: save('{path.name}', '-v7').") from None
    except MemoryError as error:
        raise UserError(f"{path}: an array of it does not fit into memory ({error}). Is the file damaged?") from None
    except Exception as error:  # a file that is cut ends in one of many
        size = path.stat().st_size / 1e6
        raise UserError(f"{path} ({size:.3g} MB) cannot be read as a MATLAB file ({error}). Is it whole?") from None
    out: Arrays = {}
    for name, value in found.items():
        if name.startswith("__"):
            continue
        if getattr(value, "dtype", None) is not None and value.dtype.names and value.size == 1:
            out |= {f"{name}.{field}": _plain(path, value[field].item()) for field in value.dtype.names}
        else:
            out[name] = _plain(path, value)
    return out


def _plain(path: Path, value: Any) -> Any:
    """An array as it is, sparse made dense, a cell of texts as names; None for other cells and structures."""
    if hasattr(value, "toarray"):
        return dense(path, value)
    value = np.asarray(value)
    if value.dtype == object:
        texts = [np.asarray(cell) for cell in value.ravel()]
        if texts and all(np.issubdtype(text.dtype, np.str_) and text.size <= 1 for text in texts):
            return np.array([text.item() if text.size else "" for text in texts], dtype=np.str_)
        return None
    return None if value.dtype.names else value


def joined(paths: Sequence[Path], read: Mapping[Path, Arrays]) -> Arrays:
    """The arrays of several files of one set: those of one name one after the other, in the order of the files."""
    out: Arrays = {}
    for name in dict.fromkeys(name for path in paths for name in read[path]):
        parts = [read[path][name] for path in paths if name in read[path]]
        if any(part is None for part in parts) or len(parts) == 1:
            out[name] = parts[0]
            continue
        if name in SHARED:
            if any(not np.array_equal(part, parts[0]) for part in parts):
                raise UserError(f"{paths[0]} and {len(paths) - 1} more: '{name}' is not the same in all.")
            out[name] = parts[0]
            continue
        if any(part.shape[1:] != parts[0].shape[1:] or not part.ndim for part in parts):
            shapes = ", ".join(str(list(part.shape)) for part in parts)
            raise UserError(f"'{name}' of {', '.join(map(str, paths))}: shapes {shapes} cannot follow each other.")
        out[name] = np.concatenate(parts)
    return out
