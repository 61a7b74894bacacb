"""What tasks share: names of parameters, the mixtures against NumPy, and whose loss moves what."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.core.trees import flatten
from tl_jax.models.networks import NETWORKS
from tl_jax.models.sharing import SHARING, build_tasks
from tl_jax.naming.calls import parse

RECIPE = NETWORKS["mlp"](hidden=(5,), bottleneck=4, dropout=0.0)
WIDTHS = {"first": 3, "second": 1}
X = jnp.asarray(np.random.default_rng(0).normal(size=(6, 7)), jnp.float32)
WAYS = ["hard", "cross_stitch", "mmoe(experts=3)"]


def made(sharing):
    network = build_tasks(RECIPE, WIDTHS, parse(sharing, SHARING, "sharing")())
    params, stats = jax.jit(network.init)(jax.random.key(0), X)
    return network, params, stats


@pytest.mark.parametrize("sharing", WAYS)
def test_a_task_has_its_head_and_moves_no_other(sharing):
    network, params, stats = made(sharing)
    logits = lambda p: network.apply(p, stats, X)[0].logits
    assert logits(params).shape == (6, 4)
    slope = flatten(jax.jit(jax.grad(lambda p: (logits(p)[:, :3] ** 2).sum()))(params))
    for path, g in slope.items():
        assert np.asarray(g).any() == ("head/second" not in path), path
    assert {path.split("/")[0] for path in slope} == {"backbone", "bottleneck", "head"}


def test_stitches_mix_the_trunks():
    network, params, stats = made("cross_stitch")
    assert flatten(params)["backbone/stitch"].shape == (2, 2)
    np.testing.assert_allclose(flatten(params)["backbone/stitch"], [[0.9, 0.1], [0.1, 0.9]], rtol=1e-6)
    flat, s = jax.tree.map(np.asarray, (flatten(params), flatten(stats)))

    def dense(x, at):
        return x @ flat[f"{at}/kernel"] + flat[f"{at}/bias"]

    def neck(x, i):
        norm = f"bottleneck/tower_{i}/norm1"
        x = dense(x, f"bottleneck/tower_{i}/dense1")
        x = (x - s[f"{norm}/mean"]) / np.sqrt(s[f"{norm}/var"] + 1e-5) * flat[f"{norm}/scale"] + flat[f"{norm}/bias"]
        return np.maximum(x, 0)

    a, b = (np.maximum(dense(np.asarray(X), f"backbone/tower_{i}/dense1"), 0) for i in range(2))
    a, b = neck(0.9 * a + 0.1 * b, 0), neck(0.1 * a + 0.9 * b, 1)
    a, b = 0.9 * a + 0.1 * b, 0.1 * a + 0.9 * b
    wanted = np.concatenate([dense(a, "head/first"), dense(b, "head/second")], axis=1)
    np.testing.assert_allclose(network.apply(params, stats, X)[0].logits, wanted, rtol=1e-4, atol=1e-5)


def test_gates_mix_the_experts():
    network, params, stats = made("mmoe(experts=3)")
    gate = params["head"]["first.gate"]
    assert not np.asarray(gate["kernel"]).any()
    gate["kernel"] = jax.random.normal(jax.random.key(1), gate["kernel"].shape)
    out, _ = network.apply(params, stats, X)
    z = np.asarray(X @ gate["kernel"])
    share = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    experts = np.asarray(out.features).reshape(6, 3, 4)
    heads = jax.tree.map(np.asarray, params["head"])
    for name, weights, columns in (("first", share, slice(0, 3)), ("second", np.full((6, 3), 1 / 3), slice(3, 4))):
        mixed = (weights[:, :, None] * experts).sum(1)
        wanted = mixed @ heads[name]["kernel"] + heads[name]["bias"]
        np.testing.assert_allclose(out.logits[:, columns], wanted, rtol=1e-4, atol=1e-5)
