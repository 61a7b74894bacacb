"""A folder of a million images that are decoded when they are drawn: to the first batch, memory, images a second.

    python benchmarks/names.py [names] [folder]      # 1000000, a temporary folder

Makes N names by hard links to 40 JPEGs of 500x375 (folders train/CLASS of 1000 names each, and val and test of 500
names in all), and removes them unless the folder is named, where they are then found again. Contenders are processes
of their own, on two processors: `ours` opens the folder (224 px, decode=when_read: it is listed, val and test are
decoded) and takes windows of batches of 64 as a run does, each sent to the device; `loader` is a PyTorch DataLoader of
two workers over the same names (os.scandir, then open, convert, resize, crop with PIL), shuffled, where torch is
installed. Seconds are from the first look at the folder, imports excluded, by the clock and by processor time (of the
process and its workers, which neighbours on the machine disturb less); images a second are those of IMAGES images after
the first batch. Memory is that of the whole tree of processes, shared pages counted once, less what it was before.
"""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from decoding import RESIZE, SIZE, WORKERS, by_pil, memory, tree

BATCH, IMAGES, EACH, DIFFERENT, HELD = 64, 4096, 1000, 40, 500


def links(folder: Path, names: int) -> None:
    """The folder, unless it is there: a JPEG has as many names as there are."""
    from PIL import Image

    if folder.exists():
        return
    (folder / ".jpegs").mkdir(parents=True)
    for i in range(DIFFERENT):
        rng = np.random.default_rng(i)
        rough = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize(
            (500, 375), Image.Resampling.BICUBIC
        )
        noisy = np.asarray(rough).astype(int) + rng.integers(-12, 13, (375, 500, 3))
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(folder / ".jpegs" / f"{i}.jpg", quality=90)
    held = min(HELD, names // EACH)
    for split, total, each in (("train", names, EACH), ("val", held, 1), ("test", held, 1)):
        for i in range(total):
            place = folder / split / f"n{i // each:08d}"
            if i % each == 0:
                place.mkdir(parents=True)
            os.link(folder / ".jpegs" / f"{i % DIFFERENT}.jpg", place / f"n{i // each:08d}_{i % each}.JPEG")


def spent() -> float:
    """Processor seconds of this process and all below it, ended or not."""
    ticks = 0
    for process in tree(os.getpid()):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def ours(folder: str) -> Iterator[int]:
    """How many images each window brought to the device; before the first, 0 once the folder is listed."""
    import jax

    from tl_jax.data.load import load
    from tl_jax.run.execute.streaming import Draws, feed, plan, settled
    from tl_jax.training.state import Data

    jax.block_until_ready(jax.device_put(0))
    yield -1
    domain = load(f"folder:{folder}?size={SIZE}&resize={RESIZE}&decode=when_read")
    yield 0
    data = Data(((domain.train.x, domain.train.y),), None)
    windows = plan(data, Draws(np.zeros(1, np.uint32), None, (BATCH, BATCH), len(domain.train.x) // BATCH, {}))
    assert windows is not None
    place = lambda x: jax.device_put(x)
    for _, sent in feed(windows, settled(windows, data, place), place, step=0, workers=0):
        jax.block_until_ready(sent.sources[0][0].x)
        yield BATCH * windows.steps


def loader(folder: str) -> Iterator[int]:
    """The same of a DataLoader: how many images each batch has."""
    import torch

    class Images(torch.utils.data.Dataset):
        def __init__(self):
            classes = sorted(entry.path for entry in os.scandir(f"{folder}/train"))
            self.paths = [path for each in classes for path in sorted(entry.path for entry in os.scandir(each))]

        def __len__(self) -> int:
            return len(self.paths)

        def __getitem__(self, i: int) -> torch.Tensor:
            return torch.from_numpy(by_pil(self.paths[i]))

    yield -1
    images = Images()
    yield 0
    for x in torch.utils.data.DataLoader(images, BATCH, shuffle=True, num_workers=WORKERS):
        yield len(x)


def contend(batches: Iterator[int]) -> None:
    """Print seconds until it is open and to the first batch, images a second, by clock and processor; peak bytes."""
    assert next(batches) < 0
    before, now = memory(os.getpid()), lambda: np.array([time.perf_counter(), spent()])
    began = now()
    assert next(batches) == 0
    opened, peak = now() - began, memory(os.getpid())
    next(batches)
    first, seen, held, after = now() - began, 0, memory(os.getpid()), now()
    for count in batches:
        seen += count
        peak = max(peak, memory(os.getpid()))
        if seen >= IMAGES:
            break
    print(*opened, *first, *(seen / (now() - after)), held - before, peak - before, flush=True)
    os._exit(0)  # nothing waits for batches that are on their way


def main(names: int, folder: Path) -> None:
    """Print what each contender took."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    began = time.perf_counter()
    links(folder, names)
    print(f"{names} names in {time.perf_counter() - began:.0f} s")
    contenders = ["ours", *["loader"] * (importlib.util.find_spec("torch") is not None)]
    for name in contenders:
        with tempfile.TemporaryDirectory() as cache:
            surroundings = {**os.environ, "XDG_CACHE_HOME": cache, "JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1"}
            command = [sys.executable, __file__, f"--contend={name}", str(folder)]
            out = subprocess.run(command, env=surroundings, stdout=subprocess.PIPE, text=True, check=True).stdout
        found = [float(value) for value in out.split()]
        print(
            "{:6} open after {:.1f} s ({:.1f} s of processor time), first batch after {:.1f} s ({:.1f} s); {:.0f} "
            "images a second ({:.0f} a second of processor time)".format(name, *found[:6]),
            f"; {found[-2] / 2**20:.0f} MiB at the first batch, {found[-1] / 2**20:.0f} at most",
            sep="",
        )


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1].startswith("--contend="):
        contend({"ours": ours, "loader": loader}[sys.argv[1].partition("=")[2]](sys.argv[2]))
    else:
        wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10**6
        if len(sys.argv) > 2:
            main(wanted, Path(sys.argv[2]))
        else:
            made = Path(tempfile.mkdtemp())
            try:
                main(wanted, made / "set")
            finally:
                shutil.rmtree(made)
