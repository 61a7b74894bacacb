"""Image backbones: published sizes, shapes, frozen statistics, gradients, what they say of wrong input."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from quick import QUICK

from tl_jax.core.errors import UserError
from tl_jax.core.trees import flatten, size_of
from tl_jax.models.images import efficientnet
from tl_jax.models.images.convnext import ConvNeXt
from tl_jax.models.images.densenet import DenseNet
from tl_jax.models.images.dinov2 import Dinov2, Form
from tl_jax.models.images.mobilenet import Inverted
from tl_jax.models.images.pixels import rescale
from tl_jax.models.images.resnet import ResNet
from tl_jax.models.images.swin import Swin
from tl_jax.models.images.vgg import Vgg16, pool_to
from tl_jax.models.images.vit import ViT
from tl_jax.models.networks import NETWORKS, build
from tl_jax.models.parts.recipe import HALF, IMAGENET
from tl_jax.models.parts.transformer import Attention

# Parameters with 1000 classes, and features.
PUBLISHED = {
    "vgg16": (138_357_544, 4096),
    "resnet18": (11_689_512, 512),
    "resnet34": (21_797_672, 512),
    "resnet50": (25_557_032, 2048),
    "resnet101": (44_549_160, 2048),
    "mobilenet_v2": (3_504_872, 1280),
    "vit_tiny": (5_717_416, 192),
    "vit_small": (22_050_664, 384),
    "vit_base": (86_567_656, 768),
    "convnext_tiny": (28_589_128, 768),
    "swin_tiny": (28_288_354, 768),
    "efficientnet_b0": (5_288_548, 1280),
    "densenet121": (7_978_856, 1024),
    "dinov2": (22_056_192 + 385 * 1000, 384),
}


def shapes(call, x_shape, classes=10):
    name, arguments = call
    network = build(NETWORKS[name](**arguments), classes, form="patches")
    x = jnp.zeros(x_shape)
    params, stats = jax.eval_shape(network.init, jax.random.key(0), x)
    output, new = jax.eval_shape(network.apply, params, stats, x)
    assert jax.tree.structure(new) == jax.tree.structure(stats)
    return params, stats, output


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_number_of_parameters(name):
    params, _, output = shapes((name, {"bottleneck": 0}), (2, 224, 224, 3), 1000)
    assert (size_of(params)[0], output.features.shape[1]) == PUBLISHED[name]
    assert output.logits.shape == (2, 1000)


NEW = ["swin_tiny", "efficientnet_b0"]


@pytest.mark.parametrize("name", ["resnet18", "vgg16", "mobilenet_v2", "vit_tiny", "convnext_tiny", *NEW])
def test_other_sizes_and_grey_images(name):
    params, _, output = shapes((name, {}), (2, 32, 48, 1))
    assert set(params) == {"backbone", "bottleneck", "head"}
    assert output.features.shape == (2, 256)


@pytest.mark.parametrize(("top", "features"), [("dense", 4096), ("pool", 512), ("classic", 512 * 4)])
def test_tops_of_vgg(top, features):
    params, _, output = shapes(("vgg16", {"top": top, "bottleneck": 0}), (2, 64, 64, 3))
    assert output.features.shape == (2, features)
    assert ("dense1" in params["head"]) == (top == "classic")
    if top == "classic":
        assert params["head"]["dense1"]["kernel"].shape == (features, 1024)


SMALL = {
    "resnet": ResNet((1, 2, 1, 1), False, jnp.float32, "patches"),
    "resnet deep": ResNet((1, 1, 1, 1), True, jnp.float32, "patches"),
    "inverted": Inverted(6, 4, 1, 1, 1e-5, jnp.float32, "patches"),
    "vit": ViT(16, 2, 2, 8, jnp.float32, "patches"),
    "convnext": ConvNeXt((1, 1, 1, 1), (8, 16, 24, 32), jnp.float32, "patches"),
    "swin": Swin((1, 2), (2, 2), 8, 3, jnp.float32, "patches"),
    "weighted": efficientnet.Inverted(6, 4, 1, 3, True, 1e-3, jnp.float32, "patches"),
    "densenet": DenseNet((1, 1), jnp.float32, "patches"),
    "dinov2": Dinov2(Form(16, 2, 2, 8, 3, 2, 20, gated=True), "both", jnp.float32, "patches"),
}


INNER = ("inverted", "weighted")
"""Which are no networks, but a block."""


@cache
def small(name):
    module, x = SMALL[name], jax.random.normal(jax.random.key(0), (4, 32, 32, 6 if name in INNER else 3))
    found = jax.eval_shape(lambda x: module.init(jax.random.key(0), x, False, frozenset()), x)
    rng = np.random.default_rng(0)

    def fill(s):
        scale = np.sqrt(np.prod(s.shape[:-1], initial=1)) if len(s.shape) > 1 else 4
        return jnp.array((0.5 if len(s.shape) == 1 else 0) + rng.normal(size=s.shape) / scale, s.dtype)

    stats = jax.tree.map(lambda s: jnp.array(rng.uniform(0.5, 1, s.shape), s.dtype), found.get("batch_stats", {}))
    return module, x, jax.tree.map(fill, found["params"]), stats


SLOW = [pytest.param("convnext", marks=pytest.mark.slow)]  # its 7x7 patches take longer to compile than all others do


@pytest.mark.parametrize("name", [*sorted(SMALL.keys() - {"convnext"}), *SLOW])
def test_gradients_reach_every_parameter(name):
    module, x, params, stats = small(name)

    def loss(params):
        variables = {"params": params, "batch_stats": stats}
        y = module.apply(variables, x, True, frozenset(), mutable=["batch_stats"])[0]
        return (y * jax.random.normal(jax.random.key(1), y.shape)).sum()

    for path, grad in flatten(jax.jit(jax.grad(loss), compiler_options=QUICK)(params)).items():
        assert np.isfinite(grad).all(), path
        assert np.abs(grad).max() > 1e-6, path


@pytest.mark.parametrize(
    ("name", "form"), [("swin", "form"), ("dinov2", "conv"), ("weighted", "form"), ("densenet", "form")]
)
def test_the_number_of_images_may_be_left_open(name, form):
    """As exports do."""
    module, x, params, stats = small(name)
    module = module.clone(**{form: "lax"})
    run = lambda x: module.apply({"params": params, "batch_stats": stats}, x, False, frozenset())
    open_ = jax.ShapeDtypeStruct(jax.export.symbolic_shape(f"n,{','.join(map(str, x.shape[1:]))}"), x.dtype)
    assert str(jax.export.export(jax.jit(run))(open_).out_avals[0].shape[0]) == "n"


@pytest.mark.parametrize("name", ["resnet", "inverted"])
def test_frozen_statistics_stay_and_others_move(name):
    module, x, params, stats = small(name)
    paths = {path.rpartition("/")[0] for path in flatten(stats)}
    keep = {path for path in paths if path.endswith("norm2")}
    assert keep
    assert keep != paths
    variables = {"params": params, "batch_stats": stats}
    run = jax.jit(lambda v: module.apply(v, x, True, frozenset(keep), mutable=["batch_stats"])[1]["batch_stats"])
    before = flatten(stats)
    for path, new in flatten(run(variables)).items():
        assert np.array_equal(new, before[path]) == (path.rpartition("/")[0] in keep), path


def test_frozen_paths_of_a_whole_network_begin_with_backbone():
    network = build(NETWORKS["resnet18"](), 10, form="patches")
    x = jnp.zeros((2, 32, 32, 3))
    params, stats = jax.eval_shape(network.init, jax.random.key(0), x)
    assert {"backbone/stage2/block1/norm_skip/mean", "backbone/norm1/var"} <= set(flatten(stats))
    every = frozenset(path.rpartition("/")[0] for path in flatten(stats))

    def changed(frozen):
        run = lambda p, s: network.apply(p, s, x, train=True, frozen=frozen)[1]
        traced = jax.make_jaxpr(run)(params, stats).jaxpr
        return [a is not b for a, b in zip(traced.invars[-len(traced.outvars) :], traced.outvars, strict=True)]

    assert not any(changed(every))
    assert all(changed(frozenset()))


def test_pixels_are_scaled_as_published():
    x = np.random.default_rng(0).uniform(-1, 1, (2, 3, 3, 3)).astype(np.float32)
    expected = ((x + 1) / 2 - np.array(IMAGENET.mean)) / np.array(IMAGENET.std)
    np.testing.assert_allclose(rescale(jnp.asarray(x), IMAGENET), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(rescale(jnp.asarray(x), HALF), x, atol=1e-6)
    grey = rescale(jnp.asarray(x[..., :1]), IMAGENET)
    np.testing.assert_allclose(grey, rescale(jnp.repeat(x[..., :1], 3, -1), IMAGENET), rtol=1e-6)


def test_pool_to_is_the_mean_of_cells():
    x = np.random.default_rng(0).normal(size=(2, 14, 7, 3)).astype(np.float32)
    expected = x.reshape(2, 7, 2, 7, 3).mean(2)
    np.testing.assert_allclose(pool_to(jnp.asarray(x), 7), expected, rtol=1e-5, atol=1e-6)
    one = jnp.arange(2.0).reshape(1, 2, 1, 1) * jnp.ones((1, 1, 1, 1))
    found = pool_to(one, 7)[0, :, 0, 0]
    np.testing.assert_allclose(found, [0, 0, 0, 0.5, 1, 1, 1], atol=1e-6)


def test_attention_is_the_formula():
    module, x = Attention(2, jnp.float32), jax.random.normal(jax.random.key(0), (2, 5, 8))
    variables = module.init(jax.random.key(1), x)
    variables = jax.tree.map(lambda p: p + 0.2 * jax.random.normal(jax.random.key(2), p.shape), variables)
    p, a = jax.tree.map(np.asarray, variables["params"]), np.asarray(x)
    qkv = a @ p["qkv"]["kernel"] + p["qkv"]["bias"]
    heads = []
    for h in range(2):
        q, k, v = (qkv[..., i * 8 + h * 4 : i * 8 + h * 4 + 4] for i in range(3))
        s = q @ k.transpose(0, 2, 1) / 2
        w = np.exp(s - s.max(-1, keepdims=True))
        heads.append(w / w.sum(-1, keepdims=True) @ v)
    expected = np.concatenate(heads, -1) @ p["out"]["kernel"] + p["out"]["bias"]
    np.testing.assert_allclose(module.apply(variables, x), expected, rtol=1e-4, atol=1e-5)


def test_vgg_takes_images_from_32_px():
    module = Vgg16("pool", 0.5, jnp.float32, "patches")
    x = jnp.zeros((1, 32, 32, 3))
    assert jax.eval_shape(lambda: module.init_with_output(jax.random.key(0), x, False, frozenset())[0]).shape == (
        1,
        512,
    )


@pytest.mark.parametrize(
    ("call", "shape", "words"),
    [
        (("vit_tiny", {}), (2, 30, 32, 3), "30x32 px do not divide into patches of 16"),
        (("resnet18", {}), (2, 8), r"takes images \[n, h, w, 1 or 3\], not \[2, 8\]"),
        (("resnet18", {}), (2, 32, 32, 4), "1 or 3"),
        (("vgg16", {"top": "clasic"}), (2, 32, 32, 3), "Did you mean 'classic'"),
        (("vit_tiny", {"scale": "deit"}), (2, 32, 32, 3), "'imagenet'"),
        (("dinov2", {}), (2, 32, 32, 3), "32x32 px do not divide into patches of 14: resize them, as to 224"),
        (("dinov2", {"pooling": "max"}), (2, 28, 28, 3), "Unknown pooling 'max'"),
        (("dinov2", {"heads": 5}), (2, 28, 28, 3), "384 does not divide among 5 heads"),
    ],
)
def test_what_is_said_of_wrong_input(call, shape, words):
    with pytest.raises(UserError, match=words):
        shapes(call, shape)
