"""A user's own code by its file: 'mine.py:my_method(sharp=2.0)'. It is run once, and its digest kept."""

import ast
import contextlib
import os
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tl_jax.core.errors import UserError, unknown
from tl_jax.naming.from_python import HANDED, Handed, digest


class Loaded(NamedTuple):
    """A file as it was read: what it defines, and {file: digest} of it and of the files beside it that it imports."""

    names: Mapping[str, Any]
    digests: dict[str, str]


_loaded: dict[Path, Loaded] = {}


def parts(text: str) -> tuple[str, str]:
    """'mine.py:f(x=1)' -> ('mine.py', 'f(x=1)'); what names no file has '' in the place of it."""
    found = re.match(r"(.+?\.py):(.*)", text.strip(), re.DOTALL)
    return (os.path.normpath(found[1]), found[2]) if found else ("", text.strip())


def is_own(text: Any) -> bool:
    """Whether a text names code of the user's."""
    return isinstance(text, str) and (text.startswith(HANDED) or bool(parts(text)[0]))


def forget() -> None:
    """Files are read again when they are next named: between runs, never within one, whose code is one."""
    _loaded.clear()


def function(place: str, name: str, kind: str) -> Callable[..., Any]:
    """What a file calls `name`. Raises UserError for a file that cannot be run, and for what it does not have."""
    names = _load(place).names
    if name not in names:
        own = [key for key, value in names.items() if callable(value) and not key.startswith("_")]
        mine = [key for key in own if getattr(names[key], "__module__", "") == names["__name__"]]
        raise unknown(f"{kind} of {place}", name, mine)
    if not callable(names[name]):
        raise UserError(f"{place}:{name} is a {type(names[name]).__name__}; a function that gives a {kind} is needed.")
    return names[name]


@contextlib.contextmanager
def mistakes(text: str) -> Iterator[None]:
    """Raises UserError for whatever the user's code raises inside, with its line."""
    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(f"{text.rstrip(':')}: {_what(error, parts(text)[0])}") from error


def digests(texts: Iterable[Any]) -> dict[str, str]:
    """{'own mine.py': digest} of all code that these texts name, as it was read."""
    found: dict[str, str] = {}
    for text in texts:
        if isinstance(text, Handed):
            found[f"own {text}"] = text.digest
        elif isinstance(text, str) and (place := parts(text)[0]):
            found |= {f"own {name}": what for name, what in _load(place).digests.items()}
    return found


def _load(place: str) -> Loaded:
    path = Path(place).expanduser().resolve()
    if path not in _loaded:
        try:
            source = path.read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"{place}: {reason} (looked for {path}). Write FILE.py:NAME(argument=1).") from None
        digests = {place: digest(source)}
        with mistakes(f"{place}:"):
            beside = _beside(path, ast.parse(source, str(path)))
            for file in (file for name in beside for file in _files(path.parent, name)):
                digests[os.path.join(os.path.dirname(place), file.relative_to(path.parent))] = digest(file.read_bytes())
            _loaded[path] = Loaded(_run(path, source, beside), digests)
    return _loaded[path]


def _run(path: Path, source: bytes, beside: Iterable[str]) -> Mapping[str, Any]:
    """Run exactly these bytes under a name of their own; modules beside the file are its own, and none stays behind."""
    module = types.ModuleType(f"own_{path.stem}_{digest(os.fsencode(path))}")
    module.__file__ = str(path)
    theirs = lambda: [name for name in sys.modules if name.partition(".")[0] in beside]
    before = {name: sys.modules.pop(name) for name in theirs()}
    sys.modules[module.__name__] = module
    sys.path.insert(0, str(path.parent))
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(path.parent))
        for name in theirs():
            del sys.modules[name]
        sys.modules.update(before)
    return module.__dict__


def _beside(path: Path, tree: ast.AST, known: frozenset[str] = frozenset()) -> frozenset[str]:
    """The modules that a file imports and that lie in its folder, and those that these import."""
    found = known
    for node in ast.walk(tree):
        named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        named += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
        for name in (name.partition(".")[0] for name in named):
            files = _files(path.parent, name)
            if files and name not in found and name != "tl_jax" and name not in sys.stdlib_module_names:
                found |= {name}
                for file in files:
                    found = _beside(path, ast.parse(file.read_bytes(), str(file)), found)
    return found


def _files(folder: Path, name: str) -> list[Path]:
    """The files of a module or a package that lies in a folder."""
    if (folder / name / "__init__.py").is_file():
        return sorted((folder / name).rglob("*.py"))
    return [folder / f"{name}.py"] if (folder / f"{name}.py").is_file() else []


def _what(error: BaseException, place: str) -> str:
    """'line 3: NameError: name 'x' is not defined'."""
    path = str(Path(place).expanduser().resolve()) if place else ""
    if isinstance(error, SyntaxError):
        where = "" if error.filename == path else f"{error.filename}, "
        return f"{where}line {error.lineno}: {error.msg}."
    lines, trace = [], error.__traceback__
    while trace:
        lines += [trace.tb_lineno] * (trace.tb_frame.f_code.co_filename == path)
        trace = trace.tb_next
    where = f"line {lines[-1]}: " if lines else ""
    return f"{where}{type(error).__name__}: {' '.join(str(error).split())}".rstrip(" .:") + "."
