"""Methods of generalisation: what they say of several domains, against NumPy and finite differences."""

from itertools import combinations
from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import RNG, C, D, cross_entropy, output, perceptron, slope, softmax, weights

from tl_jax.core.errors import UserError
from tl_jax.core.keys import named
from tl_jax.core.types import At, Batch, Labeled, Model, Network, Output
from tl_jax.methods import GENERALISATION
from tl_jax.methods.contract import Example, Own
from tl_jax.methods.mixstyle import _places
from tl_jax.methods.sagnet import _partners
from tl_jax.methods.selfreg import _of_the_class
from tl_jax.models.networks import NETWORKS, build
from tl_jax.training.forward import Forward
from tl_jax.training.objective import Surroundings, objective

SIZES = (5, 4, 6)
ENDS = np.cumsum(SIZES)
S = output(sum(SIZES))
Y = np.arange(sum(SIZES)) % C
PARTS = np.split(np.arange(sum(SIZES)), ENDS[:-1])
BATCH = Batch(tuple(Labeled(np.zeros((len(rows), 1)), Y[rows], rows) for rows in PARTS), None)
HEAD = {"kernel": RNG.normal(size=(D, C)), "bias": RNG.normal(size=C)}
MODEL = Model({"head": HEAD}, {}, {}, {})
EXAMPLE = Example(S.features[:2], S.logits[:2], S.features[:2], 3)


def at(method, progress=0.5, lam=1.0, **values):
    return At(jnp.int32(0), jnp.float64(progress), lam, {**method.values, **values}, jax.random.key(0))


def losses(name, out=S, *, params=None, memory=None):
    """The terms of a method's defaults on the batch."""
    method = GENERALISATION[name]()
    own = Own(params or {}, memory or {}, {"head": HEAD})
    found = jax.jit(lambda out: method.terms(own, {"source": out}, BATCH, at(method)).losses)
    return jax.device_get(found(out))


def assert_slopes(name, value, field, **given):
    """The gradient of a term in the outputs, at some entries, is that of the NumPy function of (features, logits)."""
    method, term = GENERALISATION[name](), given.pop("term")
    own = Own(given.get("params") or {}, given.get("memory") or {}, {"head": HEAD})
    loss = lambda out: method.terms(own, {"source": out}, BATCH, at(method)).losses[term]
    found = jax.device_get(jax.jit(jax.grad(loss))(S))
    of = lambda x: value(S._replace(**{field: x}))
    for place in [(0, 0), (4, 1), (6, 3), (11, 2)]:
        want = slope(of, getattr(S, field), place)
        np.testing.assert_allclose(getattr(found, field)[place], want, rtol=1e-5, atol=1e-8)


def risks(out):
    return np.array([cross_entropy(out.logits[rows], Y[rows]) for rows in PARTS])


# Risks ------------------------------------------------------------------------------------------


def test_vrex_adds_the_variance_of_the_risks():
    of = lambda out: np.square(risks(out) - risks(out).mean()).mean()
    found = losses("vrex")
    np.testing.assert_allclose(found["variance"], of(S), rtol=1e-9)
    np.testing.assert_allclose(found["source"], cross_entropy(S.logits, Y), rtol=1e-9)
    assert_slopes("vrex", of, "logits", term="variance")


@pytest.mark.parametrize("name", ["vrex", "irm"])
def test_a_penalty_waits_for_a_tenth_of_the_run(name):
    method = GENERALISATION[name]()
    weigh = lambda progress, lam: next(iter(method.weights(at(method, progress, lam)).values()))
    assert [float(weigh(p, 30.0)) for p in (0.0, 0.0999, 0.1, 0.9)] == [1.0, 1.0, 30.0, 30.0]
    assert [float(weigh(p, 0.0)) for p in (0.0, 0.9)] == [0.0, 0.0]


