"""What a run is made of besides its config: digests of the data, the weights and the code that it read."""

import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np

from tl_jax.balancing.tasks import TaskHead
from tl_jax.core.files import keep_in_cache, user_cache
from tl_jax.core.sealed import digest, opened, seal
from tl_jax.data.domain import Domain, Pictures
from tl_jax.data.pipeline.window import stored
from tl_jax.models.sequences.tokens import digests
from tl_jax.naming import own_code
from tl_jax.naming.sums import summands
from tl_jax.run.plan.types import Setup
from tl_jax.run.plan.words import brought
from tl_jax.run.settings.config import Config

BLOCK = 1 << 24
"""Bytes that one thread reads at a time."""
REMEMBERED = 1 << 28
"""Bytes from which the digest of an array in a file is remembered for as long as the file is not touched."""


def contents(setup: Setup) -> dict[str, Any]:
    """{"domains": [{"name", "is", "train", "validation", "test"}, ...], "weights": digest, "code": {file: digest}}.

    Weights are "" where none were read; a published network has its files besides, "network": {file: digest}.
    Of a split: {"x": digest, "labels": digest}, of several tasks the labels of each by its name. Equal contents and
    equal configs give equal numbers.
    """
    problem = setup.problem
    heads = lambda i: [task for task in problem.tasks if task.input == i]
    return {
        "domains": [of_domain(domain, heads(i)) for i, domain in enumerate(problem.domains)],
        "weights": of_tree(setup.weights._replace(report=None)) if setup.weights else "",
        **({"network": digests(published)} if (published := brought(setup.config)) else {}),
        "code": dict(code()) | own_code.digests(_texts(_named(setup.config))),
    }


def _named(config: Config) -> tuple[Any, ...]:
    """What a config's fields name; of methods that are added each."""
    methods = tuple(one for text in config.methods for one in summands(text))
    return tuple(vars(dataclasses.replace(config, methods=methods)).values())


def _texts(value: Any) -> Iterator[str]:
    """Every text in a config's fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _texts(one)


def of_domain(domain: Domain, heads: Iterable[TaskHead] = ()) -> dict[str, Any]:
    """What of a domain can change a number; heads: of the tasks that its columns of labels belong to."""
    columns = {head.name: head.column for head in heads}
    found: dict[str, Any] = {"name": domain.name, "is": f"{domain.modality} {len(domain.classes)} classes "}
    found["is"] += digest([domain.classes, domain.rate, domain.vocabulary])
    for split, (x, y) in domain.splits.items():
        labels = {f"labels of {name}": of_array(y[:, i]) for name, i in columns.items()} or {"labels": of_array(y)}
        found[split] = {"x": of_array(x), **labels}
    return found


def of_tree(tree: Any) -> str:
    """The digest of a tree of arrays and their paths."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return digest([(jax.tree_util.keystr(path), of_array(np.asarray(leaf))) for path, leaf in leaves])


def of_array(x: np.ndarray | Pictures) -> str:
    """'float32 60x8 3f2a...': type, shape and a digest of all its content, read by several threads where it lies.

    What is large and lies in a file is read once, and again when the file was touched: device, inode, size and times
    are compared, that of its status included, which no copying forges. Of pictures this is so of every file.
    """
    shape = f"{x.dtype.str} {'x'.join(map(str, x.shape))} "
    if isinstance(x, Pictures):
        return shape + x.digest
    if x.nbytes < REMEMBERED or not (place := stored(x)).path:
        return shape + _read(x)
    try:
        found = os.stat(place.path)
    except OSError:
        return shape + _read(x)
    stat = [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
    memory = user_cache() / "digests" / f"{digest([place.path, place.offset, shape, *stat])}.json"
    try:
        return shape + opened(memory.read_bytes())
    except (OSError, ValueError):
        made = _read(x)
        keep_in_cache(memory, seal(made).encode())
        return shape + made


def _read(x: np.ndarray) -> str:
    if np.issubdtype(x.dtype, np.object_):
        return digest([str(value) for value in x.ravel()])
    rows = max(1, BLOCK // max(1, x.nbytes // max(1, len(x)))) if x.ndim else 1
    flat = x if x.ndim else x[None]

    def one(start: int) -> str:
        part = np.ascontiguousarray(flat[start : start + rows])
        return hashlib.sha256(part.reshape(-1).view(np.uint8).data).hexdigest()

    starts = range(0, len(flat), rows)
    if len(starts) < 2:
        return digest([one(start) for start in starts])
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return digest(list(pool.map(one, starts)))


@functools.cache
def code() -> tuple[tuple[str, str], ...]:
    """(file, digest) of every source file of this package."""
    root = Path(__file__).parents[2]
    files = sorted(root.rglob("*.py"))
    return tuple((str(p.relative_to(root)), hashlib.sha256(p.read_bytes()).hexdigest()[:16]) for p in files)


def changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs, in words: 'the labels of near (train)', 'the code (losses/classes.py)'."""
    found = []
    old, new = was["domains"], now["domains"]
    if [d["name"] for d in old] != [d["name"] for d in new]:
        found.append(f"the domains ({', '.join(d['name'] for d in old)})")
    else:
        found += [line for a, b in zip(old, new, strict=True) for line in _of_two(a, b)]
    if was["weights"] != now["weights"]:
        found.append("the weights of --init_from")
    theirs, ours = was.get("network", {}), now.get("network", {})
    found += [f"{name} of the network" for name in theirs.keys() | ours.keys() if theirs.get(name) != ours.get(name)]
    files = sorted(f for f in was["code"].keys() | now["code"].keys() if was["code"].get(f) != now["code"].get(f))
    if files:
        more = f" and {len(files) - 3} more files" if len(files) > 3 else ""
        found.append(f"the code ({', '.join(files[:3])}{more})")
    return found


def _of_two(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    name, found = old["name"], []
    if old["is"] != new["is"]:
        found.append(f"the kind or the classes of {name}")
    splits = [key for key in old if key not in ("name", "is")]
    for part in dict.fromkeys(part for split in splits for part in (*old[split], *new[split])):
        here = [split for split in splits if old[split].get(part) != new[split].get(part)]
        sizes = [split for split in here if _shape(old[split].get(part)) != _shape(new[split].get(part))]
        what = {"x": "the examples"}.get(part, f"the {part}")
        if here:
            found.append(f"{what} of {name} ({', '.join(here)}{'; their number or shape, too' if sizes else ''})")
    return found


def same_shapes(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether what was stored of one can be read beside the other: as many examples and classes, of one shape."""
    return _shapes(was) == _shapes(now)


def _shapes(made: Mapping[str, Any]) -> str:
    kept = [
        [
            d["is"],
            *(sorted((name, _shape(v)) for name, v in part.items()) for part in d.values() if isinstance(part, dict)),
        ]
        for d in made["domains"]
    ]
    return json.dumps(kept)


def _shape(text: str | None) -> str:
    return (text or "").rpartition(" ")[0]
