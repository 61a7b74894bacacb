"""Processes that run side by side: ports that are free for them, and none of them left behind."""

import contextlib
import socket
import subprocess
from collections.abc import Sequence


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]


def finished(lines: Sequence[Sequence[str]], env: dict[str, str]) -> list[str]:
    """What each of the commands printed, started together; all end with 0, or the test fails and none goes on."""
    out = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(line, env=env, **out) for line in lines]
    printed = []
    try:
        for process in processes:
            said, errors = process.communicate(timeout=600)
            assert process.returncode == 0, errors[-3000:]
            printed.append(said)
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return printed