def scale_slope(logits, y):
    """d/ds of the cross-entropy of s times the logits, at 1."""
    return slope(lambda s: cross_entropy(s[0] * logits, y), np.ones(1), 0, 1e-5)


def test_irm_multiplies_the_slopes_of_two_halves_of_each_domain():
    of = lambda out: np.mean(
        [np.prod([scale_slope(out.logits[rows[half::2]], Y[rows[half::2]]) for half in (0, 1)]) for rows in PARTS]
    )
    np.testing.assert_allclose(losses("irm")["invariance"], of(S), rtol=1e-7)

    def exact(out):
        off = ((softmax(out.logits) - np.eye(C)[Y]) * out.logits).sum(1)
        return np.mean([off[rows[::2]].mean() * off[rows[1::2]].mean() for rows in PARTS])

    assert_slopes("irm", exact, "logits", term="invariance")


def test_group_dro_weighs_the_worst_domain_more_and_remembers_it():
    method = GENERALISATION["group_dro"](eta=0.5)
    own = method.init(jax.random.key(0), EXAMPLE, MODEL)
    np.testing.assert_allclose(np.exp(own.memory["log_q"]), np.full(3, 1 / 3))
    q, memory = np.full(3, 1 / 3), own.memory
    for shift in (0.0, 1.0):
        out = S._replace(logits=S.logits + shift * np.eye(C)[0])
        q = q * np.exp(0.5 * risks(out))
        q = q / q.sum()
        found = method.terms(own._replace(memory=memory), {"source": out}, BATCH, at(method)).losses["robust"]
        np.testing.assert_allclose(found, q @ risks(out), rtol=1e-9)
        memory = method.after(MODEL._replace(memory=memory), {"source": out}, BATCH, at(method))
        np.testing.assert_allclose(np.exp(memory["log_q"]), q, rtol=1e-9)
    fixed = q  # detached: the weights have no gradient
    loss = lambda z: method.terms(own._replace(memory=memory), {"source": S._replace(logits=z)}, BATCH, at(method))
    gradient = jax.grad(lambda z: loss(z).losses["robust"])(S.logits)
    fixed = fixed * np.exp(0.5 * risks(S)) / (fixed * np.exp(0.5 * risks(S))).sum()
    want = slope(lambda z: fixed @ risks(S._replace(logits=z)), S.logits, (5, 1))
    np.testing.assert_allclose(gradient[5, 1], want, rtol=1e-6)


def test_spectral_decoupling_penalises_the_squared_logits():
    np.testing.assert_allclose(losses("spectral_decoupling")["logits"], np.square(S.logits).mean(), rtol=1e-9)


def kernel_quantile(risk, share=0.75):
    """Root of the smoothed distribution of the risks, by another way than bisection."""
    width = 1.06 * len(risk) ** -0.2 * np.sqrt(np.var(risk, ddof=1) + (1e-4 * risk.mean()) ** 2 + 1e-12)
    q = np.quantile(risk, share)
    for _ in range(50):
        of = [NormalDist(r, width) for r in risk]
        q -= (np.mean([one.cdf(q) for one in of]) - share) / np.mean([one.pdf(q) for one in of])
    return q


def test_eqrm_minimises_a_quantile_of_the_risks():
    of = lambda out: kernel_quantile(risks(out))
    np.testing.assert_allclose(losses("eqrm")["quantile"], of(S), rtol=1e-8)
    assert_slopes("eqrm", of, "logits", term="quantile")
    method = GENERALISATION["eqrm"]()
    by_progress = [{k: float(w) for k, w in method.weights(at(method, p)).items()} for p in (0.49, 0.5)]
    assert by_progress == [{"source": 1.0, "quantile": 0.0}, {"source": 0.0, "quantile": 1.0}]


# Gradients --------------------------------------------------------------------------------------


def gradient_variances(out):
    """[K, (d + 1) c], from the gradient of every single example."""
    p = softmax(out.logits)
    rows = [np.outer(np.append(f, 1.0), q - np.eye(C)[y]).ravel() for f, q, y in zip(out.features, p, Y, strict=True)]
    return np.stack([np.var([rows[i] for i in part], axis=0) for part in PARTS])


