"""Names of the parameters of EfficientNet-B0 and DenseNet."""

from collections.abc import Callable
from itertools import accumulate

from tl_jax.models.names.conv import BLOCK
from tl_jax.models.names.layouts import CONV_1X1
from tl_jax.models.names.rules import Naming, Rule, fixed

STARTS = tuple(accumulate((1, 2, 2, 3, 3, 4, 1), initial=0))
"""Blocks of EfficientNet-B0 before each stage."""
PARTS = ("expand", "norm1", "depthwise", "norm2", "squeeze", "excite", "project", "norm3")


def _place(block: int) -> tuple[int, int]:
    """The stage and the place in it of a block, both from 0."""
    stage = max(s for s, start in enumerate(STARTS) if start < block)
    return stage, block - 1 - STARTS[stage]


def _timm(block: int) -> str:
    stage, place = _place(block)
    return f"blocks.{stage}.{place}."


def _torchvision(block: int) -> str:
    stage, place = _place(block)
    return f"features.{stage + 1}.{place}.block."


def _part(place: Callable[[int], str], name: str, pattern: str) -> tuple[Rule, ...]:
    usual = Rule(pattern, lambda b: place(b) + name)
    if not pattern.endswith(("squeeze", "excite")):
        return (usual,)
    return Rule(f"{pattern}/kernel", lambda b: f"{place(b)}{name}.weight", CONV_1X1), usual


def _blocks(place: Callable[[int], str], names: tuple[str, ...], which: str = r"\d+") -> tuple[Rule, ...]:
    """Rules for blocks; names: of the PARTS that these have, the last of which all have."""
    parts = zip(PARTS[-len(names) :], names, strict=True)
    return tuple(rule for part, name in parts for rule in _part(place, name, rf"block({which})/{part}"))


EFFICIENTNET = Naming(
    (
        fixed("conv1", "features.0.0"),
        fixed("norm1", "features.0.1"),
        fixed("conv2", "features.8.0"),
        fixed("norm2", "features.8.1"),
        *_blocks(_torchvision, ("0.0", "0.1", "1.fc1", "1.fc2", "2.0", "2.1"), "1"),
        *_blocks(_torchvision, ("0.0", "0.1", "1.0", "1.1", "2.fc1", "2.fc2", "3.0", "3.1")),
    ),
    "classifier.1",
)
SQUEEZE = ("se.conv_reduce", "se.conv_expand")
EFFICIENTNET_TIMM = Naming(
    (
        fixed("conv1", "conv_stem"),
        fixed("norm1", "bn1"),
        fixed("conv2", "conv_head"),
        fixed("norm2", "bn2"),
        *_blocks(_timm, ("conv_dw", "bn1", *SQUEEZE, "conv_pw", "bn2"), "1"),
        *_blocks(_timm, ("conv_pw", "bn1", "conv_dw", "bn2", *SQUEEZE, "conv_pwl", "bn3")),
    ),
    "classifier",
)
HF_PARTS = (
    "expansion.expand_conv",
    "expansion.expand_bn",
    "depthwise_conv.depthwise_conv",
    "depthwise_conv.depthwise_norm",
    "squeeze_excite.reduce",
    "squeeze_excite.expand",
    "projection.project_conv",
    "projection.project_bn",
)
EFFICIENTNET_HF = Naming(
    (
        fixed("conv1", "embeddings.convolution"),
        fixed("norm1", "embeddings.batchnorm"),
        fixed("conv2", "encoder.top_conv"),
        fixed("norm2", "encoder.top_bn"),
        *_blocks(lambda block: f"encoder.blocks.{block - 1}.", HF_PARTS),
    ),
    "classifier",
    "efficientnet.",
)


def _densenet(dot: str) -> Naming:
    """dot: between the name and the number of what a layer consists of."""
    layer = "features.denseblock{}.denselayer{}."
    return Naming(
        (
            fixed("conv1", "features.conv0"),
            fixed("norm1", "features.norm0"),
            fixed("norm2", "features.norm5"),
            Rule(r"stage(\d+)/norm", lambda s: f"features.transition{s - 1}.norm"),
            Rule(r"stage(\d+)/conv", lambda s: f"features.transition{s - 1}.conv"),
            Rule(BLOCK + r"norm(\d)", lambda s, b, k: f"{layer.format(s, b)}norm{dot}{k}"),
            Rule(BLOCK + r"conv(\d)", lambda s, b, k: f"{layer.format(s, b)}conv{dot}{k}"),
        ),
        "classifier",
    )


DENSENET, DENSENET_OLD = _densenet(""), _densenet(".")
"""Torchvision's and timm's; and those of the files that torchvision still publishes, which it renames on reading."""
