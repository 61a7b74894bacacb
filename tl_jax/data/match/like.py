"""New examples in the form of those that a model was trained on: one kind, the same columns, one shape."""

from typing import Any

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain, Examples, changed, known
from tl_jax.data.door import inputs
from tl_jax.data.match.classes import renamed
from tl_jax.data.match.shapes import brought, in_order, same_kind

NONE = np.zeros(0, object)


def given(x: Any, first: Domain) -> Domain:
    """What Python hands over as x through the door, in the form of `first` (see `like`): all of it in train."""
    modality, arrays, columns, _ = inputs("x", {"train": x}, first.modality, first.vocabulary, ())
    part = Examples(arrays["train"], np.full(len(arrays["train"]), -1, np.int32))
    fields: dict[str, Any] = {"name": "x", "modality": modality, "features": columns}
    fields |= {"ids": {}, "texts": {}, "notes": ()}
    return like(_of_one(changed(first, **fields), part), first)


def joined(domain: Domain) -> Domain:
    """The domain with the examples of all splits in train, each once: one of two splits is known by its name."""
    kept, names, texts = [], [], []
    seen: dict[str, np.ndarray] = {}
    whole: list[tuple[list[str], np.ndarray]] = []
    twice = lambda name, x: name in seen and np.array_equal(seen[name], x)
    for split, part in domain.splits.items():
        ids = [str(name) for name in domain.ids.get(split, ())] or [f"{split} {i}" for i in range(len(part.x))]
        if any(ids == before and np.array_equal(part.x, x) for before, x in whole):
            continue  # a file that is not split is every one of them: all its rows at once, not one by one
        whole.append((ids, part.x))
        rows = [i for i, name in enumerate(ids) if not twice(name, part.x[i])]
        seen |= {ids[i]: part.x[i] for i in rows}
        names += [ids[i] for i in rows]
        texts += [domain.texts[split][i] for i in rows] if domain.texts else []
        kept.append(part if len(rows) == len(ids) else Examples(part.x[rows], part.y[rows]))
    kept = [part for part in kept if len(part.x)]
    every = kept[0] if len(kept) == 1 else Examples(*map(np.concatenate, zip(*kept, strict=True)))
    written = {"train": np.array(texts, object), "validation": NONE, "test": NONE} if texts else {}
    return changed(_of_one(domain, every), ids={"train": np.array(names, np.str_)}, texts=written)


def _of_one(domain: Domain, part: Examples) -> Domain:
    none = Examples(part.x[:0], part.y[:0])
    return changed(domain, train=part, validation=none, test=none)


def like(domain: Domain, first: Domain) -> Domain:
    """The domain with examples as `first` has them: pictures of its size and colour, texts and waves of its length.

    Raises UserError for another modality, rate or vocabulary, other columns, another width, and what is longer.
    """
    same_kind(first, domain)
    domain = in_order(domain, first)
    shape, found = first.train.x.shape[1:], domain.train.x.shape[1:]
    if domain.modality in ("text", "sound") and found[0] > shape[0]:
        if domain.train.x[:, shape[0] :].any():
            raise UserError(
                f"{domain.name}: examples are up to {found[0]} long; those that the model was trained on had at most "
                f"{shape[0]}. Cut them to that, as in x[:, :{shape[0]}]."
            )
        cut = {name: Examples(part.x[:, : shape[0]], part.y) for name, part in domain.splits.items()}
        domain = changed(domain, **cut)
    elif domain.modality in ("vector", "series") and found != shape:
        raise UserError(
            f"{domain.name}: examples have the shape {list(found)}; the model was trained on {list(shape)}: the "
            "features must be the same, column by column."
        )
    return brought(domain, shape)


def labels_like(domain: Domain, first: Domain) -> tuple[np.ndarray, str]:
    """The labels of train as `first` numbers them, and what is to be said of those that it lacks.

    Classes go by their names: -1 (of values NaN) where the label is unknown, len(classes) where the class is.
    """
    y = domain.train.y
    if not known(y).any():
        return y, ""
    if bool(domain.classes) != bool(first.classes):
        kinds = [("classes" if one.classes else "values") for one in (domain, first)]
        return np.full(
            len(y), -1, np.int32
        ), f"{domain.name} has {kinds[0]} as labels, the model {kinds[1]}: not scored"
    y = renamed(domain, first.classes).train.y
    if not first.classes or not (strange := [name for name in domain.classes if name not in first.classes]):
        return y, ""
    few = ", ".join(strange[:5]) + (", ..." if len(strange) > 5 else "")
    others = int((y == len(first.classes)).sum())
    return y, f"{others} of {len(y)} examples are of classes that the model does not know ({few})"