def test_fishr_compares_the_variances_of_the_gradients_of_single_examples():
    method = GENERALISATION["fishr"]()
    own = method.init(jax.random.key(0), EXAMPLE, MODEL)
    assert own.memory["variance"].shape == (3, (D + 1) * C)
    memory = {"variance": RNG.uniform(0, 2, (3, (D + 1) * C))}

    def of(out):
        v = (0.95 * memory["variance"] + 0.05 * gradient_variances(out)) / 0.05
        return np.mean([np.square(one - v.mean(0)).mean() for one in v])

    np.testing.assert_allclose(losses("fishr", memory=memory)["variance"], of(S), rtol=1e-9)
    assert_slopes("fishr", of, "logits", term="variance", memory=memory)
    assert_slopes("fishr", of, "features", term="variance", memory=memory)
    following = method.after(MODEL._replace(memory=memory), {"source": S}, BATCH, at(method))
    want = 0.95 * memory["variance"] + 0.05 * gradient_variances(S)
    np.testing.assert_allclose(following["variance"], want, rtol=1e-9)
    assert [float(method.weights(at(method, p, 7.0))["variance"]) for p in (0.29, 0.3)] == [0.0, 7.0]


def test_the_closed_form_of_an_examples_gradient_is_that_of_the_linear_head():
    x, y = S.features[3], Y[3]
    p = softmax(x[None] @ HEAD["kernel"] + HEAD["bias"])[0]
    loss = lambda kernel: cross_entropy(x[None] @ kernel + HEAD["bias"], np.array([y]))
    for place in [(0, 0), (2, 3)]:
        want = slope(loss, HEAD["kernel"], place)
        np.testing.assert_allclose(np.outer(x, p - np.eye(C)[y])[place], want, rtol=1e-6)


# Features ---------------------------------------------------------------------------------------


def test_source_coral_compares_moments_of_all_pairs_of_domains():
    def of(out):
        pairs = combinations([out.features[rows] for rows in PARTS], 2)
        moved = lambda a, b: np.square(np.cov(a.T) - np.cov(b.T)).mean() + np.square(a.mean(0) - b.mean(0)).mean()
        return np.mean([moved(a, b) for a, b in pairs])

    np.testing.assert_allclose(losses("source_coral")["coral"], of(S), rtol=1e-9)
    assert_slopes("source_coral", of, "features", term="coral")


def distances(a, b):
    return np.square(a[:, None] - b[None]).sum(-1)


def fixed_mmd(a, b):
    k = lambda x, y: np.mean(sum(np.exp(-(10.0**e) * distances(x, y)) for e in range(-3, 4)))
    return k(a, a) + k(b, b) - 2 * k(a, b)


def scaled_mmd(a, b):
    z = np.concatenate([a, b])
    scale = distances(z, z).mean()
    k = lambda x, y: sum(np.exp(-distances(x, y) / (2 * 2.0**e * scale)) for e in range(-3, 2))
    off = lambda x: (k(x, x).sum() - np.trace(k(x, x))) / (len(x) * (len(x) - 1))
    return off(a) + off(b) - 2 * k(a, b).mean()


@pytest.mark.parametrize(("form", "of"), [("scaled", scaled_mmd), ("domainbed", fixed_mmd)])
def test_source_mmd_compares_all_pairs_of_domains(form, of):
    method = GENERALISATION["source_mmd"](form=form)
    out = S._replace(features=S.features / 4)  # among points further apart the narrow kernels are zero
    found = method.terms(Own({}, {}), {"source": out}, BATCH, at(method)).losses["mmd"]
    pairs = combinations([out.features[rows] for rows in PARTS], 2)
    np.testing.assert_allclose(found, np.mean([of(a, b) for a, b in pairs]), rtol=1e-9)


