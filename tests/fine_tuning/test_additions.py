"""What strategies add to a network: low-rank pairs of every form, scales, and learned tokens, against the equations."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from quick import QUICK

from tl_jax.core.errors import UserError
from tl_jax.core.trees import flatten, unflatten
from tl_jax.fine_tuning import ia3, lora, strategies
from tl_jax.fine_tuning.layout import layout
from tl_jax.fine_tuning.prefix import with_prefix
from tl_jax.fine_tuning.prompts import with_prompts
from tl_jax.models.images.dinov2 import Block, Form
from tl_jax.models.networks import NETWORKS, build
from tl_jax.models.parts.transformer import layer_norm
from tl_jax.training.freezing import resolve

X = jnp.asarray(np.random.default_rng(0).normal(size=(2, 16, 16, 3)), jnp.float32)
NET, TWO = (
    build(NETWORKS["dinov2"](width=12, layers=layers, heads=2, patch=8, image=16, bottleneck=0), 3) for layers in (1, 2)
)
LAYOUT = layout(NET, X)
QKV, SECOND = "backbone/block1/attention/qkv/kernel", "backbone/block1/dense2/kernel"
LENET = build(NETWORKS["lenet"](bottleneck=0), 3)


def drawn(network, x=X):
    """Parameters of a network, all of them random."""
    shapes = flatten(jax.eval_shape(network.init, jax.random.key(0), x)[0])
    rng = np.random.default_rng(1)
    return unflatten({p: jnp.asarray(0.3 * rng.normal(size=s.shape) + 0.1, jnp.float32) for p, s in shapes.items()})


def plain(params):
    return {name: part for name, part in params.items() if name in ("backbone", "head")}


@cache
def started():
    """{name: what is added, as it begins}."""
    made = {"ia3": ia3.with_ia3(NET)} | {form: lora.with_lora(NET, 2, 2.0, form=form) for form in lora.FORMS}
    init = lambda net: {k: v for k, v in net.init(jax.random.key(2), X)[0].items() if k in ("lora", "ia3")}
    found = jax.jit(lambda: {name: init(net) for name, net in made.items()}, compiler_options=QUICK)()
    return {name: next(iter(part.values())) for name, part in found.items()}


@cache
def run():
    return jax.jit(lambda params: NET.apply(params, {}, X)[0].logits, compiler_options=QUICK)


def every_part_has_a_gradient(network, params, group):
    """Of the logits, which are returned."""

    def loss(part):
        found = network.apply(params | {group: part}, {}, X, train=True)[0].logits
        return found[:, 0].sum(), found

    (_, found), grads = jax.jit(jax.value_and_grad(loss, has_aux=True), compiler_options=QUICK)(params[group])
    assert all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in flatten(grads).values())
    return found


@pytest.mark.parametrize("form", lora.FORMS)
def test_every_form_of_low_rank_adaptation_is_its_equation(form):
    strategy = strategies.lora(4, 6.0, form)
    network = strategy.adapt(NET)
    params = drawn(network)
    begin = {p: np.zeros_like(x) if p.endswith(("/b", "/magnitude")) else x for p, x in flatten(params).items()}
    for path, x in flatten(strategy.merge(unflatten(begin))).items():
        np.testing.assert_allclose(x, begin[path], atol=1e-6)
    assert all(not x.any() for p, x in flatten(started()[form]).items() if p.endswith(("/b", "/magnitude")))
    scale = {"lora": 1.5, "rslora": 3.0, "dora": 1.5}[form]
    merged = strategy.merge(params)
    for path in (QKV, SECOND):
        w, pair = np.asarray(flatten(params)[path], np.float64), flatten(params["lora"])
        want = w + scale * np.asarray(pair[f"{path}/a"], np.float64) @ np.asarray(pair[f"{path}/b"], np.float64)
        if form == "dora":
            wanted = np.linalg.norm(w, axis=0) + np.asarray(pair[f"{path}/magnitude"])
            want = want / np.linalg.norm(want, axis=0) * wanted
        np.testing.assert_allclose(flatten(merged)[path], want, atol=1e-5)
    assert merged.keys() == {"backbone", "head"}
    if form == "dora":
        found = every_part_has_a_gradient(network, params, "lora")
        np.testing.assert_allclose(run()(merged), found, atol=1e-5)


def test_what_is_adapted_is_chosen_by_the_kernels_paths():
    found = lambda on: set(flatten(_added(lora.with_lora(NET, 2, 2.0, on=on), "lora")))
    kernels = lambda *names: {f"backbone/block1/{name}/kernel/{part}" for name in names for part in "ab"}
    assert found("*/attention/*") == kernels("attention/qkv", "attention/out")
    assert found(("*/qkv/*", "*/dense?/*")) == kernels("attention/qkv", "dense1", "dense2")
    with pytest.raises(UserError, match=r"lora\(on='\*/query/\*'\) matches no kernel .* has backbone/embed/kernel"):
        found("*/query/*")
    with pytest.raises(UserError, match="form of lora 'vera'"):
        found = strategies.lora(form="vera").adapt(NET)
    with pytest.raises(UserError, match="at least 1"):
        strategies.lora(rank=0)


def _added(network, group):
    return jax.eval_shape(network.init, jax.random.key(0), X)[0][group]


def test_keys_values_and_inner_activations_are_scaled():
    network = ia3.with_ia3(NET)
    params = drawn(network)
    ones = jax.tree.map(jnp.ones_like, params["ia3"])
    jax.tree.map(np.testing.assert_array_equal, ia3.merged(params | {"ia3": ones}), plain(params))
    jax.tree.map(np.testing.assert_array_equal, started()["ia3"], ones)
    flat, new = flatten(params), flatten(strategies.ia3().merge(params))
    changed = {path for path in new if not np.array_equal(new[path], flat[path])}
    parts = ("attention/qkv/kernel", "attention/qkv/bias", "dense2/kernel")
    assert changed == {f"backbone/block1/{part}" for part in parts}
    by = flat[f"ia3/{QKV}/scale"]
    np.testing.assert_array_equal(new[QKV][:, :12], flat[QKV][:, :12])  # queries
    np.testing.assert_allclose(new[QKV][:, 12:], flat[QKV][:, 12:] * by[None], rtol=1e-6)
    bias = QKV.replace("kernel", "bias")
    np.testing.assert_allclose(new[bias][12:], flat[bias][12:] * by, rtol=1e-6)
    np.testing.assert_allclose(new[SECOND], flat[SECOND] * flat[f"ia3/{SECOND}/scale"][:, None], rtol=1e-6)
    found = every_part_has_a_gradient(network, params, "ia3")
    np.testing.assert_allclose(run()(strategies.ia3().merge(params)), found, atol=1e-5)


def test_projections_to_heads_are_scaled_head_by_head():
    net = build(NETWORKS["text_transformer"](vocabulary=9, width=8, heads=2, layers=1, bottleneck=0), 3)
    ids = jax.ShapeDtypeStruct((2, 5), jnp.int32)
    shapes = jax.eval_shape(ia3.with_ia3(net).init, jax.random.key(0), ids)[0]
    params = jax.tree.map(lambda s: jnp.full(s.shape, 2.0), shapes)
    new = ia3.merged(params)["backbone"]["block1"]["attention"]
    assert {name: float(part["kernel"].max()) for name, part in new.items()} == {
        "query": 2,
        "key": 4,
        "value": 4,
        "out": 2,
    }
    assert new["key"]["bias"].shape == (2, 4)


@pytest.mark.parametrize("deep", [True, False])
def test_blocks_see_learned_tokens_and_what_follows_does_not(deep):
    network, form = with_prompts(TWO, 4, deep), Form(12, 2, 2, 8, 2, 0, 48)
    params = drawn(network)

    def straight(params):
        seen: dict = {}
        TWO.apply(plain(params), {}, X, before=lambda path, args: seen.setdefault(path, args))
        h, of = seen["backbone/block1"][0], params["backbone"]
        for i in (1, 2):
            if deep or i == 1:
                prompts = jnp.tile(params["vpt"]["backbone"][f"block{i}"]["prompts"][None], (len(X), 1, 1))
                h = jnp.concatenate([prompts, h], axis=1)
            h = Block(form, jnp.float32).apply({"params": of[f"block{i}"]}, h)
            h = h[:, 4:] if deep or i == 2 else h
        h = layer_norm(jnp.float32, "norm").apply({"params": of["norm"]}, h[:, 0])
        return h @ params["head"]["kernel"] + params["head"]["bias"][None]

    found = every_part_has_a_gradient(network, params, "vpt")
    np.testing.assert_allclose(found, jax.jit(straight, compiler_options=QUICK)(params), atol=1e-4)


def test_every_place_looks_at_learned_keys_and_values():
    net = build(NETWORKS["bert"](vocabulary=20, width=8, heads=2, layers=1, bottleneck=0), 3)
    ids = jnp.asarray([[5, 3, 7, 0, 0], [2, 9, 4, 6, 1]], jnp.int32)
    network = with_prefix(net, 3)
    params = drawn(network, ids)
    path = "backbone/block1/attention"

    def loss(added):
        seen: dict = {}
        note = lambda p, y: seen.setdefault(p, y)
        network.apply(params | {"prefix": added}, {}, ids, after=note)
        return seen[path][:, 0].sum(), (seen["backbone/embed"], seen[path])

    compiled = jax.jit(jax.value_and_grad(loss, has_aux=True), compiler_options=QUICK)
    (_, (x, got)), grads = compiled(params["prefix"])
    assert all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in flatten(grads).values())
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), params["backbone"]["block1"]["attention"])
    own = jax.tree.map(lambda a: np.asarray(a, np.float64), params["prefix"]["backbone"]["block1"]["attention"])
    for i, words in enumerate((3, 5)):
        q, k, v = np.split(np.asarray(x[i], np.float64) @ p["qkv"]["kernel"] + p["qkv"]["bias"], 3, axis=1)
        k, v = np.concatenate([k[:words], own["key"]]), np.concatenate([v[:words], own["value"]])
        heads = []
        for part in (slice(0, 4), slice(4, 8)):
            a = np.exp(q[:, part] @ k[:, part].T / 2)
            heads.append(a / a.sum(1, keepdims=True) @ v[:, part])
        want = np.concatenate(heads, 1) @ p["out"]["kernel"] + p["out"]["bias"]
        np.testing.assert_allclose(got[i, :words], want[:words], atol=1e-5)


@pytest.mark.parametrize("name", ["lora", "ia3", "vpt", "prefix"])
def test_what_is_added_moves_with_the_head_alone(name):
    strategy = strategies.STRATEGIES[name]()
    paths = list(flatten(jax.eval_shape(strategy.adapt(NET).init, jax.random.key(0), X)[0]))
    factors = resolve(strategy.rules(LAYOUT, 100), paths)
    assert {path.split("/")[0] for path, factor in factors.items() if factor} == {name, "head"}


@pytest.mark.parametrize(
    ("adapt", "said"),
    [
        (ia3.with_ia3, "no attention"),
        (strategies.vpt().adapt, "tokens of images"),
        (strategies.prefix().adapt, "over places"),
    ],
)
def test_networks_without_what_is_needed_are_refused(adapt, said):
    with pytest.raises(UserError, match=said):
        jax.eval_shape(adapt(LENET).init, jax.random.key(0), X)
