"""Strategies of fine-tuning: which parameters of a pretrained network move, when and how fast.

A strategy turns the network's blocks, in the order in which an input meets them, into freezing rules; the
head is new and always trained. `lora`, `adapter`, `ia3` and `vpt` add parameters of their own (a file each).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tl_jax.core.errors import UserError
from tl_jax.core.types import Network, Tree
from tl_jax.fine_tuning.adapters import with_adapters
from tl_jax.fine_tuning.ia3 import merged as with_scales
from tl_jax.fine_tuning.ia3 import with_ia3
from tl_jax.fine_tuning.layout import Layout
from tl_jax.fine_tuning.lora import merged, scale_of, with_lora
from tl_jax.fine_tuning.prompts import with_prompts
from tl_jax.methods.contract import Method
from tl_jax.methods.prototypical import prototypical as class_means
from tl_jax.training.freezing import Rule


class Strategy(NamedTuple):
    """rules(layout, total steps) -> freezing rules; pretrained: whether it begins from the source's weights;
    cached: whether the trunk's features can be computed once; adapt: what it adds to the network; merge: from its
    parameters those of the plain network that computes the same, None where there is none; method: what it does in the
    place of the method."""

    rules: Callable[[Layout, int], tuple[Rule, ...]]
    pretrained: bool = True
    cached: bool = False
    adapt: Callable[[Network], Network] = lambda network: network
    merge: Callable[[Tree], Tree] | None = None
    method: Method | None = None


def _set(net: Layout, blocks: Sequence[tuple[str, ...]], action: str) -> tuple[Rule, ...]:
    return tuple((path if path in net.bare else f"{path}/*", action) for block in blocks for path in block)


def _trunk_frozen(net: Layout, total: int) -> tuple[Rule, ...]:
    return _set(net, net.blocks[:-1], "frozen")


def scratch() -> Strategy:
    """No transfer: all parameters from a random start. The baseline of every gain."""
    return Strategy(lambda net, total: (), pretrained=False)


def full() -> Strategy:
    """All parameters from the pretrained ones."""
    return Strategy(lambda net, total: ())


def linear_probe() -> Strategy:
    """The head alone; the trunk keeps its weights and statistics, dropout stays as the network has it."""
    return Strategy(_trunk_frozen)


def feature_extraction() -> Strategy:
    """The head on features that are computed once, without dropout, and kept on disk."""
    return Strategy(_trunk_frozen, cached=True)


def last_k(k: int = 2) -> Strategy:
    """The last k blocks, the head being the last (Yosinski et al. 2014, arXiv:1411.1792)."""

    def rules(net: Layout, total: int) -> tuple[Rule, ...]:
        if not 1 <= k <= len(net.blocks):
            raise UserError(f"last_k(k={k}): the network has {len(net.blocks)} blocks ({_names(net)}). Use 1 to that.")
        return _set(net, net.blocks[:-k], "frozen")

    return Strategy(rules)


def surgical(block: int = 0) -> Strategy:
    """One block (0 is next to the input) and the head (Lee et al. 2023, arXiv:2210.11466)."""

    def rules(net: Layout, total: int) -> tuple[Rule, ...]:
        if not 0 <= block < len(net.blocks):
            raise UserError(
                f"surgical(block={block}): the network's blocks are 0 to {len(net.blocks) - 1} ({_names(net)})."
            )
        return _set(net, [b for i, b in enumerate(net.blocks[:-1]) if i != block], "frozen")

    return Strategy(rules)


def bn_only() -> Strategy:
    """Scales, shifts and statistics of normalisation, and the head (Frankle et al. 2021, arXiv:2003.00152)."""

    def rules(net: Layout, total: int) -> tuple[Rule, ...]:
        if not net.norms:
            raise UserError("bn_only: this network has no batch normalisation. Use bitfit or linear_probe.")
        return (*((f"{module}/*", "1") for module in net.norms), *_set(net, net.blocks[:-1], "frozen"))

    return Strategy(rules)


def bitfit() -> Strategy:
    """Biases and the head (Ben Zaken et al. 2022, arXiv:2106.10199)."""
    return Strategy(lambda net, total: (("*/bias", "1"), *_set(net, net.blocks[:-1], "frozen")))


def lp_ft(share: float = 0.5) -> Strategy:
    """The head alone for a share of the steps, then everything (Kumar et al. 2022, arXiv:2202.10054)."""
    return Strategy(lambda net, total: _set(net, net.blocks[:-1], f"frozen@{_at(share, total)}"))


def gradual_unfreeze() -> Strategy:
    """The head first, then one block more, from the top, at equal intervals (Howard & Ruder 2018, arXiv:1801.06146)."""

    def rules(net: Layout, total: int) -> tuple[Rule, ...]:
        lower, n = net.blocks[:-1], len(net.blocks)
        return tuple(
            rule for i, b in enumerate(lower) for rule in _set(net, [b], f"frozen@{_at((n - 1 - i) / n, total)}")
        )

    return Strategy(rules)


def layer_decay(factor: float = 0.65) -> Strategy:
    """Learning rates factor^depth, depth counted from the head (Bao et al. 2022, arXiv:2106.08254)."""

    def rules(net: Layout, total: int) -> tuple[Rule, ...]:
        n = len(net.blocks)
        return tuple(
            rule for i, b in enumerate(net.blocks[:-1]) for rule in _set(net, [b], f"{factor ** (n - 1 - i):.6g}")
        )

    return Strategy(rules)


def lora(rank: int = 4, alpha: float = 4.0, form: str = "lora", on: str | tuple[str, ...] = "*") -> Strategy:
    """W + (alpha / rank) A B with W frozen, on kernels under the head (Hu et al. 2022, arXiv:2106.09685).

    form: "rslora" has alpha / sqrt(rank) (arXiv:2312.03732), "dora" besides a length for each column
    (arXiv:2402.09353). on: globs of the kernels' paths, as in "*/attention/*" or ("*/attention/*", "*/dense?/*").
    """
    if rank < 1:
        raise UserError(f"lora(rank={rank}): a rank is at least 1.")
    return Strategy(
        _trunk_frozen,
        adapt=lambda network: with_lora(network, rank, alpha, form=form, on=on),
        merge=lambda params: merged(params, scale_of(rank, alpha, form)),
    )


def ia3() -> Strategy:
    """Keys, values and inner activations of a frozen transformer times vectors (Liu et al. 2022, arXiv:2205.05638)."""
    return Strategy(_trunk_frozen, adapt=with_ia3, merge=with_scales)


def vpt(prompts: int = 10, deep: bool = True) -> Strategy:
    """Learned tokens in every block of a frozen ViT, not deep: in the first (Jia et al. 2022, arXiv:2203.12119)."""
    if prompts < 1:
        raise UserError(f"vpt(prompts={prompts}): at least one is needed.")
    return Strategy(_trunk_frozen, adapt=lambda network: with_prompts(network, prompts, deep))


def adapter(width: int = 16) -> Strategy:
    """A thin residual layer after every block of the frozen trunk (Houlsby et al. 2019, arXiv:1902.00751)."""
    return Strategy(_trunk_frozen, adapt=lambda network: with_adapters(network, width))


def prototypical() -> Strategy:
    """No training: the nearest class mean of the trunk's features (Snell et al. 2017, arXiv:1703.05175)."""
    return Strategy(lambda net, total: (), cached=True, method=class_means())


def nearest_mean() -> Strategy:
    """The same on centred features of length 1 (Wang et al. 2019, arXiv:1911.04623, CL2N)."""
    return Strategy(lambda net, total: (), cached=True, method=class_means(form="unit"))


def _at(share: float, total: int) -> int:
    return max(1, round(share * total))


def _names(net: Layout) -> str:
    return ", ".join(block[0] for block in net.blocks)


STRATEGIES: Mapping[str, Callable[..., Strategy]] = {
    "scratch": scratch,
    "full": full,
    "linear_probe": linear_probe,
    "feature_extraction": feature_extraction,
    "last_k": last_k,
    "surgical": surgical,
    "bn_only": bn_only,
    "bitfit": bitfit,
    "lp_ft": lp_ft,
    "gradual_unfreeze": gradual_unfreeze,
    "layer_decay": layer_decay,
    "lora": lora,
    "adapter": adapter,
    "ia3": ia3,
    "vpt": vpt,
    "prototypical": prototypical,
    "nearest_mean": nearest_mean,
}
