"""Text to numbers without a vocabulary to share: a word's number is a hash of it, the same in every domain."""

import re
import zlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

BUCKETS = 8192
LENGTH = 256
_WORD = re.compile(r"\w+(?:'\w+)?")


def words(text: str) -> list[str]:
    """The words of a text in lower case, punctuation dropped, "don't" kept whole."""
    return _WORD.findall(text.lower())


def token(word: str, buckets: int) -> int:
    """1 + crc32(word) mod (buckets - 1): a number from 1 to buckets - 1; 0 is padding."""
    return 1 + zlib.crc32(word.encode()) % (buckets - 1)


def tokens(texts: Sequence[str], buckets: int = BUCKETS, length: int = LENGTH) -> np.ndarray:
    """int32 [n, t]: the first `length` words of each text, zeros after its end; t is the longest kept."""
    rows = [[token(word, buckets) for word in words(text)[:length]] for text in texts]
    out = np.zeros((len(rows), max(1, max(map(len, rows), default=1))), np.int32)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


def counts(texts: Sequence[str], buckets: int = BUCKETS) -> np.ndarray:
    """float32 [n, buckets]: how often each word and pair of neighbours is hashed to each place, rows of length 1.

    x_k = c_k / |c|, c_k = #{g in words and pairs: crc32(g) mod buckets = k}; a text without words is a row of zeros.
    """
    out = np.zeros((len(texts), buckets), np.float32)
    for i, text in enumerate(texts):
        found = words(text)
        for gram in (*found, *map(" ".join, pairwise(found))):
            out[i, zlib.crc32(gram.encode()) % buckets] += 1
    return unit_rows(out)


def unit_rows(x: np.ndarray) -> np.ndarray:
    """Rows [n, d] divided by their Euclidean length; rows of zeros stay."""
    length = np.sqrt(np.square(x, dtype=np.float64).sum(1, keepdims=True))
    return (x / np.where(length > 0, length, 1)).astype(np.float32)
