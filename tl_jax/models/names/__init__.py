"""What published files of weights call the arrays of our networks.

In: our paths ("backbone/stage1/block0/conv1/kernel") and a naming ("torchvision", "timm", "huggingface", "plain").
Out: the file's names with the layout of each array, both ways: reading and writing use one table.

`rules.py` is the form of a rule, `layouts.py` how axes are ordered, `conv.py` and `efficient.py`, `patch.py` and
`vision.py`, `bert.py`, `sound.py` and `pairs.py` the rules of convolutional networks, of those that begin with patches,
of text encoders, of those for sound, and of image-and-text towers.

Open first: `rules.py`. A new family of networks is a list of rules here; docs/networks.md says what loading reports.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from tl_jax.models.names.bert import BERT, DEBERTA, DISTILBERT, MODERNBERT, ROBERTA
from tl_jax.models.names.conv import MOBILENET, MOBILENET_HF, MOBILENET_TIMM, RESNET, RESNET_HF, VGG, VGG_TIMM
from tl_jax.models.names.efficient import DENSENET, DENSENET_OLD, EFFICIENTNET, EFFICIENTNET_HF, EFFICIENTNET_TIMM
from tl_jax.models.names.layouts import KERNEL, SAME, Layout
from tl_jax.models.names.pairs import CLIP, CLIP_TEXT, SIGLIP, SIGLIP_TEXT
from tl_jax.models.names.patch import CONVNEXT, CONVNEXT_HF, CONVNEXT_TIMM, VIT, VIT_HF, VIT_TIMM, VIT_TRANSFORMERS
from tl_jax.models.names.rules import Naming
from tl_jax.models.names.sound import AST, AST_STATE, HUBERT, HUBERT_STATE, WAV2VEC2, WAV2VEC2_STATE, WHISPER
from tl_jax.models.names.vision import (
    DINOV2,
    DINOV2_FACEBOOK,
    DINOV2_REGISTERS,
    DINOV2_TIMM,
    SWIN,
    SWIN_HF,
    SWIN_MICROSOFT,
    SWIN_TIMM,
)

WORDS = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
NAMINGS: dict[str, dict[str, Naming]] = {
    "resnet": {"torchvision": RESNET, "timm": RESNET, "huggingface": RESNET_HF},
    "vgg": {"torchvision": VGG, "timm": VGG_TIMM},
    "mobilenet_v2": {"torchvision": MOBILENET, "timm": MOBILENET_TIMM, "huggingface": MOBILENET_HF},
    "vit": {"torchvision": VIT, "timm": VIT_TIMM, "huggingface": VIT_HF, "transformers": VIT_TRANSFORMERS},
    "convnext": {"torchvision": CONVNEXT, "timm": CONVNEXT_TIMM, "huggingface": CONVNEXT_HF},
    "swin": {"torchvision": SWIN, "timm": SWIN_TIMM, "huggingface": SWIN_HF, "microsoft": SWIN_MICROSOFT},
    "efficientnet": {"torchvision": EFFICIENTNET, "timm": EFFICIENTNET_TIMM, "huggingface": EFFICIENTNET_HF},
    "densenet": {"torchvision": DENSENET, "timm": DENSENET, "torchvision_old": DENSENET_OLD},
    "dinov2": {
        "huggingface": DINOV2,
        "huggingface_registers": DINOV2_REGISTERS,
        "timm": DINOV2_TIMM,
        "facebook": DINOV2_FACEBOOK,
    },
    "bert": {"huggingface": BERT, "roberta": ROBERTA},
    "distilbert": {"huggingface": DISTILBERT},
    "modernbert": {"huggingface": MODERNBERT},
    "deberta_v3": {"huggingface": DEBERTA},
    "wav2vec2": {
        "huggingface": WAV2VEC2,
        "transformers": WAV2VEC2_STATE,
        "hubert": HUBERT,
        "hubert_transformers": HUBERT_STATE,
    },
    "whisper_encoder": {"huggingface": WHISPER},
    "ast": {"huggingface": AST, "transformers": AST_STATE},
    "clip": {"huggingface": CLIP},
    "siglip": {"huggingface": SIGLIP},
    "siglip_text": {"huggingface": SIGLIP_TEXT},
    "clip_text": {"huggingface": CLIP_TEXT},
}
MARKS = {
    "vgg": "backbone/conv13/kernel",
    "bert": "backbone/embed/type/embedding",
    "siglip_text": "backbone/projection/bias",
}
"""What tells a family from networks whose paths fit its rules by chance: LeNet has the layers of a short VGG, and
DistilBERT those of BERT but for this one; SigLIP's texts have a bias that CLIP's lack."""
PLAIN = Naming((), "head")
"""Our own paths with dots, for networks that no library publishes."""


class Entry(NamedTuple):
    """Where one parameter or statistic stands in a file."""

    names: tuple[str, ...]
    layout: Layout


def namings(paths: Iterable[str]) -> dict[str, Naming]:
    """{"torchvision": ..., ..., "plain": ...} for the architecture of these paths."""
    backbone = [path for path in paths if path.startswith("backbone/")]
    for family, table in NAMINGS.items():
        first = next(iter(table.values()))
        if (
            backbone
            and MARKS.get(family, backbone[0]) in backbone
            and all(_ruled(path.removeprefix("backbone/"), first) for path in backbone)
        ):
            return table | {"plain": PLAIN}
    return {"plain": PLAIN}


def entries(paths: Iterable[str], naming: Naming) -> dict[str, Entry]:
    """{our path: its entry}; what the naming does not know (bottleneck, heads that are not linear) is plain."""
    paths = list(paths)
    linear = {path for path in paths if path.startswith("head/")} == {"head/kernel", "head/bias"}
    found = {}
    for path in paths:
        group, _, rest = path.partition("/")
        entry = _ruled(rest, naming) if group == "backbone" else None
        if path in ("head/kernel", "head/bias") and linear:
            entry = Entry((f"{naming.head}.{WORDS[rest]}",), KERNEL if rest == "kernel" else SAME)
        found[path] = entry or _plain(path)
    return found


def _ruled(path: str, naming: Naming) -> Entry | None:
    module, _, leaf = path.rpartition("/")
    usual = KERNEL if leaf == "kernel" else SAME
    for rule in naming.rules:
        if match := re.fullmatch(rule.pattern, path):
            names = rule.name(*map(int, match.groups()))
            names = (names,) if isinstance(names, str) else names
        elif leaf in WORDS and (match := re.fullmatch(rule.pattern, module)):
            names = (f"{rule.name(*map(int, match.groups()))}.{WORDS[leaf]}",)
        else:
            continue
        return Entry(tuple(naming.prefix + name for name in names), rule.layout or usual)
    return None


def _plain(path: str) -> Entry:
    *modules, leaf = path.split("/")
    # The scale of a cosine or weight-normed head stands beside a kernel, which is the "weight".
    word = leaf if modules == ["head"] and leaf == "scale" else WORDS.get(leaf, leaf)
    return Entry((".".join([*modules, word]),), KERNEL if leaf == "kernel" else SAME)
