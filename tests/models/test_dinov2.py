"""DINOv2: positions of another size, sizes from a folder, and what is refused."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.core.trees import flatten
from tl_jax.models.names import NAMINGS, entries
from tl_jax.models.networks import build, network
from tl_jax.models.parts.places import resized, weights
from tl_jax.models.parts.recipe import Pretrained

CONFIG = {
    "model_type": "dinov2_with_registers", "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3,
    "mlp_ratio": 4, "image_size": 28, "patch_size": 7, "num_register_tokens": 2, "use_swiglu_ffn": True,
}  # fmt: skip


@pytest.mark.parametrize("smooth", [False, True])
def test_positions_of_another_grid_are_between_the_stored_ones(smooth):
    for old, new in ((4, 4), (4, 7), (9, 3), (37, 16)):
        shares = weights(old, new, smooth)
        np.testing.assert_allclose(shares.sum(1), 1, atol=1e-12)
        inner = slice(2, -2) if new > old else slice(1, -1)
        ramp, cells = shares @ (np.arange(old) + 0.5) / old, (np.arange(new) + 0.5) / new
        np.testing.assert_allclose(ramp[inner], cells[inner], atol=0.02)
    np.testing.assert_allclose(weights(5, 5, smooth), np.eye(5), atol=1e-12)
    grid = np.random.default_rng(0).normal(size=(4, 4, 2)).astype(np.float32)
    got = np.asarray(resized(jnp.asarray(grid), (3, 5), smooth))
    for k in range(2):
        want = weights(4, 3, smooth) @ grid[..., k] @ weights(4, 5, smooth).T
        np.testing.assert_allclose(got[..., k], want, atol=1e-5)


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("size", [(3, 5), (9, 7)])
def test_positions_are_interpolated_as_pytorch_does(smooth, size):
    torch = pytest.importorskip("torch", reason="torch is not installed: nothing to compare with")
    grid = np.random.default_rng(0).normal(size=(5, 5, 2)).astype(np.float32)
    channels = torch.tensor(grid.transpose(2, 0, 1)[None])
    want = torch.nn.functional.interpolate(channels, size, mode="bicubic", antialias=smooth)[0].numpy()
    np.testing.assert_allclose(resized(jnp.asarray(grid), size, smooth), want.transpose(1, 2, 0), atol=1e-5)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def test_sizes_are_those_of_the_folder(folder):
    recipe = network(f"dinov2(from={str(folder)!r}, bottleneck=0, pooling='both')")()
    assert recipe.pretrained == Pretrained(str(folder), files=("config.json",))
    net = build(recipe, 3)
    params = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 14, 21, 3)))[0]
    shapes = {path.removeprefix("backbone/"): a.shape for path, a in flatten(params).items()}
    assert shapes["position"] == (1, 17, 12)
    assert shapes["registers"] == (1, 2, 12)
    assert shapes["block2/gate1/kernel"] == (12, 2 * 32)  # two thirds of 48
    assert shapes["head/kernel"] == (24, 3)
    assert "block3/norm1/scale" not in shapes
    names = {name for entry in entries(flatten(params), NAMINGS["dinov2"]["facebook"]).values() for name in entry.names}
    assert {"register_tokens", "blocks.1.mlp.w12.weight", "blocks.0.ls2.gamma"} <= names


@pytest.mark.parametrize(
    ("changed", "call", "said"),
    [
        ({}, "dinov2(from={}, width=12)", "leave out those of the call"),
        ({"qkv_bias": False}, "dinov2(from={})", "without qkv_bias is of another network"),
        ({"hidden_act": "swish"}, "dinov2(from={})", "Unknown activation of dinov2 'swish'"),
        ({"model_type": "bert"}, "dinov2(from={})", r"says model_type 'bert'. Use --network='bert\(from="),
    ],
)
def test_what_does_not_fit_is_said(folder, changed, call, said):
    (folder / "config.json").write_text(json.dumps(CONFIG | changed))
    with pytest.raises(UserError, match=said):
        network(call.format(repr(str(folder))))()