DOMAIN = np.repeat(np.arange(3), SIZES)


def test_source_dann_hides_which_source_an_example_is_of():
    params = {"discriminator": weights(1, D, 7, 7, 3)}
    of = lambda out: cross_entropy(perceptron(params["discriminator"], out.features), DOMAIN)
    np.testing.assert_allclose(losses("source_dann", params=params)["domain"], of(S), rtol=1e-9)
    assert_slopes("source_dann", lambda out: -of(out), "features", term="domain", params=params)


def test_source_cdann_tells_the_discriminator_the_class_and_counts_classes_alike():
    params = {"discriminator": weights(1, D, 7, 7, 3), "class": {"kernel": RNG.normal(size=(C, D))}}

    def of(out):
        p = softmax(perceptron(params["discriminator"], out.features + params["class"]["kernel"][Y]))
        each = -np.log(p[np.arange(len(Y)), DOMAIN])
        return np.mean([each[c == Y].mean() for c in range(C)])

    np.testing.assert_allclose(losses("source_cdann", params=params)["domain"], of(S), rtol=1e-9)
    assert_slopes("source_cdann", lambda out: -of(out), "features", term="domain", params=params)


# Changed features and weights --------------------------------------------------------------------


def test_rsc_mutes_the_features_that_say_most_where_they_matter_most():
    f, logits = S.features, S.features @ HEAD["kernel"] + HEAD["bias"]
    slopes = HEAD["kernel"].T[Y]
    weak = slopes < np.percentile(slopes, 100 * 2 / 3, axis=1, keepdims=True)
    right = lambda z: softmax(z)[np.arange(len(Y)), Y]
    lost = right(logits) - right((f * weak) @ HEAD["kernel"] + HEAD["bias"])
    kept = weak | (lost < np.percentile(lost, 100 * 2 / 3))[:, None]
    assert 0 < kept.sum() < kept.size
    out = S._replace(logits=logits)
    want = cross_entropy((f * kept) @ HEAD["kernel"] + HEAD["bias"], Y)
    np.testing.assert_allclose(losses("rsc", out)["muted"], want, rtol=1e-9)


def test_sma_predicts_by_the_mean_of_the_weights_from_its_beginning_on():
    method = GENERALISATION["sma"](begin=0.25)
    walk = [{"w": np.full(2, float(i))} for i in range(6)]
    memory = method.init(jax.random.key(0), EXAMPLE, Model(walk[0], {"all": walk[0]}, {}, {})).memory
    for i in range(1, 6):  # step i - 1 of 5 ends with walk[i]
        model = Model(walk[i], {"all": walk[i]}, memory, {})
        memory = method.after(model, {}, BATCH, at(method, (i - 1) / 5))
        params, stats = method.plain(model._replace(memory=memory), "target")
        want = np.mean([walk[j]["w"] for j in range(3, i + 1)], 0) if i > 2 else walk[i]["w"]
        np.testing.assert_allclose(params["w"], want)
        np.testing.assert_allclose(stats["w"], want)


def in_class(order):
    assert sorted(order) == list(range(len(Y)))
    np.testing.assert_array_equal(Y[order], Y)
    return order


def test_selfreg_pulls_examples_of_a_class_together():
    method = GENERALISATION["selfreg"]()
    params = method.init(jax.random.key(1), EXAMPLE, MODEL).params
    here = at(method)
    one, two = (in_class(np.asarray(_of_the_class(named(here.key, name), Y))) for name in ("first", "second"))
    assert (one != two).any()
    g = float(jax.random.beta(named(here.key, "share"), 0.5, 0.5))
    h = S.features @ np.asarray(params["projection"]["dense0"]["kernel"])
    h = np.maximum((h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5), 0) @ np.asarray(params["projection"]["dense1"]["kernel"])

    def pulled(x):
        mixed = g * x[one] + (1 - g) * x[two]
        return g * np.square(x - x[one]).mean() + (1 - g) * np.square(x - mixed).mean()

    of = lambda out: min(1.0, cross_entropy(S.logits, Y)) * (pulled(out.logits) + 0.3 * pulled(h))
    np.testing.assert_allclose(losses("selfreg", params=params)["alike"], of(S), rtol=1e-6)
    assert_slopes("selfreg", of, "logits", term="alike", params=params)


