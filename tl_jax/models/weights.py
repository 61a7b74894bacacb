"""Files of named arrays: .safetensors, .npz, a folder with model.safetensors, a name on the hub."""

from pathlib import Path

import numpy as np

from tl_jax.core.errors import UserError


def read(path: str) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """({name: float32 array}, lines about the file).

    Raises UserError for a file that is not there, is of another kind, or is damaged.
    """
    file = _find(path)
    try:
        arrays, notes = _npz(file) if file.suffix == ".npz" else _safetensors(file)
    except Exception as error:  # each reader has exceptions of its own for a damaged file
        raise UserError(f"init_from {file}: cannot be read as {file.suffix[1:]} ({error}). Is it complete?") from error
    floats = {name: np.asarray(a, np.float32) for name, a in arrays.items() if a.dtype.kind not in "biuOSU"}
    return floats, notes


def _npz(file: Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    with np.load(file, allow_pickle=False) as archive:
        return dict(archive), ()


def _safetensors(file: Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    from safetensors import safe_open

    with safe_open(file, "numpy") as opened:
        about = opened.metadata() or {}
        notes = tuple(f"the file says {key}: {value}" for key, value in sorted(about.items()) if key != "format")
        return {name: opened.get_tensor(name) for name in opened.keys()}, notes  # noqa: SIM118


def _find(path: str) -> Path:
    file = Path(path).expanduser()
    if file.is_dir():
        found = sorted(file.glob("*.safetensors"))
        if len(found) > 1 and file / "model.safetensors" not in found:
            raise UserError(f"init_from {file}: which of {', '.join(one.name for one in found)}? Give the file's path.")
        file = found[0] if len(found) == 1 else file / "model.safetensors"
    if file.is_file():
        if file.suffix in (".safetensors", ".npz"):
            return file
        raise UserError(
            f"init_from {file}: weights are read from .safetensors and .npz, not '{file.suffix}'. With PyTorch: "
            "safetensors.torch.save_file(model.state_dict(), 'model.safetensors')."
        )
    looks_like_hub = path.count("/") == 1 and not path.startswith(("/", ".", "~")) and file.suffix != ".npz"
    if not looks_like_hub or file.suffix == ".safetensors":
        raise UserError(f"init_from: there is no file {file}.")
    return _download(path)


def _download(name: str) -> Path:
    """The hub's model.safetensors, from the cache where it is there."""
    try:
        from huggingface_hub import hf_hub_download  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError(
            f"init_from: there is no file '{name}'; for a name on the hub, pip install huggingface_hub, "
            "or fetch its model.safetensors elsewhere and give the path."
        ) from None
    try:
        return Path(hf_hub_download(name, "model.safetensors"))
    except Exception as error:  # offline, unknown name, no such file: all the user's to mend
        raise UserError(
            f"init_from: there is no file '{name}', and the hub did not give model.safetensors of that name: {error}"
        ) from error
