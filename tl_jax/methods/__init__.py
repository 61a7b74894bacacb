"""The adaptation methods by name: one file each, none importing another."""

from collections.abc import Callable, Mapping

from tl_jax.methods.adabn import adabn
from tl_jax.methods.base import Method
from tl_jax.methods.cdan import cdan
from tl_jax.methods.dan import dan
from tl_jax.methods.dann import dann
from tl_jax.methods.deep_coral import deep_coral
from tl_jax.methods.fine_tune import fine_tune
from tl_jax.methods.fixmatch import fixmatch
from tl_jax.methods.joint import joint
from tl_jax.methods.mcc import mcc
from tl_jax.methods.mcd import mcd
from tl_jax.methods.mean_teacher import mean_teacher
from tl_jax.methods.shot import shot
from tl_jax.methods.source_only import source_only
from tl_jax.methods.target_only import target_only

METHODS: Mapping[str, Callable[..., Method]] = {
    "source_only": source_only,
    "target_only": target_only,
    "adabn": adabn,
    "dan": dan,
    "deep_coral": deep_coral,
    "dann": dann,
    "cdan": cdan,
    "mcd": mcd,
    "mcc": mcc,
    "fixmatch": fixmatch,
    "mean_teacher": mean_teacher,
    "shot": shot,
    "fine_tune": fine_tune,
    "joint": joint,
}
