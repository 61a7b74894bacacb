"""The adaptation methods by name: one file each, none importing another."""

from collections.abc import Callable, Mapping

from tl_jax.methods.base import Method
from tl_jax.methods.dann import dann
from tl_jax.methods.mcc import mcc
from tl_jax.methods.source_only import source_only
from tl_jax.methods.target_only import target_only

METHODS: Mapping[str, Callable[..., Method]] = {
    "source_only": source_only,
    "dann": dann,
    "mcc": mcc,
    "target_only": target_only,
}
