"""Where files lie that outlive a run, and how a file is written whole or not at all."""

import os
import tempfile
from pathlib import Path


def user_cache() -> Path:
    """Where what was learnt of this machine and what was decoded once is kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tl_jax"


def write_atomically(path: Path, content: bytes) -> None:
    """The whole file or nothing: a temporary file in the same folder, synced, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
