"""How a command runs: --help, and one message where it ends otherwise than by being done.

Exit codes: 0 done, 2 a mistake, 75 another process has the run directory (again later), 1 the machine's fault, 130
stopped by the user.
"""

import difflib
import io
import os
import sys
import textwrap
from collections.abc import Callable, Sequence

from absl import app, flags, logging

from tl_jax.core.errors import MachineError, UserError
from tl_jax.core.printable import printable

FLAGS = flags.FLAGS


def launch(main: Callable[..., None], about: str | None, words: bool = False) -> None:
    """Parse the flags, run `main`; a mistake prints its message and exits with code 2.

    about: the text above the flags in --help. words: what is no flag is handed to `main`, not refused.
    """

    def parse(argv: Sequence[str]) -> list[str]:
        if {"--help", "-help", "-h", "--h"} & set(argv[1:]):
            print(_help(about or ""), flush=True)
            raise SystemExit(0)
        try:
            rest = FLAGS(list(argv))
        except flags.UnrecognizedFlagError as error:
            near = difflib.get_close_matches(error.flagname, list(FLAGS), n=1)
            hint = f" Did you mean --{near[0]}?" if near else ""
            raise SystemExit(mistake(f"Unknown flag --{error.flagname}.{hint} --help lists all.")) from None
        except flags.Error as error:
            raise SystemExit(mistake(str(error))) from None
        if twice := _twice(argv[1:]):
            raise SystemExit(mistake(f"--{twice} is given more than once, and takes one value: leave the others out."))
        if len(rest) > 1 and not words:
            raise SystemExit(mistake(f"'{rest[1]}' is not a flag: flags begin with --, as in --method=mcc."))
        return rest

    def guarded(arguments: list[str]) -> None:
        try:
            main(*arguments[1:])
            sys.stdout.flush()
        except (UserError, MachineError) as error:
            raise SystemExit(mistake(str(error), error.code)) from None
        except KeyboardInterrupt:
            raise SystemExit(130) from None

    FLAGS.set_gnu_getopt(words)  # flags may stand after words
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # in ASCII a table's "±" is "?", not the end of a finished run
            stream.reconfigure(errors="replace")
    logging.set_verbosity(logging.WARNING)
    try:
        app.run(guarded, flags_parser=parse)
    except BrokenPipeError:
        # As in `... | head`: nobody reads any more, and what Python flushes in the end goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None  # what a shell says of SIGPIPE


def _twice(given: Sequence[str]) -> str:
    """The first flag of one value that is given several, of which absl would take the last; '' if there is none."""
    seen: dict[str, str] = {}
    for i, text in enumerate(given):
        name, equals, value = text.lstrip("-").partition("=")
        if text == "--":
            break
        if not text.startswith("-") or name not in FLAGS or isinstance(FLAGS[name], flags.MultiFlag):
            continue
        value = value if equals or FLAGS[name].boolean else "".join(given[i + 1 : i + 2])
        if seen.setdefault(name, value) != value:
            return name
    return ""


def _help(about: str) -> str:
    """The flags of the command in the order of their definition; absl's own are left out."""
    ours = [flag for name, found in FLAGS.flags_by_module_dict().items() if "tl_jax.launch" in name for flag in found]
    lines = [about.strip(), "", "Flags:"]
    for flag in ours:
        default = "" if flag.default in (None, "", [], False) else f" (default {flag.default_as_str})"
        text = textwrap.wrap(f"{flag.help}{default}", 88)
        lines += [f"  --{flag.name}", *(f"      {line}" for line in text)]
    return "\n".join(lines)


def mistake(message: str, code: int = UserError.code) -> int:
    """Print a message; returns the exit code that goes with it."""
    print(f"tl_jax: {printable(message)}", file=sys.stderr)
    return code
