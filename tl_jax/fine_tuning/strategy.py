"""What a strategy of fine-tuning is made of."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tl_jax.core.types import Network, Tree
from tl_jax.fine_tuning.layout import Layout
from tl_jax.methods.contract import Method
from tl_jax.training.freezing import Rule


class Strategy(NamedTuple):
    """rules(layout, total steps) -> freezing rules; pretrained: whether it begins from the source's weights;
    cached: whether the trunk's features can be computed once; adapt: what it adds to the network; merge: from its
    parameters those of the plain network that computes the same, None where there is none; method: what it does in the
    place of the method; named: whether it makes no sense but on a head that begins as the names of classes;
    context: how many learned words stand before these in the text tower (models/context.py)."""

    rules: Callable[[Layout, int], tuple[Rule, ...]]
    pretrained: bool = True
    cached: bool = False
    adapt: Callable[[Network], Network] = lambda network: network
    merge: Callable[[Tree], Tree] | None = None
    method: Method | None = None
    named: bool = False
    context: int = 0


def set_to(net: Layout, blocks: Sequence[tuple[str, ...]], action: str) -> tuple[Rule, ...]:
    """A rule for every path of the blocks."""
    return tuple((path if path in net.bare else f"{path}/*", action) for block in blocks for path in block)


def trunk_frozen(net: Layout, total: int) -> tuple[Rule, ...]:
    """All blocks but the head."""
    return set_to(net, net.blocks[:-1], "frozen")
