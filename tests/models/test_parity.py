"""Networks agree with the published implementations, weight by weight, and files go there and back.

Each model is built in PyTorch with random weights and statistics, saved, loaded here, and given the same
images in evaluation and in training (without dropout). Skipped where the library is not installed.
"""

import importlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.models.files.pretrained import load, save
from tl_jax.models.networks import NETWORKS, build

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
DEIT = {"scale": "imagenet"}


def torchvision(name, **arguments):
    models = library("torchvision.models")
    return getattr(models, name)(weights=None, num_classes=10, **arguments)


def torchvision_vit(width, heads):
    make = library("torchvision.models").VisionTransformer
    return make(64, 16, 12, heads, width, 4 * width, num_classes=10)


def timm(name, **arguments):
    return library("timm").create_model(name, num_classes=10, **arguments)


def huggingface(name, **arguments):
    transformers = library("transformers")
    return getattr(transformers, f"{name}ForImageClassification")(
        getattr(transformers, f"{name}Config")(num_labels=10, **arguments)
    )


def library(name):
    for module in ("torch", "safetensors"):
        pytest.importorskip(module, reason=f"{module} is not installed: nothing to compare with")
    try:  # not importorskip: a library for another torch fails with all kinds of errors
        return importlib.import_module(name)
    except Exception as error:
        pytest.skip(f"{name} cannot be imported ({error}): nothing to compare with")


SMALL_VIT = {
    "hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768, "image_size": 64
}  # fmt: skip
SMALL_DINO = {"hidden_size": 24, "num_attention_heads": 3, "num_hidden_layers": 2, "image_size": 64, "patch_size": 16}
DINO = {"width": 24, "heads": 3, "layers": 2, "image": 64, "patch": 16, "pooling": "both"}
TIMM_DINO = {"embed_dim": 24, "num_heads": 3, "depth": 2, "img_size": 64, "patch_size": 16}
B0 = {"width_coefficient": 1.0, "depth_coefficient": 1.0, "hidden_dim": 1280}
BASIC = {"hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2], "layer_type": "basic"}
FAST = [
    ("resnet18", {}, "torchvision", IMAGENET, partial(torchvision, "resnet18")),
    ("vit_tiny", DEIT, "torchvision", IMAGENET, partial(torchvision_vit, 192, 3)),
    ("dinov2", DINO, "huggingface", IMAGENET, partial(huggingface, "Dinov2", **SMALL_DINO)),
    (
        "dinov2",
        {**DINO, "registers": 4},
        "huggingface_registers",
        IMAGENET,
        partial(huggingface, "Dinov2WithRegisters", **SMALL_DINO),
    ),
]
SLOW = [
    ("resnet34", {}, "torchvision", IMAGENET, partial(torchvision, "resnet34")),
    ("resnet50", {}, "torchvision", IMAGENET, partial(torchvision, "resnet50")),
    ("resnet101", {}, "torchvision", IMAGENET, partial(torchvision, "resnet101")),
    ("vgg16", {}, "torchvision", IMAGENET, partial(torchvision, "vgg16")),
    ("mobilenet_v2", {}, "torchvision", IMAGENET, partial(torchvision, "mobilenet_v2")),
    ("vit_base", DEIT, "torchvision", IMAGENET, partial(torchvision_vit, 768, 12)),
    ("convnext_tiny", {}, "torchvision", IMAGENET, partial(torchvision, "convnext_tiny")),
    ("resnet18", {}, "timm", IMAGENET, partial(timm, "resnet18")),
    ("vit_tiny", {}, "timm", HALF, partial(timm, "vit_tiny_patch16_224", img_size=64)),
    ("vit_small", {}, "timm", HALF, partial(timm, "vit_small_patch16_224", img_size=64)),
    ("mobilenet_v2", {}, "timm", IMAGENET, partial(timm, "mobilenetv2_100")),
    ("convnext_tiny", {}, "timm", IMAGENET, partial(timm, "convnext_tiny")),
    ("vgg16", {}, "timm", IMAGENET, partial(timm, "vgg16")),
    ("resnet18", {}, "huggingface", IMAGENET, partial(huggingface, "ResNet", **BASIC)),
    ("resnet50", {}, "huggingface", IMAGENET, partial(huggingface, "ResNet")),
    ("vit_tiny", {}, "huggingface", HALF, partial(huggingface, "ViT", **SMALL_VIT)),
    ("convnext_tiny", {}, "huggingface", IMAGENET, partial(huggingface, "ConvNext")),
    ("swin_tiny", {}, "torchvision", IMAGENET, partial(torchvision, "swin_t")),
    ("swin_tiny", {}, "timm", IMAGENET, partial(timm, "swin_tiny_patch4_window7_224")),
    ("swin_tiny", {}, "huggingface", IMAGENET, partial(huggingface, "Swin")),
    ("efficientnet_b0", {}, "torchvision", IMAGENET, partial(torchvision, "efficientnet_b0")),
    ("efficientnet_b0", {}, "timm", IMAGENET, partial(timm, "efficientnet_b0")),
    ("efficientnet_b0", {"tf": True}, "timm", IMAGENET, partial(timm, "tf_efficientnet_b0")),
    ("efficientnet_b0", {"tf": True}, "huggingface", IMAGENET, partial(huggingface, "EfficientNet", **B0)),
    ("densenet121", {}, "torchvision", IMAGENET, partial(torchvision, "densenet121")),
    ("densenet121", {}, "timm", IMAGENET, partial(timm, "densenet121")),
    ("resnet50", {}, "timm", IMAGENET, partial(timm, "resnet50")),
    ("dinov2", {**DINO, "pooling": "cls"}, "timm", IMAGENET, partial(timm, "vit_small_patch14_dinov2", **TIMM_DINO)),
    ("mobilenet_v2", {"tf": True, "epsilon": 1e-3}, "huggingface", HALF, partial(huggingface, "MobileNetV2")),
]
LARGE = (("swin_tiny", "timm"), ("swin_tiny", "huggingface"))
"""Whose windows shrink with maps that are smaller."""
CASES = [pytest.param(*case, id=f"{case[0]}-{case[2]}") for case in FAST]
CASES += [pytest.param(*case, id=f"{case[0]}-{case[2]}", marks=pytest.mark.slow) for case in SLOW]


def randomise(model, torch):
    """Random values where libraries start with constants, and no dropout of any kind."""
    torch.manual_seed(0)
    with torch.no_grad():
        for module in model.modules():
            for name in ("p", "drop_prob"):
                if isinstance(getattr(module, name, None), float):
                    setattr(module, name, 0.0)
            if hasattr(module, "running_mean"):
                module.momentum = 0.1  # ours for all; transformers has .003 for MobileNetV2
            if isinstance(getattr(module, "drop", None), float):  # timm's
                module.drop = 0.0
        for name, value in [*model.named_parameters(), *model.named_buffers()]:
            if not value.is_floating_point():
                continue
            if value.ndim <= 1 or "layer_scale" in name or "gamma" in name:
                value.copy_(torch.rand_like(value) * 0.5 + (0 if name.endswith(("bias", "mean")) else 0.7))
            elif "pos" in name or "token" in name:
                value.copy_(0.3 * torch.randn_like(value))
            elif name.startswith(("classifier.6", "head.fc", "fc", "heads", "head.weight", "classifier.w")):
                value.copy_(torch.randn_like(value) / value.shape[1] ** 0.5)


def logits(model, x, torch):
    """In float64: what is left of a difference is our rounding alone."""
    with torch.no_grad():
        y = model.double()(torch.tensor(x.transpose(0, 3, 1, 2), dtype=torch.float64))
    return getattr(y, "logits", y).numpy()


def close(found, expected):
    """To 1e-4, of the largest where logits are large (random statistics make a deep ResNet's 10^4)."""
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * max(1, np.abs(expected).max()))


