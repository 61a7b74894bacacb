"""Arrays of MATLAB and LIBSVM files whose layout is known."""

from collections.abc import Sequence
from typing import Any

from tl_jax.core.errors import UserError


def matlab(source: Any, name: str, *keys: str) -> list[Any]:
    """The arrays of those names in a MATLAB file. Raises UserError where it is none, or is not whole."""
    from scipy.io import loadmat

    try:
        file = loadmat(source)
        return [file[key] for key in keys]
    except Exception as error:  # a file that was cut, or is another, ends in one of many
        raise UserError(
            f"{name} is not the MATLAB file with {' and '.join(keys)} ({type(error).__name__}: {error}). Get it again."
        ) from None


def svmlight(sources: Sequence[Any], name: str, **options: Any) -> list[Any]:
    """x, y, x_test, y_test of two LIBSVM files. Raises UserError where they are none, or are not whole."""
    from sklearn.datasets import load_svmlight_files

    try:
        return list(load_svmlight_files(sources, **options))
    except Exception as error:  # as above
        raise UserError(
            f"{name} are not the files in LIBSVM's format ({type(error).__name__}: {error}). Get them again."
        ) from None
