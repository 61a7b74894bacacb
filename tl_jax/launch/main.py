"""tl-jax COMMAND --flags: every command is a module beside this one, or the name of a kind of transfer."""

import ast
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tl_jax.core.errors import unknown

COMMANDS = (
    "transductive",
    "inductive",
    "unsupervised",
    "multitask",
    "test_time",
    "sweep",
    "report",
    "benchmark",
    "few_shot",
    "zero_shot",
    "rank",
    "export",
    "predict",
    "data",
    "methods",
    "select",
    "analyze",
)


def main() -> None:
    """What `tl-jax` runs."""
    name, *rest = sys.argv[1:] or ("",)
    if name in ("", "help", "-h", "-help", "--help"):
        print(listing())
    else:
        start(name, rest)


def start(name: str, given: Sequence[str] | None = None) -> None:
    """Run a command with these flags, or those of the process. Exits with 2 where there is none of that name."""
    from tl_jax.launch.command import launch

    sys.argv = [f"tl-jax {name}", *(sys.argv[1:] if given is None else given)]
    if name in COMMANDS:
        script = importlib.import_module(f"tl_jax.launch.{name}")
        getattr(script, "begin", lambda words: None)(sys.argv[1:])  # flags that depend on the words
        launch(script.main, script.__doc__, words=getattr(script, "WORDS", False))
    else:
        launch(*_of_kind(name))


def listing() -> str:
    """The commands, a line each; a kind of transfer without a script of its own with its question."""
    from tl_jax.kinds.table import KINDS

    about = {name: _first_line(Path(__file__).with_name(f"{name}.py")) for name in COMMANDS}
    about |= {name: kind.question for name, kind in KINDS.items() if name not in COMMANDS}
    width = max(map(len, about))
    lines = [f"  {name:{width}}  {line}" for name, line in about.items()]
    return "\n".join(["tl-jax COMMAND --flags; --help after a command lists its flags.", "", *lines])


def _of_kind(name: str) -> tuple[Callable[[], None], str]:
    """The script of a kind of transfer that has none of its own, and what it says of itself."""
    from tl_jax.kinds.table import KINDS
    from tl_jax.launch.command import mistake
    from tl_jax.launch.flags import define, train, without

    if name not in KINDS:
        raise SystemExit(mistake(str(unknown("command", name, list(dict.fromkeys((*COMMANDS, *KINDS)))))))
    kind = KINDS[name]
    config = define(kind.defaults, without(kind))
    return lambda: train(config()), f"{name}: {kind.question}"


def _first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]


if __name__ == "__main__":
    main()
