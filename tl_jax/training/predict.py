"""What a trial says of examples: as its method predicts, or as the network does."""

from tl_jax.core.types import Array, Output
from tl_jax.training.forward import stats_of
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import State, model_of


def predicted(recipe: Recipe, state: State, x: Array, domain: str) -> Output:
    """Outputs of one trial on x [n, ...], by the statistics of the domain ("source0", "source1", ... or "target")."""
    model = model_of(state)
    model = model._replace(stats=stats_of(model.stats, domain))
    if recipe.method.predict is not None:
        return recipe.method.predict(recipe.network, model, x, domain)
    return recipe.network.apply(model.params, model.stats, x)[0]