def test_sagnet_gives_contents_other_styles_and_styles_other_contents():
    method = GENERALISATION["sagnet"]()
    params = {"style": {"kernel": RNG.normal(size=(D, C)), "bias": RNG.normal(size=C)}}
    own, here = Own(params, {}, {"head": HEAD}), at(method)
    m = S.features.mean(1, keepdims=True)
    v = S.features.var(1, ddof=1, keepdims=True) + 1e-5
    content = (S.features - m) / np.sqrt(v)
    (other, a), (swap, _) = (map(np.asarray, _partners(here, name, len(Y))) for name in ("style", "content"))
    styled = content * np.sqrt(a * v + (1 - a) * v[other]) + a * m + (1 - a) * m[other]
    swapped = (content[swap] * np.sqrt(v) + m) @ params["style"]["kernel"] + params["style"]["bias"]
    found = [phase.terms(own, {"source": S}, BATCH, here).losses for phase in method.steps()]
    np.testing.assert_allclose(found[0]["source"], cross_entropy(styled @ HEAD["kernel"] + HEAD["bias"], Y), rtol=1e-9)
    np.testing.assert_allclose(found[1]["style"], cross_entropy(swapped, Y), rtol=1e-9)
    np.testing.assert_allclose(found[2]["adversary"], -np.log(softmax(swapped)).mean(), rtol=1e-9)


X = RNG.normal(size=(sum(SIZES), D)).astype(np.float32)
LINEAR = Network(
    lambda key, x: ({}, {}),
    lambda params, stats, x, **how: (Output(x, x @ params["head"]["kernel"] + params["head"]["bias"][None]), stats),
)


def test_fish_rewards_inner_products_of_the_gradients_of_domains():
    def value(kernel):
        off = softmax(X @ kernel + HEAD["bias"]) - np.eye(C)[Y]
        slopes = [X[rows].T @ off[rows] / len(rows) for rows in PARTS]
        risk = cross_entropy(X @ kernel + HEAD["bias"], Y)
        return risk - 0.7 * np.mean([(a * b).sum() for a, b in combinations(slopes, 2)])

    method = GENERALISATION["fish"]()
    batch = Batch(tuple(Labeled(*map(jnp.asarray, (X[rows], Y[rows], rows))) for rows in PARTS), None)
    around = Surroundings({"head/bias": jnp.asarray(HEAD["bias"])}, {"all": {}}, {}, batch, at(method, lam=0.7))
    total = objective(method, Forward(LINEAR, "joint"), method.terms)
    found, gradient = jax.value_and_grad(lambda k: total({"head/kernel": k}, around)[0])(jnp.asarray(HEAD["kernel"]))
    np.testing.assert_allclose(found, value(HEAD["kernel"]), rtol=1e-6)
    for place in [(0, 0), (2, 3), (4, 1)]:
        np.testing.assert_allclose(gradient[place], slope(value, HEAD["kernel"], place), rtol=1e-4, atol=1e-7)


EVEN = Batch(tuple(Labeled(np.zeros((4, 1)), Y[:4], np.arange(4)) for _ in range(3)), None)


