"""Every default of a public function is a promise: tests/defaults.txt has them, and docs/ those of methods and flags.

A default changed on purpose changes that file, too: python tests/test_written_defaults.py
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import tl_jax

WRITTEN = Path(__file__).with_name("defaults.txt")


def callables(module) -> Iterator[tuple[str, Callable]]:
    """What a module defines and does not hide: functions, classes, the methods of classes."""
    for name, value in vars(module).items():
        if getattr(value, "__module__", "") != module.__name__ or name.startswith("_"):
            continue
        if callable(value):
            yield name, value
        if inspect.isclass(value):
            for inner, method in vars(value).items():
                if inspect.isfunction(method) and not inner.startswith("_"):
                    yield f"{name}.{inner}", method


def shown(value: object) -> str:
    """Functions and classes by their names: where they lie in memory is no default."""
    return getattr(value, "__qualname__", None) or re.sub(" at 0x[0-9a-f]+", "", repr(value))


def defaults() -> str:
    """A line for each: `module.function: a=1 b=None`."""
    lines = []
    for found in pkgutil.walk_packages(tl_jax.__path__, "tl_jax."):
        if found.name.startswith(("tl_jax.launch", "tl_jax.methods", "tl_jax.run.settings")):
            continue
        for name, value in callables(importlib.import_module(found.name)):
            try:
                given = inspect.signature(value).parameters.values()
            except (TypeError, ValueError):  # some classes of others have none
                continue
            said = [
                f"{one.name}={shown(one.default)}"
                for one in given
                if one.default is not one.empty and one.name != "parent"  # Flax's own
            ]
            if said:
                lines.append(f"{found.name.removeprefix('tl_jax.')}.{name}: {' '.join(said)}")
    return "\n".join(lines) + "\n"


def test_defaults_are_those_that_are_written_down():
    old, new = WRITTEN.read_text().splitlines(), defaults().splitlines()
    assert not (set(new) ^ set(old)), "python tests/test_written_defaults.py writes them anew"


if __name__ == "__main__":
    WRITTEN.write_text(defaults())
