"""Changes one small thing of the code after another, and asks whether a test notices.

    python tests/mutants.py [folders or files, tl_jax/methods ...] [--number=30] [--seed=0]

Each mutant is made in a copy of the tree: a comparison, an operator, a constant (defaults too), min and max, a sum and
a mean, a condition, a stop_gradient. The tests of its module run, those that name it first, then those of its folder,
until one fails. What lives is printed with its line, and is the exit code's count. Run the suite before: a test that
fails by itself kills everything.
"""

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("methods", "losses", "balancing", "core", "training", "run", "kinds")
ALSO = {
    "core": ("tests/losses", "tests/training", "tests/data"),
    "losses": ("tests/methods", "tests/balancing"),
    "balancing": ("tests/training/test_balanced.py",),
    "training": ("tests/methods", "tests/run"),
    "run": ("tests/kinds", "tests/launch"),
    "kinds": ("tests/run", "tests/launch"),
}
"""Which other tests are a room's."""
WRITTEN = [
    "tests/test_written_defaults.py",
    "tests/launch/test_settings.py",
    "tests/test_docs.py",
    "-k",
    "defaults or page_of",
]
"""Tests of what is written down: defaults."""
MINUTES = 60
"""After so long a mutant counts as noticed: it made something endless."""
SWAPS = {
    **{ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "=="},
    **{ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in"},
    **{ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.Pow: "*", ast.FloorDiv: "*", ast.Mod: "*"},
    **{ast.And: "or", ast.Or: "and"},
}
NAMES = {"min": "max", "sum": "mean", "any": "all", "zeros": "ones", "minimum": "maximum", "argmin": "argmax"}
NAMES |= {after: before for before, after in NAMES.items()}
NAMES |= {"softmax": "log_softmax", "sorted": "list", "stop_gradient": "asarray", "abs": "square"}


class Mutant(NamedTuple):
    """In the file of this path the characters start:end become `text`."""

    path: str
    start: int
    end: int
    text: str

    def line(self) -> int:
        return (ROOT / self.path).read_text()[: self.start].count("\n") + 1

    def lines(self) -> tuple[str, str]:
        """The line as it was, and as it is."""
        code, line = (ROOT / self.path).read_text(), self.line() - 1
        changed = code[: self.start] + self.text + code[self.end :]
        return code.splitlines()[line].strip(), changed.splitlines()[line].strip()


def constant(value: object) -> str | None:
    """Another constant in its place; texts and None have none."""
    if isinstance(value, bool):
        return str(not value)
    return repr(value + 1 if isinstance(value, int) else value * 2 or 1.0) if isinstance(value, int | float) else None


def inner(node: ast.AST):
    """The nodes below that run: no annotation is among them, nor strict=True, which no test need know."""
    for name, child in ast.iter_fields(node):
        if name not in ("annotation", "returns", "bases") and getattr(node, "arg", "") != "strict":
            for one in child if isinstance(child, list) else [child]:
                if isinstance(one, ast.AST):
                    yield one
                    yield from inner(one)


def mutants(path: str) -> list[Mutant]:
    """All of a file."""
    code = (ROOT / path).read_text()
    begins = [0]
    for line in code.encode().splitlines(keepends=True):
        begins.append(begins[-1] + len(line))
    character = lambda byte: len(code.encode()[:byte].decode())
    start = lambda node: character(begins[node.lineno - 1] + node.col_offset)
    end = lambda node: character(begins[node.end_lineno - 1] + node.end_col_offset)
    found = []
    put = lambda a, b, text: found.append(Mutant(path, a, b, text))

    def between(left, right, kind):
        """The operator's own characters, if nothing but it and brackets stands there."""
        words = code[end(left) : start(right)]
        old = words.strip(" ()\n")
        if kind in SWAPS and old:
            at = end(left) + words.index(old)
            put(at, at + len(old), SWAPS[kind])

    for node in inner(ast.parse(code)):
        match node:
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                between(left, right, type(op))
            case ast.BinOp(left=left, op=op, right=right):
                between(left, right, type(op))
            case ast.BoolOp(op=op, values=[left, right, *_]):
                between(left, right, type(op))
            case ast.UnaryOp(op=ast.Not() | ast.USub() as op):
                put(start(node), start(node) + (1 if isinstance(op, ast.USub) else 4), "")
            case ast.Constant(value=value) if text := constant(value):
                put(start(node), end(node), text)
            case ast.If(test=test) | ast.IfExp(test=test):
                put(start(test), end(test), f"(not ({code[start(test) : end(test)]}))")
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name) as named) if name in NAMES:
                put(end(named) - len(name), end(named), NAMES[name])
    return found


def tests(path: str) -> list[list[str]]:
    """Arguments of pytest, one run after another: the files that name the module, the contract, the folders."""
    room, stem = Path(path).parts[1], Path(path).stem
    imports = re.compile(rf"(from|import) tl_jax\.{room}\b.*\b{stem}\b")
    naming = [
        str(file.relative_to(ROOT))
        for file in sorted((ROOT / "tests").rglob("test_*.py"))
        if file.parent.name != "contract"
        and (imports.search(text := file.read_text()) or (room in file.parts and re.search(rf"\b{stem}\b", text)))
    ]
    some = {"methods": f"[{stem}]", "training": "[dann] or [mcd] or [shot]"}.get(room)
    contract = [["tests/contract/test_methods.py", "-k", some]] if some else []
    runs = [naming, *contract, *([folder] for folder in (f"tests/{room}", *ALSO.get(room, ()))), WRITTEN]
    return [run for run in runs if run]


def killer(mutant: Mutant, cache: str) -> str:
    """The first test that fails, "" if none does. Programs that no mutant changed are compiled once, in `cache`."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "tree")
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "runs", "build", "*.egg-info", "__pycache__"))
        code = (copy / mutant.path).read_text()
        (copy / mutant.path).write_text(code[: mutant.start] + mutant.text + code[mutant.end :])
        env = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": folder}
        env |= {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        for run in tests(mutant.path):
            words = [sys.executable, "-m", "pytest", "-n0", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *run]
            try:
                done = subprocess.run(words, cwd=copy, env=env, capture_output=True, text=True, timeout=60 * MINUTES)
            except subprocess.TimeoutExpired:
                return "endless"
            if done.returncode not in (0, 5):  # 5: no test of that name
                failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
                return failed[0].split(" - ")[0] if failed else "pytest does not start"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("places", nargs="*", default=[f"tl_jax/{room}" for room in ROOMS])
    parser.add_argument("--number", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    paths = [
        path
        for place in given.places
        for path in ([ROOT / place], (ROOT / place).rglob("*.py"))[(ROOT / place).is_dir()]
    ]
    every = [mutant for path in sorted(paths) for mutant in mutants(str(path.relative_to(ROOT)))]
    drawn = random.Random(given.seed).sample(every, min(given.number, len(every)))
    alive, cache = 0, tempfile.mkdtemp()
    for i, mutant in enumerate(drawn):
        by = killer(mutant, cache)
        alive += not by
        before, after = mutant.lines()
        print(
            f"{i} {mutant.path}:{mutant.line()} {'killed by ' + by if by else 'SURVIVES'}\n  - {before}\n  + {after}",
            flush=True,
        )
    shutil.rmtree(cache)
    print(f"{alive} of {len(drawn)} survive ({len(every)} in all)")
    return min(alive, 100)


if __name__ == "__main__":
    sys.exit(main())