def test_mixstyle_mixes_statistics_of_maps_with_those_of_another_domain():
    maps = (
        np.random.default_rng(3).normal(1.0, 2.0, (12, 5, 4, 2))
        + np.repeat(np.arange(3) * 100.0, 4)[:, None, None, None]
    )
    apply = lambda params, stats, x, after=lambda path, y: y, **how: (after("backbone/norm1", x), stats)
    method = GENERALISATION["mixstyle"](p=1.0, alpha=1.0)
    styled = method.adapt(Network(lambda *_: ({}, {}), apply), EVEN, at(method)).apply
    found, _ = styled({}, {}, jnp.asarray(maps), train=True)
    normal = lambda x: (x - x.mean((1, 2), keepdims=True)) / x.std((1, 2), keepdims=True)
    np.testing.assert_allclose(normal(np.asarray(found)), normal(maps), atol=1e-5)
    moved = np.asarray(found).mean((1, 2)) - maps.mean((1, 2))
    assert (np.abs(moved).max(1) > 0.5).all()  # towards another domain, by another share each
    m, s = maps.mean((1, 2)), maps.std((1, 2))
    for i in range(12):
        a = [(np.asarray(found)[i].mean((0, 1)) - m[j]) / (m[i] - m[j]) for j in range(12) if j // 4 != i // 4]
        j = int(np.argmin([np.ptp(one) for one in a]))
        j, a = [j for j in range(12) if j // 4 != i // 4][j], a[j].mean()
        np.testing.assert_allclose(np.asarray(found)[i].std((0, 1)), a * s[i] + (1 - a) * s[j], rtol=1e-4)
    np.testing.assert_array_equal(styled({}, {}, maps)[0], maps)  # no training, no mixing


@pytest.mark.parametrize(
    ("network", "side", "places"), [("cnn", 16, ["norm1", "norm2"]), ("resnet18", 32, ["stage1", "stage2"])]
)
def test_mixstyle_finds_the_first_two_blocks(network, side, places):
    net = build(NETWORKS[network](), 3)
    x = jax.ShapeDtypeStruct((2, side, side, 3), jnp.float32)
    params, stats = jax.eval_shape(net.init, jax.random.key(0), x)
    run = lambda after: jax.eval_shape(lambda p, s, x: net.apply(p, s, x, after=after)[0], params, stats, x)
    assert _places(run) == [f"backbone/{name}" for name in places]


def test_mixstyle_refuses_a_network_without_maps():
    net = build(NETWORKS["mlp"](), 3)
    params, stats = net.init(jax.random.key(0), X)
    method = GENERALISATION["mixstyle"]()
    with pytest.raises(UserError, match="--network=cnn"):
        method.adapt(net, BATCH, at(method)).apply(params, stats, X, train=True)


# What they refuse -------------------------------------------------------------------------------

ALONE_WILL_DO = ("erm", "spectral_decoupling", "mixstyle", "rsc", "selfreg", "sagnet", "sma", "mixup", "swad")


@pytest.mark.parametrize("name", [name for name in GENERALISATION if name not in ALONE_WILL_DO])
def test_one_domain_alone_cannot_be_compared(name):
    method = GENERALISATION[name]()
    alone = BATCH._replace(sources=BATCH.sources[:1])
    out = {"source": Output(S.features[:5], S.logits[:5])}

    def begin_and_look():
        own = method.init(jax.random.key(0), EXAMPLE._replace(domains=1), MODEL)
        method.terms(own._replace(network=MODEL.params), out, alone, at(method))

    with pytest.raises(UserError, match="two or more"):
        begin_and_look()


@pytest.mark.parametrize("name", ["fishr", "rsc"])
def test_gradients_in_closed_form_need_the_weights_of_a_linear_head(name):
    with pytest.raises(UserError, match=f"{name} reads the weights of a linear head"):
        GENERALISATION[name]().init(jax.random.key(0), EXAMPLE, Model({"head": {"dense1": HEAD}}, {}, {}, {}))


def test_irm_needs_two_examples_of_a_domain():
    one = BATCH._replace(sources=tuple(Labeled(*(part[:1] for part in source)) for source in BATCH.sources))
    method = GENERALISATION["irm"]()
    with pytest.raises(UserError, match="batch_size=2"):
        method.terms(Own({}, {}), {"source": Output(S.features[:3], S.logits[:3])}, one, at(method))
