"""Packages that are extras: imported where they are asked for, by nothing else."""

import importlib
from typing import Any

from tl_jax.core.errors import UserError

PACKAGES = {"tensorboardX": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}
"""{package: the extra that brings it}."""


def needed(package: str, flag: str) -> Any:
    """The module of a package; flag: what asks for it. Raises UserError with the line that installs it if missing."""
    try:
        return importlib.import_module(package)
    except ImportError:
        extra = PACKAGES[package]
        message = f"{flag}={extra} needs {package}: pip install 'tl_jax[{extra}]', or pip install {package}."
        raise UserError(message) from None
