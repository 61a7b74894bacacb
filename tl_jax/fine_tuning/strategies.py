"""Strategies of fine-tuning: which parameters of a pretrained network move, when and how fast.

A strategy turns the network's blocks, in the order in which an input meets them, into freezing rules; the
head is new and always trained. `lora`, `adapter`, `ia3`, `vpt` and `prefix` add parameters of their own (additions.py).
"""

from collections.abc import Callable, Mapping

from tl_jax.core.errors import UserError
from tl_jax.fine_tuning.additions import adapter, ia3, lora, prefix, vpt
from tl_jax.fine_tuning.layout import Layout
from tl_jax.fine_tuning.strategy import Strategy, set_to, trunk_frozen
from tl_jax.methods.prototypical import prototypical as class_means
from tl_jax.methods.tip_adapter import as_it_begins
from tl_jax.methods.tip_adapter import tip_adapter as cache_of_features
from tl_jax.training.freezing import Rule


def scratch() -> Strategy:
    """No transfer: all parameters from a random start. The baseline of every gain."""
    return Strategy(lambda net, total: (), pretrained=False)


def full() -> Strategy:
    """All parameters from the pretrained ones."""
    return Strategy(lambda net, total: ())


def linear_probe() -> Strategy:
    """The head alone; the trunk keeps its weights and statistics, dropout stays as the network has it."""
    return Strategy(trunk_frozen)


def feature_extraction() -> Strategy:
    """The head on features that are computed once, without dropout, and kept on disk."""
    return Strategy(trunk_frozen, cached=True)


def last_k(k: int = 2) -> Strategy:
    """The last k blocks, the head being the last (Yosinski et al. 2014, arXiv:1411.1792)."""

    def rules(net: Layout, total: int) -> tuple[Rule, ...]:
        if not 1 <= k <= len(net.blocks):
            raise UserError(f"last_k(k={k}): the network has {len(net.blocks)} blocks ({_names(net)}). Use 1 to that.")
        return set_to(net, net.blocks[:-k], "frozen")

    return Strategy(rules)


def surgical(block: int = 0) -> Strategy:
    """One block (0 is next to the input) and the head (Lee et al. 2023, arXiv:2210.11466)."""

    def rules(net: Layout, total: int) -> tuple[Rule, ...]:
        if not 0 <= block < len(net.blocks):
            raise UserError(
                f"surgical(block={block}): the network's blocks are 0 to {len(net.blocks) - 1} ({_names(net)})."
            )
        return set_to(net, [b for i, b in enumerate(net.blocks[:-1]) if i != block], "frozen")

    return Strategy(rules)


def bn_only() -> Strategy:
    """Scales, shifts and statistics of normalisation, and the head (Frankle et al. 2021, arXiv:2003.00152)."""

    def rules(net: Layout, total: int) -> tuple[Rule, ...]:
        if not net.norms:
            raise UserError("bn_only: this network has no batch normalisation. Use bitfit or linear_probe.")
        return (*((f"{module}/*", "1") for module in net.norms), *set_to(net, net.blocks[:-1], "frozen"))

    return Strategy(rules)


def bitfit() -> Strategy:
    """Biases and the head (Ben Zaken et al. 2022, arXiv:2106.10199)."""
    return Strategy(lambda net, total: (("*/bias", "1"), *set_to(net, net.blocks[:-1], "frozen")))


def lp_ft(share: float = 0.5) -> Strategy:
    """The head alone for a share of the steps, then everything (Kumar et al. 2022, arXiv:2202.10054)."""
    return Strategy(lambda net, total: set_to(net, net.blocks[:-1], f"frozen@{_at(share, total)}"))


def gradual_unfreeze() -> Strategy:
    """The head first, then one block more, from the top, at equal intervals (Howard & Ruder 2018, arXiv:1801.06146)."""

    def rules(net: Layout, total: int) -> tuple[Rule, ...]:
        lower, n = net.blocks[:-1], len(net.blocks)
        return tuple(
            rule for i, b in enumerate(lower) for rule in set_to(net, [b], f"frozen@{_at((n - 1 - i) / n, total)}")
        )

    return Strategy(rules)


def layer_decay(factor: float = 0.65) -> Strategy:
    """Learning rates factor^depth, depth counted from the head (Bao et al. 2022, arXiv:2106.08254)."""

    def rules(net: Layout, total: int) -> tuple[Rule, ...]:
        n = len(net.blocks)
        return tuple(
            rule for i, b in enumerate(net.blocks[:-1]) for rule in set_to(net, [b], f"{factor ** (n - 1 - i):.6g}")
        )

    return Strategy(rules)


def prototypical() -> Strategy:
    """No training: the nearest class mean of the trunk's features (Snell et al. 2017, arXiv:1703.05175)."""
    return Strategy(lambda net, total: (), cached=True, method=class_means())


def nearest_mean() -> Strategy:
    """The same on centred features of length 1 (Wang et al. 2019, arXiv:1911.04623, CL2N)."""
    return Strategy(lambda net, total: (), cached=True, method=class_means(form="unit"))


def zero_shot() -> Strategy:
    """No training and no labels: the head as it begins, of the names of the classes (arXiv 2103.00020)."""
    return Strategy(lambda net, total: (), cached=True, method=as_it_begins(), named=True)


def tip_adapter(alpha: float = 1.0, beta: float = 5.5, tuned: bool = False) -> Strategy:
    """The head of names and a cache of the labelled features; tuned: its keys are trained (arXiv 2207.09519)."""
    method = cache_of_features(alpha=alpha, beta=beta, tuned=tuned)
    return Strategy(lambda net, total: (), cached=True, method=method, named=True)


def coop(context: int = 16) -> Strategy:
    """Learned words before the names of the classes, through the frozen text tower; else nothing moves (CoOp).

    Zhou et al. 2022, arXiv 2109.01134: one context for all classes, the name at the end, drawn with deviation .02.
    """
    frozen = (("head/text/*", "frozen"), ("head/scale", "frozen"))
    return Strategy(lambda net, total: (*frozen, *trunk_frozen(net, total)), named=True, context=context)


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
    "prefix": prefix,
    "prototypical": prototypical,
    "nearest_mean": nearest_mean,
    "zero_shot": zero_shot,
    "tip_adapter": tip_adapter,
    "coop": coop,
}
