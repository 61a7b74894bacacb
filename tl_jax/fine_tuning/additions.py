"""Strategies that add parameters of their own to a frozen trunk (what they are: a file each)."""

from tl_jax.core.errors import UserError
from tl_jax.fine_tuning.adapters import with_adapters
from tl_jax.fine_tuning.ia3 import merged as with_scales
from tl_jax.fine_tuning.ia3 import with_ia3
from tl_jax.fine_tuning.lora import merged, scale_of, with_lora
from tl_jax.fine_tuning.prefix import with_prefix
from tl_jax.fine_tuning.prompts import with_prompts
from tl_jax.fine_tuning.strategy import Strategy, trunk_frozen


def lora(rank: int = 4, alpha: float = 4.0, form: str = "lora", on: str | tuple[str, ...] = "*") -> Strategy:
    """W + (alpha / rank) A B with W frozen, on kernels under the head (Hu et al. 2022, arXiv:2106.09685).

    form: "rslora" has alpha / sqrt(rank) (arXiv:2312.03732), "dora" besides a length for each column
    (arXiv:2402.09353). on: globs of the kernels' paths, as in "*/attention/*" or ("*/attention/*", "*/dense?/*").
    """
    if rank < 1:
        raise UserError(f"lora(rank={rank}): a rank is at least 1.")
    return Strategy(
        trunk_frozen,
        adapt=lambda network: with_lora(network, rank, alpha, form=form, on=on),
        merge=lambda params: merged(params, scale_of(rank, alpha, form)),
    )


def ia3() -> Strategy:
    """Keys, values and inner activations of a frozen transformer times vectors (Liu et al. 2022, arXiv:2205.05638)."""
    return Strategy(trunk_frozen, adapt=with_ia3, merge=with_scales)


def vpt(prompts: int = 10, deep: bool = True) -> Strategy:
    """Learned tokens in every block of a frozen ViT, not deep: in the first (Jia et al. 2022, arXiv:2203.12119)."""
    if prompts < 1:
        raise UserError(f"vpt(prompts={prompts}): at least one is needed.")
    return Strategy(trunk_frozen, adapt=lambda network: with_prompts(network, prompts, deep))


def prefix(count: int = 10) -> Strategy:
    """Learned keys and values in every attention of a frozen transformer (Li & Liang 2021, arXiv:2101.00190)."""
    if count < 1:
        raise UserError(f"prefix(count={count}): at least one is needed.")
    return Strategy(trunk_frozen, adapt=lambda network: with_prefix(network, count))


def adapter(width: int = 16) -> Strategy:
    """A thin residual layer after every block of the frozen trunk (Houlsby et al. 2019, arXiv:1902.00751)."""
    return Strategy(trunk_frozen, adapt=lambda network: with_adapters(network, width))
