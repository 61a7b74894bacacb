"""Every strategy on every network, by shapes alone: which blocks train."""

import functools

import jax
import jax.numpy as jnp
import pytest

from tl_jax.core.trees import flatten
from tl_jax.fine_tuning.adapters import adapted, with_adapters
from tl_jax.fine_tuning.layout import layout
from tl_jax.fine_tuning.lora import with_lora
from tl_jax.fine_tuning.strategies import STRATEGIES
from tl_jax.models.networks import NETWORKS, build
from tl_jax.training.freezing import resolve

IDS, SERIES, IMAGE = ((2, 9), jnp.int32), ((2, 20, 3), jnp.float32), ((2, 32, 32, 3), jnp.float32)
ENCODERS = ("bert", "roberta", "distilbert", "minilm", "modernbert", "deberta_v3")
INPUTS = {
    **dict.fromkeys(("gru", "text_cnn", "text_transformer", *ENCODERS, "clip_text", "siglip_text"), IDS),
    "conv1d": SERIES,
    **dict.fromkeys(("audio_cnn", "wav2vec2", "hubert", "whisper_encoder", "ast"), ((2, 4000), jnp.float32)),
}
PAIRS = ("clip", "siglip", "clip_text", "siglip_text")
ARGUMENTS = {name: {"layers": 2, "width": 24} for name in (*ENCODERS, *PAIRS)}
ARGUMENTS |= {name: {"layers": 2, "width": 48} for name in ("wav2vec2", "hubert", "whisper_encoder", "ast")}
ARGUMENTS["dinov2"] = {"layers": 2, "width": 24, "patch": 16, "registers": 2}
"""Fewer layers of one kind, where there are many."""
FOUR = ["conv1 norm1", "stage1", "stage2", "stage3"]
ADDING = ("lora", "adapter", "ia3", "vpt", "prefix")
NORMED = [*FOUR, "stage4 norm2"]
VIT = ["embed class_token position", *(f"block{i}" for i in range(1, 12)), "block12 norm"]
BLOCKS = {
    "mlp": ["dense1"],
    "lenet": ["conv1 norm1", "conv2 norm2", "dense1"],
    "cnn": ["conv1 norm1", "conv2 norm2", "dense1"],
    "dtn": ["conv1 norm1", "conv2 norm2", "conv3 norm3", "dense1 norm4"],
    "vgg16": [*(f"conv{i}" for i in range(1, 14)), "dense1", "dense2"],
    **{name: [*FOUR, "stage4"] for name in ("resnet18", "resnet34", "resnet50", "resnet101")},
    "mobilenet_v2": ["conv1 norm1", *(f"block{i}" for i in range(1, 18)), "conv2 norm2"],
    **dict.fromkeys(("vit_tiny", "vit_small", "vit_base"), VIT),
    **dict.fromkeys(("convnext_tiny", "swin_tiny", "densenet121"), NORMED),
    "efficientnet_b0": ["conv1 norm1", *(f"block{i}" for i in range(1, 17)), "conv2 norm2"],
    "dinov2": ["embed class_token registers position", "block1", "block2 norm"],
    "gru": ["embedding", "gru1"],
    "conv1d": ["conv1 norm1", "conv2 norm2", "conv3 norm3"],
    "text_cnn": ["embedding", "conv3", "conv4", "conv5"],
    "text_transformer": ["embedding", "block1", "block2 norm"],
    **{name: ["embed", "block1", "block2"] for name in ENCODERS},
    "modernbert": ["embed", "block1", "block2 norm"],
    "deberta_v3": ["embed distance distance_norm", "block1", "block2"],
    "clip": ["embed class_token position pre_norm", "block1", "block2 norm", "projection"],
    "siglip": ["embed position", "block1", "block2 norm", "pool"],
    **{name: ["embed", "block1", "block2 norm", "projection"] for name in ("clip_text", "siglip_text")},
    "audio_cnn": ["conv1 norm1", "conv2 norm2", "conv3 norm3"],
    **{name: ["extract", "embed", "block1", "block2"] for name in ("wav2vec2", "hubert")},
    **{name: ["embed", "block1", "block2 norm"] for name in ("whisper_encoder", "ast")},
}
"""What stands under the bottleneck, from the input on."""
ALIKE = {"resnet34": "resnet18", "resnet101": "resnet50", "vit_small": "vit_tiny", "vit_base": "vit_tiny"}
ALIKE |= dict.fromkeys(("roberta", "distilbert", "minilm"), "bert")
ALIKE |= {"siglip_text": "clip_text", "hubert": "wav2vec2"}
"""Networks whose parameters have the names of another's, but for the number of blocks in a stage."""
SHOWN = sorted(set(NETWORKS) - set(ALIKE))


