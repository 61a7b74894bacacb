"""Files of named arrays: .safetensors, .npz, a folder with model.safetensors, whole or in shards, a name on the hub."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tl_jax.core.errors import UserError


class File(NamedTuple):
    """{name: float32 array}, lines about the file, and the names of the classes of its head, if anything tells."""

    arrays: dict[str, np.ndarray]
    notes: tuple[str, ...]
    classes: tuple[str, ...]


def read(path: str) -> File:
    """What a file holds.

    Raises UserError for a file that is not there, is of another kind, or is damaged.
    """
    file = _find(path)
    readers = {".npz": _npz, ".json": _sharded}
    try:
        arrays, about = readers.get(file.suffix, _safetensors)(file)
    except UserError:
        raise
    except Exception as error:  # each reader has exceptions of its own for a damaged file
        raise UserError(f"init_from {file}: cannot be read as {file.suffix[1:]} ({error}). Is it complete?") from error
    floats = {_renamed(name): np.asarray(a, np.float32) for name, a in arrays.items() if a.dtype.kind not in "biuOSU"}
    notes = [f"the file says {key}: {value}" for key, value in sorted(about.items()) if key not in SILENT]
    whole = [name for name, a in arrays.items() if a.dtype.kind in "biu" and not name.endswith("num_batches_tracked")]
    notes += [f"whole numbers, left out: {', '.join(whole[:3])}{', ...' * (len(whole) > 3)}"] * bool(whole)
    return File(floats, tuple(notes), _classes(file, about))


INDEX = "model.safetensors.index.json"
"""Says in which of the files beside it each array is, as Hugging Face writes what is larger than 5 GB."""
SILENT = ("format", "classes")
"""What a file says of itself that is no news."""
OLD = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
"""Names that BERT's first checkpoints have from TensorFlow."""


def _renamed(name: str) -> str:
    old = next((old for old in OLD if name.endswith(old)), "")
    return name.removesuffix(old) + OLD[old] if old else name


def _npz(file: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    with np.load(file, allow_pickle=False) as archive:
        return dict(archive), {}


def _safetensors(file: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    from safetensors import safe_open

    with safe_open(file, "numpy") as opened:
        return {name: opened.get_tensor(name) for name in opened.keys()}, opened.metadata() or {}  # noqa: SIM118


def _sharded(index: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of all shards that an index names. Raises UserError where one is not there or lacks an array."""
    places = json.loads(index.read_text())["weight_map"]
    arrays: dict[str, np.ndarray] = {}
    for shard in sorted(set(places.values())):
        file = index.parent / shard
        if not file.is_file():
            raise UserError(f"init_from {index.parent}: {index.name} names {shard}, which is not there. Fetch it, too.")
        arrays |= _safetensors(file)[0]
    if lost := [name for name in places if name not in arrays]:
        raise UserError(
            f"init_from {index.parent}: the shards lack {len(lost)} arrays of {index.name}, such as {lost[0]}."
        )
    return arrays, {}


def _classes(file: Path, about: dict[str, str]) -> tuple[str, ...]:
    """From the file itself, model.json of an export, or the config.json of timm and Hugging Face; () if unknown."""
    try:
        if "classes" in about:
            return tuple(map(str, json.loads(about["classes"])))
        beside = {name: file.parent / name for name in ("model.json", "config.json")}
        if file.name == "weights.safetensors" and beside["model.json"].is_file():
            return tuple(map(str, json.loads(beside["model.json"].read_text())["classes"]))
        if file.name in ("model.safetensors", INDEX) and beside["config.json"].is_file():
            config = json.loads(beside["config.json"].read_text())
            names = config.get("label_names") or [
                name for _, name in sorted(config.get("id2label", {}).items(), key=lambda item: int(item[0]))
            ]
            # What Hugging Face writes where nobody gave names.
            return () if all(name == f"LABEL_{i}" for i, name in enumerate(names)) else tuple(map(str, names))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # weights without names of their classes are as good as ever
    return ()


def _find(path: str) -> Path:
    file = Path(path).expanduser()
    if file.is_dir():
        if (file / INDEX).is_file() and not (file / "model.safetensors").is_file():
            return file / INDEX
        found = sorted(file.glob("*.safetensors"))
        if len(found) > 1 and file / "model.safetensors" not in found:
            raise UserError(f"init_from {file}: which of {', '.join(one.name for one in found)}? Give the file's path.")
        if not found and (pickled := sorted([*file.glob("*.bin"), *file.glob("*.pth"), *file.glob("*.pt")])):
            raise UserError(f"init_from {file}: there is no .safetensors in this folder. {_converting(pickled[0])}")
        file = found[0] if len(found) == 1 else file / "model.safetensors"
    if file.is_file():
        if file.suffix in (".safetensors", ".npz"):
            return file
        raise UserError(
            f"init_from {file}: weights are read from .safetensors and .npz, not '{file.suffix}'. "
            + (_converting(file) if file.suffix in PICKLED else CONVERTING)
        )
    looks_like_hub = path.count("/") == 1 and not path.startswith(("/", ".", "~")) and file.suffix != ".npz"
    if not looks_like_hub or file.suffix == ".safetensors":
        raise UserError(f"init_from: there is no file {file}.")
    return downloaded(path)


PICKLED = (".bin", ".pth", ".pt")
CONVERTING = "With PyTorch: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')."


def _converting(file: Path) -> str:
    """The line that makes a file of PyTorch's readable."""
    made = file.with_name("model.safetensors")
    return (
        f'{CONVERTING} Or of this file: python -c "import torch; from safetensors.torch import save_file; '
        f"d = torch.load('{file}', map_location='cpu', weights_only=True); d = d.get('state_dict', d); "
        f"save_file({{k: v.contiguous().clone() for k, v in d.items()}}, '{made}')\"."
    )


def downloaded(name: str, file: str = "model.safetensors") -> Path:
    """The hub's file of that name, from the cache where it is there. Raises UserError where it cannot be had."""
    try:
        from huggingface_hub import hf_hub_download  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError(
            f"init_from: there is no file '{name}'; for a name on the hub, pip install huggingface_hub, "
            f"or fetch its {file} elsewhere and give the path."
        ) from None
    try:
        return Path(hf_hub_download(name, file))
    except Exception as error:  # offline, unknown name, no such file: all the user's to mend
        raise UserError(
            f"init_from: there is no file '{name}', and the hub did not give {file} of that name: {error}"
        ) from error
