"""Training sets that are larger than the device's share: windows of their rows, sent while the device computes."""

import os
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.core.processes import told
from tl_jax.data.domain import Pictures
from tl_jax.data.pipeline.window import Window, stored
from tl_jax.data.pipeline.windows import Read, Streamed, Windows, decoders, in_files, lost_worker, read_ahead
from tl_jax.training.state import Data
from tl_jax.training.step import sampler_key

SHARE = 0.5
"""The share of the device's memory that training sets may take before they stream."""
MOST = 64
"""Steps of a window at most: more would be read in vain when a run is stopped, and overlap no better."""
DECODED = 256
"""Pictures of a window at most, of one step at least: what has to be decoded before the first step."""
Place = Callable[[Any], Any]


class Draws(NamedTuple):
    """What decides which rows a job's trials draw.

    seeds [T]; rows: labelled rows of the target by trial [T, L] or None; batch: examples of a step, of each source and
    of what is unlabelled; total: steps; whole: {name of a set that must be on the device at once: for which job}.
    """

    seeds: np.ndarray
    rows: np.ndarray | None
    batch: tuple[int, int]
    total: int
    whole: Mapping[str, str]


def named(data: Data) -> dict[str, Any]:
    """{name by which the sampler draws: x} of every training set."""
    found = {f"source{i}": x for i, (x, _) in enumerate(data.sources)}
    target = {} if data.target is None else {"target": data.target}
    return {**found, **target, **{f"other{i}": x for i, x in enumerate(data.others)}}


def renewed(data: Data, sets: dict[str, Any]) -> Data:
    """The data with other arrays in the place of those named."""
    sources = tuple((sets.get(f"source{i}", x), y) for i, (x, y) in enumerate(data.sources))
    others = tuple(sets.get(f"other{i}", x) for i, x in enumerate(data.others))
    return data._replace(sources=sources, target=sets.get("target", data.target), others=others)


def share_of_device() -> int:
    """Bytes that training sets may take where the user names no limit."""
    device = jax.local_devices()[0]
    have = (device.memory_stats() or {}).get("bytes_limit", 0)
    if not have or device.platform == "cpu":
        have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 1 << 33
    return int(SHARE * have)


def plan(data: Data, draws: Draws, limit: int = 0) -> Windows | None:
    """The windows of the sets that stream, or None if all fit in `limit` bytes (0: half of the device's memory).

    A set streams if two windows of it, the one in use and the one being sent, are smaller than the set; pictures that
    are decoded when they are read always do. Raises UserError if not even windows of one step fit, and for pictures
    that a method looks at as a whole.
    """
    limit = limit or told(share_of_device)
    sets = named(data)
    pictures = {name for name, x in sets.items() if isinstance(x, Pictures)}
    for name in sorted(pictures & set(draws.whole)):
        raise sets[name].refusal(f"{draws.whole[name]} looks at all of them at once")
    arrays = sum(x.nbytes for name, x in sets.items() if name not in pictures)
    if not pictures and arrays <= limit:
        return None
    stays = arrays if pictures and arrays <= limit // 2 else 0  # if windows have room beside the arrays
    sets = {name: x for name, x in sets.items() if name in pictures or not stays}
    large = {name: _streamed(name, x, data, draws) for name, x in sets.items() if name not in draws.whole}
    one_step = sum(2 * len(part.words) * part.batch * part.row_bytes for part in large.values())
    steps = min(MOST, (limit - stays) // max(one_step, 1), draws.total)
    if pictures and steps:
        decoded = sum(len(large[name].words) * large[name].batch for name in pictures)
        steps = min(steps, max(1, DECODED // decoded))
    if steps < 1:
        raise UserError(
            f"--device_bytes={limit}: two windows of one step take {one_step} ({len(draws.seeds)} trials of batch "
            f"{draws.batch[0]}). Use --device_bytes={one_step + stays} or more, or a smaller --batch_size."
        )
    windows = Windows(large, steps, draws.total)
    smaller = {n: part for n, part in large.items() if n in pictures or 2 * windows.capacity(part) < part.size}
    return Windows(smaller, steps, draws.total) if smaller else None


def _streamed(name: str, x: np.ndarray, data: Data, draws: Draws) -> Streamed:
    seeds = np.unique(draws.seeds)  # trials of one seed see the same batches, unless each has labelled rows of its own
    listed = {f"source{i}": rows for i, rows in enumerate(data.lists) if rows is not None}
    lists: Any = np.tile(listed[name], (len(seeds), 1)) if name in listed else None
    if draws.rows is not None and name == f"source{len(data.sources) - 1}":
        seeds, lists = draws.seeds, draws.rows
    words = [np.asarray(jax.random.key_data(sampler_key(seed, name))) for seed in seeds]  # pyright: ignore
    return Streamed(stored(x), np.stack(words), lists, draws.batch[not name.startswith("source")])


def described(windows: Windows, data: Data, workers: int) -> str:
    """One line: what streams, how, and what stays."""
    size = sum(windows.capacity(part) * part.row_bytes for part in windows.sets.values())
    stays = [name for name in named(data) if name not in windows.sets]
    by = f"read by {workers} processes" if workers and in_files(windows) else "read by threads"
    by = f"decoded by {decoders(windows)} processes" if decoders(windows) else by
    return (
        f"{', '.join(windows.sets)} streamed in windows of {windows.steps} steps ({size / 2**20:.1f} MB, two on the "
        f"device), {by}" + (f"; {', '.join(stays)} on the device" if stays else "")
    )


def on_host(windows: Windows, data: Data, read: Read) -> Data:
    """The data with those windows, not yet on the device, in the place of the sets that stream."""
    return renewed(data, {name: Window(*pair, windows.sets[name].size) for name, pair in read.items()})  # pyright: ignore


def begin(windows: Windows, data: Data) -> Data:
    """The data with a window of what streams, all of it here, its first two rows alone read: for shapes."""
    return on_host(windows, data, windows.first_two())


def settled(windows: Windows, data: Data, place: Place) -> Data:
    """The data with what stays on the device there; windows are left where they are."""
    kept = {name: x for name, x in named(data).items() if name not in windows.sets}
    sent = place((kept, tuple(y for _, y in data.sources), data.lists))
    resident = renewed(data, sent[0])
    pairs = tuple((x, y) for (x, _), y in zip(resident.sources, sent[1], strict=True))
    return resident._replace(sources=pairs, lists=sent[2])


def feed(windows: Windows, data: Data, place: Place, *, step: int, workers: int) -> Generator[tuple[int, Data]]:
    """(first step after it, data) of every window from the one of `step` on; the next is sent while one is in use.

    data: as `settled` gave it. Ask for the next when the device is done with the last: then there are never more than
    two on it.
    """
    first = step // windows.steps
    with read_ahead(windows, first, workers) as reads, ThreadPoolExecutor(1) as pool:

        def send() -> Any:
            try:
                return place(next(reads))
            except RuntimeError as error:
                raise (lost_worker(error) or error) from None

        ahead = pool.submit(send)
        for number in range(first, len(windows)):
            sent = on_host(windows, data, ahead.result())
            if number + 1 < len(windows):
                ahead = pool.submit(send)
            yield (number + 1) * windows.steps, sent
            del sent
