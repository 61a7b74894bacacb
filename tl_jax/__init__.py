"""Transfer learning and domain adaptation in JAX."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tl_jax.api import fit, fit_tasks, load
    from tl_jax.data.domain import Domain, Examples
    from tl_jax.estimator import Adapted
    from tl_jax.programs.trained.model import TrainedModel
    from tl_jax.programs.trained.streamed import StreamModel
    from tl_jax.programs.trained.tasks import TasksModel
    from tl_jax.run.conclude import Result

__all__ = [
    "Adapted",
    "Domain",
    "Examples",
    "Result",
    "StreamModel",
    "TasksModel",
    "TrainedModel",
    "fit",
    "fit_tasks",
    "load",
]
# Imported when they are asked for: a worker of a sweep listens to signals before JAX is loaded, which takes seconds.
_HOMES = {
    "Adapted": "tl_jax.estimator",
    "fit": "tl_jax.api",
    "fit_tasks": "tl_jax.api",
    "load": "tl_jax.api",
    "Domain": "tl_jax.data.domain",
    "Examples": "tl_jax.data.domain",
    "Result": "tl_jax.run.conclude",
    "StreamModel": "tl_jax.programs.trained.streamed",
    "TasksModel": "tl_jax.programs.trained.tasks",
    "TrainedModel": "tl_jax.programs.trained.model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tl_jax' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
