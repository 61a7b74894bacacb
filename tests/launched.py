"""Commands as a shell starts them, but for the three seconds in which Python reads JAX and the rest.

Each is a process of its own, forked from one that has imported what commands import and begun nothing: no device, no
thread, no flag. What is asked of the imports themselves, of signals or of another environment needs `subprocess`.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

IMPORTED = ["tl_jax.launch.command", "tl_jax.launch.flags", "tl_jax.kinds.table"]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(IMPORTED)


def launched(
    name: str, *flags: str, cwd: Path | str | None = None, timeout: float = 300
) -> subprocess.CompletedProcess:
    """What `tl-jax NAME --flags` ends with and prints, begun in the folder cwd."""
    with tempfile.TemporaryDirectory() as place:
        out, err = Path(place, "out"), Path(place, "err")
        process = FORKS.Process(target=_run, args=(name, flags, str(cwd or Path.cwd()), str(out), str(err)))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired([name, *flags], timeout, out.read_bytes(), err.read_bytes())
        return subprocess.CompletedProcess([name, *flags], process.exitcode, out.read_text(), err.read_text())


def _run(name: str, flags: tuple[str, ...], cwd: str, out: str, err: str) -> None:
    """In the process of the command."""
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    os.chdir(cwd)
    from tl_jax.launch.main import start

    start(name, flags)
