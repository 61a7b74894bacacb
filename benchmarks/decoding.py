"""JPEG folder to device at 224 px on two cores: this library against a PyTorch DataLoader with PIL.

    python benchmarks/decoding.py /data/office31/office31_amazon.zip [repeats]

Every contender runs in a process of its own, in turn: `first` (empty cache: decode, keep, send), `cached` (the same
again), `mapped` (again, as a run on a CPU does it: the device takes the memory map as it is, all of which the checksum
has read; the others copy it, as an accelerator needs), `same` (a DataLoader of two workers whose examples come from the
very decoding function of this library) and `usual` (a DataLoader of two workers with the usual open, convert, resize,
crop). Wall time is from the first file to the last array on the device, imports excluded; CPU time is of the process
and its workers over the same stretch, which neighbours on the machine disturb less. Memory is the peak of the whole
tree of processes, shared pages counted once.
"""

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

SIZE, RESIZE, BATCH, WORKERS = 224, 256, 64, 2
CONTENDERS = ("first", "cached", "mapped", "same", "usual")


def spent() -> float:
    """CPU seconds of this process and of its children that have ended."""
    now = os.times()
    return now.user + now.system + now.children_user + now.children_system


def ours(folder: str, copy: bool) -> tuple[int, Callable[[], None]]:
    """How many images there are, and what sends them all to the device."""
    import jax
    import jax.numpy as jnp

    from tl_jax.data.load import load

    jax.block_until_ready(jax.device_put(0))

    def go() -> None:
        domain = load(f"folder:{folder}?size={SIZE}&resize={RESIZE}")
        send = (lambda x: jnp.array(x, copy=True)) if copy else jax.device_put
        jax.block_until_ready([send(part.x) for part in domain.splits.values()])

    return len(list(Path(folder).rglob("*.jpg"))), go


def by_pil(path: str | Path) -> np.ndarray:
    """An image as one usually writes it: opened, converted, resized and cropped."""
    with Image.open(path) as image:
        whole = image.convert("RGB")
    scale = RESIZE / min(whole.size)
    w, h = (round(side * scale) for side in whole.size)
    left, top = (w - SIZE) // 2, (h - SIZE) // 2
    small = whole.resize((w, h), Image.Resampling.BILINEAR)
    return np.array(small.crop((left, top, left + SIZE, top + SIZE)))


def peer(folder: str, usual: bool) -> tuple[int, Callable[[], None]]:
    """The same by PyTorch: batches of bytes, each left on the device (here the host) until the next comes."""
    import torch

    from tl_jax.data.files.decoder import Look, decode

    files = sorted(Path(folder).rglob("*.jpg"))
    look = Look(SIZE, RESIZE, 3)

    def read(path: Path) -> np.ndarray:
        return by_pil(path) if usual else decode(path.read_bytes(), look)

    class Images(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(files)

        def __getitem__(self, i: int) -> torch.Tensor:
            return torch.from_numpy(read(files[i]).copy())

    def go() -> None:
        seen = sum(len(x) for x in torch.utils.data.DataLoader(Images(), BATCH, num_workers=WORKERS))
        assert seen == len(files)

    return len(files), go


def contend(name: str, folder: str) -> None:
    """Print images, wall seconds and CPU seconds of one contender."""
    count, go = peer(folder, name == "usual") if name in ("same", "usual") else ours(folder, name != "mapped")
    began, before = time.perf_counter(), spent()
    go()
    print(count, time.perf_counter() - began, spent() - before)


def tree(root: int) -> Iterator[int]:
    """A process and all below it."""
    yield root
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{root}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from tree(int(child))


def memory(root: int) -> int:
    """Bytes that a tree of processes has in memory, shared pages counted once."""
    total = 0
    for process in tree(root):
        with contextlib.suppress(OSError, StopIteration, ValueError):
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            total += 1024 * int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return total


def run(name: str, folder: str, cache: str) -> tuple[int, float, float, int]:
    """Images, wall seconds, CPU seconds and peak bytes of one contender in a process of its own."""
    surroundings = {**os.environ, "XDG_CACHE_HOME": cache, "JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, f"--contend={name}", folder]
    with subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, text=True) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(0.1)
        assert process.stdout is not None
        count, wall, cpu = process.stdout.read().split()
    return int(count), float(wall), float(cpu), peak


def main(archive: str, repeats: int = 3) -> None:
    """Print what each contender took, and the ratios."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    found: dict[str, list[tuple[int, float, float, int]]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory() as place:
        folder, cache = f"{place}/images", f"{place}/cache"
        with zipfile.ZipFile(archive) as file:
            file.extractall(folder)
        inside = [path for path in Path(folder).iterdir() if path.is_dir()]
        folder = str(inside[0]) if len(inside) == 1 else folder
        for _ in range(repeats):
            shutil.rmtree(cache, ignore_errors=True)
            for name in CONTENDERS:
                found[name].append(run(name, folder, cache))
    middle = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}
    for name, (count, wall, cpu, peak) in middle.items():
        print(f"{name:7} {count:.0f} images: {wall:6.2f} s, {cpu:6.2f} s of CPU, peak {peak / 2**20:.0f} MiB")
    for name in ("first", "cached", "mapped"):
        for other in ("same", "usual"):
            wall, cpu = (middle[other][i] / middle[name][i] for i in (1, 2))
            print(f"{name} against {other}: {wall:.2f} times as fast, {cpu:.2f} by CPU time")


if __name__ == "__main__":
    if sys.argv[1].startswith("--contend="):
        contend(sys.argv[1].partition("=")[2], sys.argv[2])
    else:
        main(sys.argv[1], *map(int, sys.argv[2:3]))