@functools.cache
def of(name):
    """(the network without a bottleneck, its layout, its paths)."""
    network = build(NETWORKS[name](bottleneck=0, **ARGUMENTS.get(name, {})), 3)
    shape, dtype = INPUTS.get(name, IMAGE)
    x = jax.ShapeDtypeStruct(shape, dtype)
    found = layout(network, x)
    paths = list(flatten(jax.eval_shape(network.init, jax.random.key(0), x)[0]))
    return network, x, found, paths


def trained(name, strategy, step=0):
    """The indices of the blocks that train, the head being the last, and whether each does as a whole."""
    _, _, net, paths = of(name)
    factors = resolve(strategy.rules(net, 100), paths, step)
    under = lambda block: [f for p, f in factors.items() if any(p == one or p.startswith(f"{one}/") for one in block)]
    found = [under(block) for block in net.blocks]
    assert sum(map(len, found)) == len(paths)  # every parameter lies in exactly one block
    return [i for i, fs in enumerate(found) if all(fs)], [i for i, fs in enumerate(found) if any(fs)]


@pytest.mark.parametrize("name", SHOWN)
def test_blocks_are_layers_with_their_normalisation(name):
    net = of(name)[2]
    assert [" ".join(p.removeprefix("backbone/") for p in block) for block in net.blocks] == [*BLOCKS[name], "head"]


def test_every_network_is_listed():
    assert set(BLOCKS) == set(NETWORKS)
    assert all(BLOCKS[name] == BLOCKS[other] for name, other in ALIKE.items())


@pytest.mark.parametrize("name", SHOWN)
def test_what_trains_under_every_strategy(name):
    net = of(name)[2]
    n = len(net.blocks)
    everything = list(range(n))
    exactly = lambda strategy, blocks, step=0: trained(name, strategy, step) == (blocks, blocks)
    for strategy in ("scratch", "full", "layer_decay", "prototypical", "nearest_mean"):
        assert exactly(STRATEGIES[strategy](), everything), strategy
    for strategy in ("linear_probe", "feature_extraction", "lp_ft", "gradual_unfreeze", *ADDING):
        assert exactly(STRATEGIES[strategy](), [n - 1]), strategy
    for k in range(1, n + 1):
        assert exactly(STRATEGIES["last_k"](k), everything[n - k :])
    assert exactly(STRATEGIES["surgical"](0), sorted({0, n - 1}))
    assert exactly(STRATEGIES["lp_ft"](0.5), everything, 50)
    for thawed in everything:
        assert exactly(STRATEGIES["gradual_unfreeze"](), everything[n - 1 - thawed :], -(-100 * thawed // n))
    assert trained(name, STRATEGIES["bitfit"]())[0][-1] == n - 1
    if net.norms:
        assert trained(name, STRATEGIES["bn_only"]())[0] == [n - 1]


@pytest.mark.parametrize("name", SHOWN)
def test_learning_rates_fall_by_one_factor_a_block(name):
    _, _, net, paths = of(name)
    factors = resolve(STRATEGIES["layer_decay"](0.5).rules(net, 100), paths)
    for i, block in enumerate(net.blocks):
        for one in block:
            assert {f for p, f in factors.items() if p == one or p.startswith(f"{one}/")} == {
                float(f"{0.5 ** (len(net.blocks) - 1 - i):.6g}")
            }


LARGE = ("densenet121", "efficientnet_b0")
"""Whose shapes take seconds."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in LARGE else ()) for n in SHOWN])
def test_every_block_with_a_kernel_is_adapted(name):
    network, x, _, paths = of(name)
    shapes = lambda changed: jax.eval_shape(changed.init, jax.random.key(0), x)[0]
    adapters = {p.partition("/down")[0] for p in flatten(shapes(with_adapters(network, 2))["adapter"]) if "/down/" in p}
    assert adapters == adapted(paths)
    pairs = {p.removesuffix("/a") for p in flatten(shapes(with_lora(network, 2, 2.0))["lora"]) if p.endswith("/a")}
    assert pairs == {p for p in paths if p.endswith("/kernel") and not p.startswith("head/")}
