"""The fit between sources and target: one shape, one order of classes, labels matched by class name."""

from collections.abc import Sequence

import numpy as np

from tl_jax.core.errors import require
from tl_jax.data.domain import Domain, changed, equal
from tl_jax.data.match.classes import LABEL_SPACES, check_classes, named, renamed
from tl_jax.data.match.shapes import alike

APART, ENOUGH = 10.0, 1000
"""So many times the deviation of another domain is asked about; examples that tell it."""


def matched(
    sources: Sequence[Domain], target: Domain, same_task: bool = True, label_space: str = "closed"
) -> tuple[tuple[Domain, ...], Domain]:
    """Sources and target alike in shape, with the first source's classes in its order.

    Where the target is another task (not `same_task`), its classes are its own unless their names are the source's.
    A domain none of whose labels is known takes the classes of the first that has some (of values: y is NaN).

    Images take the first source's size, and colour if any domain has it; waves and texts are padded to the longest.
    partial: the target's labels are numbered among all the source's. open, universal: the target's own classes are
    all numbered len(classes), which is no output of a network: training sees no target label, and evaluation may
    count that number as "unknown". Raises UserError where modalities, widths, rates or class sets do not fit.
    """
    require("label space", label_space, LABEL_SPACES)
    if not sources:
        return (), target
    *sources, target = named([*sources, target])
    first = sources[0]
    for source in sources[1:]:
        check_classes(first, source, "closed")
    if same_task:
        check_classes(first, target, label_space)
    own = not same_task and set(target.classes) != set(first.classes)
    ready = [renamed(domain, first.classes) for domain in sources]
    ready.append(target if own else renamed(target, first.classes))
    *ready, target = alike(ready)
    said = [*_scales(first, target), *(note for source in ready for note in _shared(source, target))]
    return tuple(ready), changed(target, notes=(*target.notes, *said))


def _shared(source: Domain, target: Domain) -> list[str]:
    """A note where a source and a target of another name have the same training examples."""
    if source.name == target.name or not equal(source.train.x, target.train.x):
        return []
    return [f"its training examples are those of {source.name}: its labels reach training through them"]


def _scales(first: Domain, other: Domain) -> list[str]:
    """A note where numbers are so much larger in one of two domains that only one may have been normalised."""
    if first.modality not in ("vector", "series"):
        return []
    ours, theirs = (float(domain.train.x[:ENOUGH].std(dtype=np.float64)) for domain in (first, other))
    if min(ours, theirs) == 0 or max(ours, theirs) <= APART * min(ours, theirs):
        return []
    return [f"deviation {theirs:.3g}, that of {first.name} is {ours:.3g}: was only one of the two normalised?"]
