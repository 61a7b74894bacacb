"""Test examples that training has seen: the same content in a training split of the same or of another domain."""

import hashlib
from collections.abc import Sequence

import numpy as np

from tl_jax.data.domain import Domain, Pictures

MOST = 1 << 29
"""Bytes of x up to which a run looks (about a second); `tl-jax data check` looks at any number."""
ALL = ("@all", "-all")
"""End the names of sets whose protocol trains and tests on every example."""


def hashes(x: np.ndarray) -> list[bytes]:
    """A content hash of each example [n, ...]."""
    return [hashlib.blake2b(row.tobytes(), digest_size=12).digest() for row in x]


def seen_before(sources: Sequence[Domain], target: Domain | None) -> tuple[str, ...]:
    """A note for each domain whose test examples stand in its own training split, or in that of a source (a task).

    Not where images are decoded as they are read, or the sets are large; nor where rows are equal by their nature (most
    of a training split being so): a few columns with a few values each.
    """
    domains = [*sources, *([] if target is None else [target])]
    if any(isinstance(part.x, Pictures) for domain in domains for part in domain.splits.values()):
        return ()
    if sum(part.x.nbytes for domain in domains for part in (domain.train, domain.test)) > MOST:
        return ()
    trains = [(domain, {code: row for row, code in enumerate(_hashed(domain, "train"))}) for domain in domains]
    notes = []
    for domain, mine in trains:
        test, places, both = _hashed(domain, "test"), [], {}
        for other, rows in trains:
            own = rows == mine  # also that of another task with the same examples
            if (own and domain.name.endswith(ALL)) or (other is target and not own):
                continue
            if len(rows) <= len(other.train.x) / 2:
                continue
            if hits := {row: f"test {row} = train {rows[code]}" for row, code in enumerate(test) if code in rows}:
                places.append("its own" if own else f"that of {other.name}")
                both = hits | both
        if both:
            places = list(dict.fromkeys(places))
            some = first_of([both[row] for row in sorted(both)])
            where = ", ".join(places[:3]) + f" and {len(places) - 3} more" * (len(places) > 3)
            notes.append(
                f"{len(both)} of {len(test)} test examples of {domain.name} stand in a training split, {where} "
                f"({some}): figures on them are not of unseen examples. Remove them, or split alike (&split=, &group=)."
            )
    return tuple(dict.fromkeys(notes))


def first_of(found: Sequence[str]) -> str:
    """The first three of them in one line."""
    return "; ".join(found[:3]) + (", ..." if len(found) > 3 else "")


def _hashed(domain: Domain, split: str) -> list:
    """Of each example something that is equal where the content is: of texts the texts themselves."""
    return list(domain.texts[split]) if split in domain.texts else hashes(domain.splits[split].x)
