"""One task in a pod or on a cloud's machine: the runs of a line, in one worker, and whether they may come again.

Exit codes are those of a worker, but that one which stopped too often without a new step ends with 1, not with 75.
"""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from tl_jax.sweep import worker


def main(arguments: Sequence[str] | None = None) -> int:
    """Of a sweep's directory, a file of tasks and the number of a line from 0: do its runs, or go on with them.

    A fourth argument is --distributed of a process that is one of several; then whoever starts them counts.
    """
    root, tasks, index, *distributed = sys.argv[1:] if arguments is None else arguments
    names = Path(tasks).read_text().splitlines()[int(index)].split()
    try:
        code = worker.main([root, *names, *(f"--distributed={one}" for one in distributed)])
    except SystemExit as end:  # stopped before a run listened
        code = end.code if isinstance(end.code, int) else 1
    if code == worker.AGAIN and not distributed and not _further(Path(root), Path(f"{tasks}.{index}"), names):
        return 1
    return code


def _further(root: Path, state: Path, names: Sequence[str]) -> bool:
    """Whether a stopped task may come again: not where it came no further for some times."""
    from tl_jax.sweep.directory import SweepDirectory
    from tl_jax.sweep.local import STRIKES

    reached, last, count = sum(map(SweepDirectory(root).standing, names)), -1, 0
    with contextlib.suppress(OSError, ValueError):
        last, count = map(int, state.read_text().split())
    count = 0 if reached > last else count
    state.write_text(f"{reached} {count + 1}\n")
    if count >= STRIKES:
        print(f"given back {STRIKES} times without a new step: not again", flush=True)
    return count < STRIKES


if __name__ == "__main__":
    raise SystemExit(main())
