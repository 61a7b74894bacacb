"""Text to numbers without a vocabulary to share: a word's number is a hash of it, the same in every domain."""

import re
import unicodedata
import zlib
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np

from tl_jax.core.errors import UserError

BUCKETS = 8192
MOST = 2**24
"""The most buckets: an embedding of more does not fit on a device."""
LENGTH = 256
LARGEST = 4 << 30
"""Bytes that counts of texts may take."""
_WORD = re.compile(r"\w+(?:'\w+)?")
_UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\u1a20-\u1aaf"
    "\u3005-\u3007\u3031-\u3035\u3041-\u30ff\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Scripts written without blanks between words (Thai, Lao, Tibetan, Burmese, Khmer; Chinese and Japanese)."""
_SYMBOL = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2934\u2935\u2b00-\u2bff\u3030\u303d"
    "\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff"
)


@cache
def _wide() -> re.Pattern[str]:
    """Words of any script: letters with their combining marks, single letters of unspaced scripts, and emoji."""
    marks = "".join(chr(c) for c in range(0x300, 0x20000) if unicodedata.category(chr(c))[0] == "M" and c != 0xFE0F)
    letters = rf"(?:(?![{_UNSPACED}])[\w{marks}\u200c\u200d])+"
    tone = "[\U0001f3fb-\U0001f3ff]"
    emoji = rf"[{_SYMBOL}]\ufe0f?{tone}?\u20e3?"
    flag = "[\U0001f1e6-\U0001f1ff]{2}"
    return re.compile(rf"[{_UNSPACED}][{marks}\u200c\u200d]*|{letters}(?:'{letters})?|{emoji}(?:\u200d{emoji})*|{flag}")


def words(text: str) -> list[str]:
    """The words of a text in lower case, punctuation dropped, "don't" kept whole.

    Beyond ASCII: composed (NFC), so that an accent counts as a part of its letter however it is written; letters keep
    their vowel signs; Chinese, Japanese, Thai and other scripts without blanks give a token a letter; an emoji is one.
    """
    if text.isascii():
        return _WORD.findall(text.lower())
    composed = unicodedata.normalize("NFC", text.lower()).translate(_APOSTROPHES)
    return [found for found in _wide().findall(composed) if any(map(_spoken, found))]


_APOSTROPHES = {0x2019: "'", 0x02BC: "'", 0xFF07: "'"}


def _spoken(sign: str) -> bool:
    """Whether a character is more than a mark, a joiner or punctuation: one of these alone is no word."""
    return sign == "_" or unicodedata.category(sign)[0] in "LNS"


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
    if (size := 4 * len(texts) * buckets) > LARGEST:
        raise UserError(f"{len(texts)} texts in {buckets} buckets are {size / 1e9:.3g} GB. Use fewer (&buckets=).")
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
