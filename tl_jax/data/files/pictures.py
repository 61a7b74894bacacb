"""Training images that are decoded when they are read: what stands in the place of an array that would not fit."""

import functools
import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.files import decoders
from tl_jax.data.files.containers import Files
from tl_jax.data.files.decoder import Look

OPTION, WHEN_READ = "decode", "when_read"
ASKED = f"{OPTION}={WHEN_READ}"
_PAYS = 8
"""Images of a read for which a process is used: many reads follow, for which it waits."""
_AT_ONCE = 256
"""Images that are in memory where all are looked at in turn."""
_MOST = 8 << 30
"""Bytes of a read at most: whoever wants more wants an array."""
_OF_ARRAYS = ("all", "any", "astype", "copy", "flat", "max", "mean", "min", "reshape", "std", "sum", "T", "tolist")


class Pictures:
    """The images of files as uint8 [n, size, size, channels], of which there are only those that are read.

    x[rows], x[a:b] and x[i] are arrays, decoded on the spot by other processes; to go through x decodes some at a time.
    Whatever needs an array of all of it raises UserError, and so does an image that cannot be decoded.
    """

    def __init__(self, name: str, files: Files, how: Look):
        self.name, self._files, self._how = name, files, how
        self.shape = (len(files.names), how.size, how.size, how.channels)
        self.dtype, self.ndim = np.dtype(np.uint8), 4
        self.nbytes = self.size = int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        wanted = np.arange(len(self))[rows]
        if wanted.size * (self.nbytes // max(1, len(self))) > _MOST:
            raise self.refusal(f"{wanted.size} of them are asked for at once")
        out = np.empty((wanted.size, *self.shape[1:]), np.uint8)
        self.take(wanted.reshape(-1), out)
        return out.reshape(*wanted.shape, *self.shape[1:])

    def __iter__(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self[start : start + _AT_ONCE]

    @property
    def workers(self) -> int:
        """How many processes decode."""
        return decoders.workers()

    def take(self, rows: np.ndarray, out: np.ndarray) -> None:
        """Write those rows to out [len(rows), ...]. Raises UserError that names the first that cannot be decoded."""
        numbers = rows.tolist()
        if errors := decoders.decode(self._files, numbers, self._how, out, pays=_PAYS).errors:
            raise undecodable(self._files, errors)

    @functools.cached_property
    def digest(self) -> str:
        """Of what the images are made of: the names, sizes, times and numbers of their files, and how they are read."""
        made = hashlib.sha256(repr(tuple(self._how)).encode())
        for name, stamp in zip(self._files.names, self._files.stamps, strict=True):
            made.update(f"{name}\0{stamp}\n".encode(errors="backslashreplace"))
        return made.hexdigest()

    def refusal(self, what: str) -> UserError:
        """The message for what cannot be done with them; what: 'X needs all of them at once'."""
        return UserError(
            f"{self.name}: {what}, and {ASKED} decodes training images only as they are drawn ({len(self)} of them "
            f"would be {self.nbytes / 1e9:.3g} GB). Leave {ASKED} out: they are then decoded once, before the first "
            "step, and kept."
        )

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise self.refusal("all of them are asked for at once")

    def __getattr__(self, name: str) -> Any:
        if name in _OF_ARRAYS:
            raise self.refusal("all of them are asked for at once")
        raise AttributeError(f"{type(self).__name__} has no {name}")


def equal(x: Any, y: Any) -> bool:
    """Whether two sets of examples are the same: of pictures, whether they are the same files."""
    if isinstance(x, Pictures) or isinstance(y, Pictures):
        return isinstance(x, Pictures) and isinstance(y, Pictures) and x.digest == y.digest
    return np.array_equal(x, y)


def undecodable(files: Files, errors: dict[int, str]) -> UserError:
    """The message for files, by row, that cannot be decoded."""
    first = min(errors)
    more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
    return UserError(
        f"{files.root}/{files.names[first]}{more} cannot be decoded ({errors[first]}). A file that was copied half-way "
        "looks like this: replace or remove it. 'tl-jax data check SPEC' lists every such file."
    )
