"""Texts as they were read beside the ids that stand for them, and other ids in the place of these."""

from collections.abc import Callable, Sequence

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain, Examples, changed

CUT = "were cut (&length=)"
"""Ends the note that says so of words; of the pieces of a network it says nothing."""


def recoded(domain: Domain, code: Callable[[Sequence[str]], tuple[np.ndarray, int]], vocabulary: int) -> Domain:
    """The domain with the ids that `code` gives for its texts: int32 [n, t] below `vocabulary`, and how many were cut.

    0 is padding; every split is as long as the longest text of all. Raises UserError for a domain that holds ids alone.
    """
    if not domain.texts:
        raise UserError(
            f"{domain.name} holds token ids without their texts, and this network reads texts by word pieces of its "
            "own. Give it texts, as in csv:PATH?text=COLUMN&label=COLUMN, or take a network without from=."
        )
    found = {split: code(list(domain.texts[split])) for split in domain.splits}
    length = max(ids.shape[1] for ids, _ in found.values())
    wide = lambda ids: np.pad(ids, ((0, 0), (0, length - ids.shape[1])))
    parts = {split: Examples(wide(found[split][0]), part.y) for split, part in domain.splits.items()}
    notes = [note for note in domain.notes if not note.endswith(CUT)]
    if cut := sum(some for _, some in found.values()):
        total = sum(len(part.y) for part in parts.values())
        notes.append(
            f"{cut} of {total} texts have more than {length} word pieces and were cut (length= of the network)"
        )
    return changed(domain, vocabulary=vocabulary, notes=tuple(notes), **parts)
