"""A few rows of a set that stand for all of it: what a large set has on the device while some steps run."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.types import Array
from tl_jax.data.domain import Pictures


@dataclass(frozen=True)
class Window:
    """Rows of a set of `size` examples: rows [w] ascending, x [w, ...]; indexed by the row numbers of the whole set.

    The numbers asked for must be among `rows`; rows equal to `size` are padding.
    """

    rows: Array
    x: Array
    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, rows: Array) -> Array:
        return self.x[jnp.searchsorted(self.rows, rows)]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole set."""
        return (self.size, *self.x.shape[1:])

    @property
    def dtype(self) -> Any:
        """Of the examples."""
        return self.x.dtype


jax.tree_util.register_dataclass(Window, ["rows", "x"], ["size"])


class Stored(NamedTuple):
    """An array by the place of its file, so that another process opens it instead of getting a copy.

    array: the array itself, where it lies in no file.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    path: str = ""
    offset: int = 0
    array: np.ndarray | None = None

    def take(self, rows: np.ndarray, out: np.ndarray) -> None:
        """Write those rows to out [len(rows), ...]."""
        x = self.array
        if x is None:
            x = np.memmap(self.path, self.dtype, "r", self.offset, self.shape)
        np.take(x, rows, axis=0, out=out, mode="clip")


def stored(x: np.ndarray | Pictures) -> Stored | Pictures:
    """Where an array lies: in its file if it is a contiguous piece of a memory map, else in memory."""
    if isinstance(x, Pictures):
        return x
    whole = x
    while isinstance(whole.base, np.memmap):
        whole = whole.base
    if not isinstance(whole, np.memmap) or not whole.filename or not x.flags.c_contiguous:
        return Stored(x.shape, x.dtype, array=np.asarray(x))
    # The `offset` of a slice is that of the map it was cut from.
    begin = x.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    return Stored(x.shape, x.dtype, str(whole.filename), whole.offset + begin)