@pytest.mark.filterwarnings("default")  # of the other libraries
@pytest.mark.parametrize(("name", "arguments", "naming", "pixels", "make"), CASES)
def test_same_logits_and_the_same_file(name, arguments, naming, pixels, make, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.numpy import load_file, save_file

    model = make()
    randomise(model, torch)
    file = tmp_path / "model.safetensors"
    if naming.startswith("huggingface"):
        model.save_pretrained(tmp_path)
    else:
        save_file({k: v.numpy() for k, v in model.state_dict().items()}, file)
    network = build(NETWORKS[name](**{"bottleneck": 0, **arguments}), 10, form="patches")
    size = 224 if (name, naming) in LARGE else 64
    x = np.random.default_rng(0).uniform(-1, 1, (2, size, size, 3)).astype(np.float32)
    scaled = ((x + 1) / 2 - np.array(pixels[0])) / np.array(pixels[1])
    shapes = jax.eval_shape(network.init, jax.random.key(0), x)
    params, stats, report = load(str(file), *jax.tree.map(lambda a: jnp.zeros(a.shape), shapes))
    assert not report.missing
    assert not report.reinitialised
    spare = {n for n in load_file(file) if n.endswith(("num_batches_tracked", "mask_token", "position_index"))}
    assert set(report.unused) <= spare

    run = jax.jit(network.apply, static_argnames="train")
    model.eval()
    found, expected = run(params, stats, x)[0].logits, logits(model, scaled, torch)
    assert np.abs(expected - expected.mean(1, keepdims=True)).max() > 0.05  # the weights matter
    close(found, expected)
    model.train()
    output, new = run(params, stats, x, train=True)
    close(output.logits, logits(model, scaled, torch))

    saved = tmp_path / "saved.safetensors"
    save(str(saved), params, stats, naming)
    before, after = load_file(file), load_file(saved)
    assert set(before) - set(after) == spare
    for key, value in after.items():
        np.testing.assert_array_equal(value, before[key], err_msg=key)
    moved(model, (params, stats, new), naming, tmp_path)


def moved(model, trees, naming, folder):
    """Running statistics after the training pass: the same, but torch's variance is divided by n - 1."""
    from safetensors.numpy import load_file

    params, stats, new = trees
    for name, tree in (("old", stats), ("new", new)):
        save(str(folder / name), params, tree, naming)
    old, ours = load_file(folder / "old"), load_file(folder / "new")
    theirs = {k: v.numpy() for k, v in model.state_dict().items()}
    for key in ours:
        if key.endswith("running_mean"):
            np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-3, atol=1e-3, err_msg=key)
        if key.endswith("running_var"):
            step, torch_step = (new[key] - 0.9 * old[key] for new in (ours, theirs))
            ratio = np.median(torch_step / step)  # n / (n - 1)
            assert 1 < ratio < 1.2, key
            np.testing.assert_allclose(torch_step, ratio * step, rtol=2e-2, atol=1e-3, err_msg=key)
