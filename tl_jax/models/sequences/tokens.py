"""Texts to the word pieces of a published network, by the library `tokenizers` from its tokenizer.json."""

import hashlib
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.models.files.published import file_of
from tl_jax.models.parts.recipe import Pretrained

CHUNK = 4096
"""Texts that are cut into pieces at once."""
TOKENIZER, CONFIG = "tokenizer.json", "config.json"


def pieces(of: Pretrained, texts: Sequence[str], length: int = 0) -> tuple[np.ndarray, int]:
    """int32 [n, t], and how many texts were cut: t is the longest text's number of pieces, `length` at most.

    Zeros after the end of a text: the ids of padding and 0 are exchanged (see `Pretrained`). Raises UserError without
    the library, without the file, and for one that knows more pieces than the network.
    """
    tokenizer = _tokenizer(of)
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=length or of.length)
    rows: list[np.ndarray] = []
    cut = 0
    for begin in range(0, len(texts), CHUNK):
        some = texts[begin : begin + CHUNK]
        found = tokenizer.encode_batch([_bare(text) for text in some] if of.bare else list(some))
        cut += sum(bool(one.overflowing) for one in found)
        rows += [np.array(one.ids, np.int32) for one in found]
    out = np.full((len(rows), max(1, max(map(len, rows), default=1))), of.pad, np.int32)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    if (greatest := int(out.max(initial=0))) >= of.vocabulary:
        raise UserError(
            f"from={of.place!r}: its {TOKENIZER} knows the piece {greatest}, its {CONFIG} says {of.vocabulary} pieces: "
            "they are of different models."
        )
    return np.where(out == of.pad, 0, np.where(out == 0, of.pad, out)).astype(np.int32), cut


def _bare(text: str) -> str:
    """In small letters, without punctuation, with one space between words: as SigLIP was trained."""
    return " ".join(text.lower().translate(str.maketrans("", "", string.punctuation)).split())


def digests(of: Pretrained) -> dict[str, str]:
    """{file: digest} of what says the network's form and how it reads examples; its weights are told elsewhere."""
    read = lambda name: file_of(of.place, name).read_bytes()
    return {name: hashlib.sha256(read(name)).hexdigest()[:16] for name in of.files}


def _tokenizer(of: Pretrained) -> Any:
    path = file_of(of.place, TOKENIZER)
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise UserError(
            f"from={of.place!r} reads texts by its {TOKENIZER}, which needs the library tokenizers: "
            "pip install tokenizers."
        ) from None
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # whatever the library raises of a damaged file
        raise UserError(f"{path} cannot be read as a tokenizer ({error}). Is it complete?") from None
