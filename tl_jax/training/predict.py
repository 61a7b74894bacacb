"""What a trial says of examples: by its method or the network, and by averaged weights where there are some.

An average is a_t = sum_{i=1..t} d^(t-i) w_i / sum_{i=1..t} d^(t-i), w_i the weights after step i: bias-corrected, so
that where training began counts for nothing. Parameters alone are averaged; statistics of batch normalisation are those
that the weights in training leave, a moving average by themselves. It lies with the optimiser's state and is of what is
trained: frozen parameters cost none, and what thaws begins with what it was. Polyak & Juditsky 1992; AdaMatch (arXiv
2106.04732) has d = .999.
"""

import math
from collections.abc import Mapping

import jax.numpy as jnp

from tl_jax.core.types import Array, Output
from tl_jax.methods.contract import Method
from tl_jax.training.forward import stats_of
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import State, model_of

AVERAGE = "average"


def averages(method: Method) -> bool:
    """Whether a method's predictions may go by averaged weights: not where nothing is trained, nor where they are made
    by what it remembers of the weights in training (a teacher, an average of its own, statistics of the target)."""
    remembers = method.after or method.refresh or method.survey
    return method.trained and not (method.predict is not None and remembers)


def with_average(state: State, decay: float, factors: Mapping[str, float]) -> State:
    """The state with an average of what is trained, as it stands; without one where the decay is 0."""
    if not decay:
        return state
    return state._replace(opt={**state.opt, AVERAGE: {path: x for path, x in state.params.items() if factors[path]}})


def average_moved(state: State, decay: float) -> State:
    """The state after a step, with its average: a + (1 - d) / (1 - d^t) (w - a), t the steps so far."""
    if not decay:
        return state
    t = (state.step + 1).astype(jnp.float32)
    rate = (1 - decay) / -jnp.expm1(t * math.log(decay))
    average = {path: a + rate * (state.params[path] - a) for path, a in state.opt[AVERAGE].items()}
    return state._replace(opt={**state.opt, AVERAGE: average})


def averaged(state: State) -> State:
    """The state whose parameters are those to predict with; also of stacked states."""
    return state._replace(params={**state.params, **state.opt.get(AVERAGE, {})})


def predicted(recipe: Recipe, state: State, x: Array, domain: str) -> Output:
    """Outputs of one trial on x [n, ...] by its averaged weights, where it has some.

    By the statistics of the domain ("source0", "source1", ... or "target").
    """
    model = model_of(averaged(state))
    model = model._replace(stats=stats_of(model.stats, domain))
    if recipe.method.predict is not None:
        return recipe.method.predict(recipe.network, model, x, domain)
    return recipe.network.apply(model.params, model.stats, x)[0]
