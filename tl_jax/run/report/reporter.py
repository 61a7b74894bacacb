"""What a person sees while a run goes on: a bar with the time left on a terminal, plain lines elsewhere."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tl_jax.core.printable import printable

PLAIN_EVERY = 10.0
"""Seconds between plain lines."""


class Reporter:
    """Counts trial-steps over all jobs; `say` prints a line without disturbing the bar."""

    def __init__(self, quiet: bool = False):
        self._console = Console(quiet=quiet, highlight=False, soft_wrap=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
        times = (TextColumn("elapsed"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        self._bar = Progress(*columns, *times, console=self._console, transient=True)
        self._task = self._bar.add_task("", total=None)
        self._done: dict[str, int] = {}
        self._total, self._began, self._spoke, self._resumed = 1, time.monotonic(), 0.0, 0

    def say(self, line: str) -> None:
        """One line to the person; what neither terminal nor its encoding can show is escaped or '?'."""
        encoding = getattr(self._console.file, "encoding", None) or "utf-8"
        self._console.print(printable(line).encode(encoding, "replace").decode(encoding), markup=False)

    @contextmanager
    def running(self, total: int) -> Iterator[None]:
        """Show progress towards `total` trial-steps."""
        self._total, self._began = max(total, 1), time.monotonic()
        self._bar.update(self._task, total=total)
        if self._console.is_terminal:
            with self._bar:
                yield
        else:
            yield

    def at(self, job: str, done: int, detail: str) -> None:
        """A job has `done` of its trial-steps behind it."""
        if job not in self._done:
            self._resumed += done
        self._done[job] = done
        sum_done = sum(self._done.values())
        self._bar.update(self._task, completed=sum_done, description=escape(printable(f"{job} {detail}", lines=False)))
        now = time.monotonic()
        if not self._console.is_terminal and (now - self._spoke > PLAIN_EVERY or sum_done >= self._total):
            self._spoke = now
            new = sum_done - self._resumed
            left = f"{(now - self._began) / new * (self._total - sum_done):.0f} s left" if new > 0 else "starting"
            self.say(f"[{sum_done / self._total:4.0%}] {job} {detail}, {left}")


SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
"""What asks a run to stop: a person, and what schedulers send before they take the machine away."""


class StopRequest:
    """Ctrl-C, or one of SIGNALS: the run saves where it stands and ends; a second one ends it at once.

    trained: whether nothing is left to train: then the run goes on to its end, which is near.
    """

    def __init__(self, reporter: Reporter):
        self.signal: int | None = None
        self.trained = False
        self._reporter = reporter

    def _handle(self, number: int, frame: object) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
        self._reporter.say(
            "All is trained; the results are being written. Once more: at once; the same line writes them then."
            if self.trained
            else "Stopping here, state saved in some seconds. Once more: at once, from the last checkpoint."
        )

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals while the run goes on; elsewhere than the main thread signals stay as they are."""
        try:
            heard = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
            ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN if hasattr(signal, "SIGHUP") else False
            if ignored:  # under nohup
                heard.remove(signal.SIGHUP)
            before = {number: signal.signal(number, self._handle) for number in heard}
        except ValueError:
            before = {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
