"""Transfer learning and domain adaptation in JAX."""

from tl_jax.api import fit, fit_tasks
from tl_jax.data.domain import Domain, Examples
from tl_jax.run.conclude import Result

__all__ = ["Domain", "Examples", "Result", "fit", "fit_tasks"]
