"""Random keys for named purposes: adding another purpose changes none of the others."""

import zlib

import jax

from tl_jax.core.types import Array


def named(key: Array, name: str) -> Array:
    """The key of the purpose with that name, a function of the two alone."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()) & 0x7FFFFFFF)


def of_view(key: Array, view: str, domain: str) -> Array:
    """A step's key -> that of the draws for one view of one domain."""
    return named(key, f"augment {view} {domain}")
