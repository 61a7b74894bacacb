"""What share each term has of the loss: from what was logged, and from how the method weighs its terms."""

import itertools
import math
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.schedules import LAM_SCHEDULES
from tl_jax.core.types import At
from tl_jax.methods import named_method
from tl_jax.methods.contract import Method
from tl_jax.run.settings.config import Config

Logged = Mapping[str, Mapping[int, float]]
NO_TERMS = ("total", "grad_norm")
NEAR = 0.05
"""How far the terms may be from the loss, of it: what is logged is a mean over steps, whose weights move."""
SAME = 1e-3
MOST = 10
"""Numbers beside which terms are not looked for any more: there are too many sets of them."""


def method_of(job: str, table: Mapping[str, Callable[..., Method]]) -> Method | None:
    """The method of a job; None of a strategy's job, or where it cannot be made any more."""
    try:
        return named_method(job, table)[1]
    except UserError:
        return None


def weights(method: Method, config: Config, values: Mapping[str, float], step: float, steps: int) -> Callable:
    """name of a term -> its weight at a step, as `training/objective.py` has it."""
    progress = jnp.float32(step / max(steps, 1))
    lam = values.get("lam", 0.0) * LAM_SCHEDULES[config.lam_schedule or method.lam_schedule](progress)
    scalars = {name: jnp.float32(value) for name, value in values.items()}
    at = At(jnp.int32(step), progress, jnp.float32(lam), scalars, jax.random.key(0))
    named = {"source": 1.0, **method.weights(at)}
    return lambda name: float(named.get(name, lam))


def weighted(logged: Logged, of: Callable[[float], Callable[[str], float]]) -> dict[str, dict[int, float]]:
    """{term: {step: its weighted share of the loss}}; {} where no terms add up to it (several phases, many terms).

    of(step) -> name -> weight. Names that were logged are terms and other numbers: the terms are those that, weighted,
    add up to the total at every evaluation. A share can be below zero, where a term is.
    """
    total = logged.get("total", {})
    names = [
        name for name in logged if name not in NO_TERMS and "/" not in name and logged[name].keys() >= total.keys()
    ]
    if not total or not names or len(names) > MOST:
        return {}
    parts: dict[str, dict[int, float]] = {name: {} for name in names}
    before = 0
    for step in sorted(total):
        weight = of((before + step) / 2)
        for name in names:
            parts[name][step] = weight(name) * logged[name][step]
        before = step
    sets = [s for k in range(len(names), 0, -1) for s in itertools.combinations(names, k)]
    off = [_off(s, parts, total) for s in sets]
    if min(off) > NEAR:
        return {}
    best = next(
        s for s, o in zip(sets, off, strict=True) if o <= min(off) + SAME
    )  # the largest: of terms that vanish, too
    size = {step: sum(abs(parts[name][step]) for name in best) or 1.0 for step in total}
    return {name: {step: parts[name][step] / size[step] for step in total} for name in best}


def _off(names: tuple[str, ...], parts: Logged, total: Mapping[int, float]) -> float:
    """The largest distance of their sum from the total, of the latter's size."""
    scale = max(map(abs, total.values())) or 1.0
    found = max(abs(sum(parts[name][step] for name in names) - total[step]) for step in total) / scale
    return found if math.isfinite(found) else math.inf
