"""What every experiment ends in: a page of results, written by the command that it names."""

from collections.abc import Callable
from pathlib import Path

from tl_jax.core.errors import UserError
from tl_jax.run.conclude import Result


def finished(result: Result) -> Result:
    """The result. Raises SystemExit if the user stopped the run."""
    if not result.complete:
        raise SystemExit(130)
    return result


def table_of(result: Result) -> str:
    """The table of a finished run, as Markdown."""
    return (finished(result).run_dir / "table.md").read_text()


def write(page: Path, title: str, command: str, body: str) -> None:
    """A page: its title, the command, and what there is to say."""
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(f"# {title}\n\nWritten by `{command}`.{body}")


def script(main: Callable[[], None]) -> None:
    """Run an experiment; a mistake is one message."""
    try:
        main()
    except UserError as error:
        raise SystemExit(f"tl_jax: {error}") from None
