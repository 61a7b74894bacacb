"""VADA, DIRT-T, CAN, CST, SPA, CDAC, noisy student and CoWA against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import AT, BATCH, CE, OTHER, OUT, ROWS, C, D, M, N, S, T, Y, entropy, perceptron, softmax, weights

from tl_jax.core.errors import UserError
from tl_jax.core.keys import named
from tl_jax.core.types import Batch, Labeled, Model, Network, Output, Unlabeled
from tl_jax.losses.examples.mixing import seeing
from tl_jax.losses.examples.mixture import responsibilities
from tl_jax.losses.examples.virtual import worst
from tl_jax.losses.joint_discrepancy import contrastive_discrepancy
from tl_jax.losses.neighbours import unit
from tl_jax.methods import METHODS
from tl_jax.methods.can import clusters
from tl_jax.methods.cdac import similar
from tl_jax.methods.contract import Own
from tl_jax.methods.cowa import scored
from tl_jax.methods.cst import cycle
from tl_jax.run.plan.jobs import make_job
from tl_jax.run.settings.config import Config

RNG = np.random.default_rng(5)
HEAD = weights(7, D, C)["dense0"]
KERNEL = RNG.normal(size=(3, C))
length = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)


def losses(name, own, memory=None, *, out=OUT, batch=BATCH, at=AT, **hooks):
    method = METHODS[name]()
    at = at._replace(values=dict(method.values), lam=jnp.float64(1))

    def found(own, memory):
        terms = method.terms(Own(own, memory, {"head": HEAD}, **hooks), out, batch, at)
        return terms.losses, dict(terms.metrics)

    return jax.device_get((found if "lookahead" in hooks else jax.jit(found))(own, memory or {}))


# Moved inputs -------------------------------------------------------------------------------------


def test_the_worst_move_is_the_steepest_rise_of_the_divergence_and_has_its_length():
    x = RNG.normal(size=(4, 3))
    says = lambda r: {"target": jnp.tanh(x + r["target"]) @ KERNEL}
    r = worst(says, {"target": jnp.asarray(x)}, AT.key, 0.5)["target"]
    d = length(np.asarray(jax.random.normal(named(AT.key, "move target"), x.shape, float)))
    of = lambda r: softmax(np.tanh(x + r) @ KERNEL)

    def slope(i, j, at):
        """d KL(p_i(0) || p_i(r)) / d r_ij at r = at."""
        step = np.zeros_like(x)
        step[i, j] = 1e-5
        kl = lambda r: (of(0 * x)[i] * np.log(of(0 * x)[i] / of(r)[i])).sum()
        return (kl(at + step) - kl(at - step)) / 2e-5

    # H d as a difference of two slopes.
    g = np.array([[slope(i, j, 1e-4 * d) - slope(i, j, -1e-4 * d) for j in range(3)] for i in range(4)])
    np.testing.assert_allclose(r, 0.5 * length(g), rtol=1e-4, atol=1e-5)
    nothing = worst(lambda r: {"target": 0 * r["target"] @ KERNEL}, {"target": jnp.asarray(x)}, AT.key, 0.5)
    assert not np.asarray(nothing["target"]).any()


X_S, X_T = RNG.normal(size=(N, 3)), RNG.normal(size=(M, 3))
SEEN = Batch((Labeled(X_S, Y, np.arange(N)),), Unlabeled(X_T, ROWS))


def moved(change):
    """A network that says tanh(x) @ KERNEL; the moves that it was asked for are its features."""
    x = {"source": jnp.asarray(X_S), "target": jnp.asarray(X_T)}
    put = {name: change.get(name, lambda x: x)(value) for name, value in x.items()}
    return {name: Output(there - x[name], jnp.tanh(there) @ KERNEL) for name, there in put.items()}


def unmoved(z, r, x):
    return -(softmax(z) * np.log(softmax(np.tanh(x + r) @ KERNEL))).sum(1).mean()


def test_vada_keeps_predictions_where_inputs_move_and_hides_the_domains():
    judge = weights(3, D, 6, 1)
    found, _ = losses("vada", {"discriminator": judge}, batch=SEEN, moved=moved)
    x = {"source": jnp.asarray(X_S), "target": jnp.asarray(X_T)}
    says = lambda r: {name: out.logits for name, out in moved({k: lambda x, k=k: x + r[k] for k in r}).items()}
    r = jax.device_get(jax.jit(lambda x: worst(says, x, AT.key, 3.5))(x))
    np.testing.assert_allclose(np.linalg.norm(r["target"], axis=1), 3.5)
    np.testing.assert_allclose(found["classes"], CE, rtol=1e-9)
    np.testing.assert_allclose(found["smooth_source"], unmoved(S.logits, r["source"], X_S), rtol=1e-9)
    np.testing.assert_allclose(found["smooth_target"], unmoved(T.logits, r["target"], X_T), rtol=1e-9)
    np.testing.assert_allclose(found["entropy"], entropy(T.logits).mean(), rtol=1e-9)
    d_s, d_t = (perceptron(judge, o.features)[:, 0] for o in (S, T))
    right, wrong = lambda d: np.log1p(np.exp(-d)).mean(), lambda d: np.log1p(np.exp(d)).mean()
    np.testing.assert_allclose(found["domain"], (right(d_s) + wrong(d_t)) / 2, rtol=1e-9)
    np.testing.assert_allclose(found["confusion"], (wrong(d_s) + right(d_t)) / 2, rtol=1e-9)
    assert METHODS["vada"]().weights(AT._replace(values={"smooth": 2.0, "target": 0.1})) == {
        "classes": 1.0, "domain": 1.0, "smooth_source": 2.0, "smooth_target": 0.1, "entropy": 0.1,
    }  # fmt: skip


def test_dirt_t_follows_the_average_as_it_was_when_the_interval_began():
    method, out = METHODS["dirt_t"](every=0.25, decay=0.9), {"target": T, "teacher": OTHER}
    found, _ = losses("dirt_t", {}, out=out, batch=SEEN, moved=moved)
    agree = -(softmax(OTHER.logits) * np.log(softmax(T.logits))).sum(1).mean()
    np.testing.assert_allclose([found["teacher"], found["entropy"]], [agree, entropy(T.logits).mean()], rtol=1e-9)
    tree = lambda x: {"params": {"w": jnp.float64(x)}, "stats": {"all": jnp.float64(x)}}
    memory = {"average": tree(1.0), "teacher": tree(5.0), "interval": jnp.int32(0)}
    for progress, teacher, interval in ((0.2, 5.0, 0), (0.25, 1.2, 1)):
        model = Model({"w": jnp.float64(3.0)}, {"all": jnp.float64(3.0)}, memory, {})
        after = method.after(model, out, SEEN, AT._replace(progress=progress, values=dict(method.values)))
        np.testing.assert_allclose(after["average"]["params"]["w"], 1.2)
        assert (after["teacher"]["stats"]["all"], after["interval"]) == (pytest.approx(teacher), interval)
    assert method.plain(model, "target")[0]["w"] == 1.0


def test_the_model_that_dirt_t_begins_from_has_the_values_that_it_does_not_share():
    job = make_job(Config(seeds=(3,), lr=0.5), "dirt_t", METHODS["dirt_t"](radius=1.5))
    assert job.start is not None
    ((seed, values),) = job.start.trials
    of_both = {"lam": 0.01, "lr": 0.5, "weight_decay": Config().weight_decay, "radius": 1.5}
    assert (seed, dict(values)) == (3, {**of_both, "smooth": 1.0, "target": 0.01})


# Clusters and graphs ------------------------------------------------------------------------------


def discrepancy(x_s, x_t, y_s, y_t):
    """intra, inter by loops over classes."""
    square = lambda a, b: ((a[:, None] - b[None]) ** 2).sum(2)
    both = [k for k in range(C) if (y_s == k).any() and (y_t == k).any()]
    apart = {}
    for k in both:
        for m in both:
            s, t = x_s[y_s == k], x_t[y_t == m]
            z = np.vstack([s, t])
            g = square(z, z).sum() / (len(z) ** 2 - len(z))
            kernel = lambda d, g=g: sum(np.exp(-d / (b * g)) for b in (0.25, 0.5, 1, 2, 4))
            apart[k, m] = sum(kernel(square(x, x)).mean() for x in (s, t)) - 2 * kernel(square(s, t)).mean()
    same = [v for (k, m), v in apart.items() if k == m]
    other = [v for (k, m), v in apart.items() if k != m]
    return np.mean(same), np.mean(other)


def test_can_brings_classes_together_and_parts_different_ones():
    """The difference and its gradients agree with the authors' to 1e-15 where every class is in both batches."""
    label = np.full(12, -1)
    label[ROWS[:6]] = [0, 0, 1, 1, 1, 2]
    memory = {"label": jnp.asarray(label)}
    found, metrics = losses("can", {}, memory)
    of_f = discrepancy(S.features, T.features, Y, label[ROWS])
    of_p = discrepancy(softmax(S.logits), softmax(T.logits), Y, label[ROWS])
    np.testing.assert_allclose(found["contrast"], of_f[0] + of_p[0] - of_f[1] - of_p[1], rtol=1e-9)
    np.testing.assert_allclose([metrics["intra"], metrics["inter"], metrics["clustered"]], [*of_f, 6 / 8], rtol=1e-9)
    none = jax.jit(contrastive_discrepancy, static_argnums=4)(S.features, T.features, Y, jnp.full(M, -1), C)
    assert (float(none[0]), float(none[1])) == (0.0, 0.0)


def test_the_clusters_of_can_begin_with_the_source_and_leave_out_what_is_far_or_rare():
    out, centres = Output(RNG.normal(size=(40, D)), RNG.normal(size=(40, C))), RNG.normal(size=(C, D))
    f, now = length(out.features), length(centres)
    for _ in range(20):
        label = (f @ length(now).T).argmax(1)
        now = np.array([out.features[label == k].sum(0) if (label == k).any() else centres[k] for k in range(C)])
    cosine = f @ length(now).T
    label, near = cosine.argmax(1), (1 - cosine.max(1)) / 2 < 0.2
    count = np.bincount(label[near], minlength=C)
    want = np.where(near & (count[label] >= 7), label, -1)
    assert 0 < (want < 0).sum() < 40
    np.testing.assert_array_equal(jax.jit(clusters)(out, centres, 0.2, 7), want)
    old = jnp.asarray(np.vstack([np.zeros(D), RNG.normal(size=(C - 1, D))]))
    after = METHODS["can"]().after(Model({}, {}, {"centres": old, "label": None}, {}), OUT, BATCH, AT)["centres"]
    mean = lambda k: length(S.features)[Y == k].mean(0)  # noqa: SIM300
    np.testing.assert_allclose(after[0], mean(0))
    np.testing.assert_allclose(after[1], 0.9 * old[1] + 0.1 * mean(1))


def test_cst_asks_the_target_s_head_for_the_source_s_labels():
    """Cycle and entropy agree with the authors', with gradients, to 1e-7: the clipping of their cosines, and the 1e-5
    under the logarithm of their weights."""
    views = {"source": S, "target": T, "target_strong": OTHER}
    asked = []

    def lookahead(loss, rate):
        asked.append((float(loss(views)), rate))
        return views

    found, _ = losses("cst", {}, out=views, lookahead=lookahead)
    f_s, f_t = length(S.features), length(T.features)
    label = np.eye(C)[T.logits.argmax(1)] - 1 / C
    head = f_t.T @ np.linalg.solve(f_t @ f_t.T + 1e-3 * np.eye(M), label)
    np.testing.assert_allclose(found["cycle"], ((f_s @ head - np.eye(C)[Y] + 1 / C) ** 2).mean(), rtol=1e-7)
    p, w = softmax(T.logits / 2), 1 + np.exp(-entropy(T.logits / 2))
    w = w / w.mean()
    want = (C - (w[:, None] * p**1.9 / (w[:, None] * p).sum(0)).sum()) / 0.9
    np.testing.assert_allclose(found["tsallis"], want, rtol=1e-9)
    np.testing.assert_allclose(found["classes"], CE, rtol=1e-9)
    sure = softmax(T.logits).max(1) >= 0.97
    each = -np.log(softmax(OTHER.logits)[np.arange(M), T.logits.argmax(1)])
    np.testing.assert_allclose(found["strong"], (sure * each).mean(), rtol=1e-9)
    np.testing.assert_allclose(asked[0][0], CE + found["cycle"] + 0.08 * want + 0.5 * found["strong"], rtol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(asked[0][1]({"a": jnp.array([3.0, 4.0])})["a"]), 0.5)
    assert np.isfinite(jax.jit(cycle)((S.features, S.features[:1]), Y, T.logits[:1]))


def test_spa_aligns_spectra_and_labels_by_neighbours():
    """The spectral term and its gradients agree with the authors' (gauss, laplac1) to 1e-15."""
    judge, method = weights(3, D, 6, 6, 1), METHODS["spa"]()
    bank, said = length(RNG.normal(size=(12, D))), softmax(RNG.normal(size=(12, C)))
    memory = {"features": jnp.asarray(bank), "predictions": jnp.asarray(said)}
    found, _ = losses("spa", {"discriminator": judge}, memory)

    def spectrum(f):
        a = np.exp(-np.linalg.norm(f[:, None] - f[None], axis=2) / 4.5) - np.eye(len(f))
        return np.linalg.svd(a / a.sum(1, keepdims=True), compute_uv=False)

    want = np.linalg.norm(spectrum(S.features) - spectrum(T.features)[:N])
    np.testing.assert_allclose(found["spectral"], want, rtol=1e-9)
    q = []
    for f, row in zip(length(T.features), ROWS, strict=True):
        q.append(said[sorted((j for j in range(12) if j != row), key=lambda j: -(bank[j] @ f))[:5]].mean(0))
    q = np.array(q)
    each = -np.log(softmax(T.logits)[np.arange(M), q.argmax(1)])
    np.testing.assert_allclose(found["neighbours"], (q.max(1) * each).sum() / q.max(1).sum(), rtol=1e-9)
    w_s, w_t = (1 + np.exp(-entropy(o.logits)) for o in (S, T))
    d_s, d_t = (perceptron(judge, o.features)[:, 0] for o in (S, T))
    domain = (w_s @ np.log1p(np.exp(-d_s))) / w_s.sum() + (w_t @ np.log1p(np.exp(d_t))) / w_t.sum()
    np.testing.assert_allclose(found["domain"], domain / 2, rtol=1e-9)
    smooth = 0.9 * CE - 0.1 * np.log(softmax(S.logits)).mean()
    np.testing.assert_allclose(found["classes"], smooth, rtol=1e-9)
    at = AT._replace(values={"momentum": 0.3})
    after = method.after(Model({}, {}, memory, {}), OUT, BATCH, at)
    np.testing.assert_allclose(after["features"][ROWS], 0.7 * bank[ROWS] + 0.3 * length(T.features))
    squares = softmax(T.logits) ** 2
    np.testing.assert_allclose(after["predictions"][ROWS], 0.7 * said[ROWS] + 0.3 * squares / squares.sum(0) * M / 12)


def test_cdac_parts_and_gathers_pairs_of_targets():
    """The pairs' term and its gradients agree with the authors' to 1e-7, which is under their logarithms."""
    one, two = OTHER, OTHER._replace(logits=OTHER.logits[::-1])
    found, metrics = losses("cdac", {}, out={**OUT, "one": one, "two": two})
    p, q = (softmax(o.features @ HEAD["kernel"] + HEAD["bias"]) for o in (T, one))
    pairs = 0.0
    for i in range(M):
        for j in range(M):
            top = [set(np.argsort(-T.features[k])[:5]) for k in (i, j)]
            alike = top[0] == top[1]
            pairs += np.log(p[i] @ q[j]) if alike else np.log(1 - p[i] @ q[j])
    np.testing.assert_allclose(found["clusters"], pairs / M**2, rtol=1e-9)
    apart = ((softmax(one.logits) - softmax(two.logits)) ** 2).mean()
    np.testing.assert_allclose([found["classes"], found["consistency"]], [CE, apart], rtol=1e-9)
    sure = softmax(T.logits).max(1) >= 0.95
    each = -np.log(softmax(two.logits)[np.arange(M), T.logits.argmax(1)])
    np.testing.assert_allclose(found["pseudo"], (sure * each).mean(), rtol=1e-9)
    assert metrics["pairs"] == 1.0  # of five features the five greatest are all
    want = [[set(np.argsort(-a)[:2]) == set(np.argsort(-b)[:2]) for b in T.features] for a in T.features]
    np.testing.assert_array_equal(similar(jnp.asarray(T.features), 2), want)


# Teachers and mixtures ----------------------------------------------------------------------------


def test_the_next_student_begins_where_the_run_began_and_the_last_one_teaches_it():
    method = METHODS["noisy_student"]()
    found, _ = losses("noisy_student", {}, out={**OUT, "teacher": OTHER})
    q = softmax(OTHER.logits)
    each = (q.max(1) > 0.3) * -(q * np.log(softmax(T.logits))).sum(1)
    np.testing.assert_allclose([found["source"], found["pseudo"]], [CE, each.mean()], rtol=1e-9)
    tree = lambda x: {"params": {"w": jnp.float64(x)}, "stats": jnp.float64(x)}
    memory = {"begun": {"w": jnp.float64(1.0)}, "teacher": tree(2.0), "round": jnp.int32(0)}
    model = Model({"w": jnp.float64(3.0)}, jnp.float64(3.0), memory, {})
    for progress, w, teacher in ((0.2, 3.0, 2.0), (0.25, 1.0, 3.0)):
        at = AT._replace(progress=jnp.float64(progress), values=dict(method.values))
        put = method.restore(model, {}, at)
        assert (put.params["w"], put.memory["teacher"]["params"]["w"], bool(put.renewed)) == (w, teacher, w == 1.0)
        assert method.weights(at) == {"pseudo": float(progress >= 0.25)}


def test_cowa_scores_a_label_by_the_features_and_by_the_model():
    """Labels and scores agree with the authors' to 1e-14."""
    out = Output(RNG.normal(size=(30, D)) * [2, 1, 1, 1, 1], 2 * RNG.normal(size=(30, C)))
    f, p = length(out.features), softmax(out.logits)

    def mixture(w, v):
        z = np.zeros((30, C))
        for k in range(C):
            away = f - w[:, k] @ f / w[:, k].sum()
            cov = (v[:, k : k + 1] * away).T @ away / v[:, k].sum() + 1e-6 * np.eye(D)
            z[:, k] = np.log(w[:, k].sum()) - np.linalg.slogdet(cov)[1] / 2
            z[:, k] -= np.einsum("id,de,ie->i", away, np.linalg.inv(cov), away) / 2
        return z - np.log(np.exp(z).sum(1, keepdims=True))

    log_r = mixture(p, np.ones_like(p))
    log_r = mixture(np.exp(log_r), np.exp(log_r))
    label, best = log_r.argmax(1), np.sort(log_r, 1)
    gap = best[:, -1] - best[:, -2]
    found = jax.jit(scored)(out)
    np.testing.assert_array_equal(found["label"], label)
    np.testing.assert_allclose(found["score"], gap / gap.max() * p[np.arange(30), label], rtol=1e-6)
    few = responsibilities(unit(jnp.asarray(out.features[:2])), jnp.eye(2, C))
    assert np.isfinite(np.asarray(few)).all()


def test_cowa_trains_on_mixtures_with_the_labels_of_both():
    method = METHODS["cowa"]()
    at = AT._replace(values=dict(method.values))
    seen = []
    network = Network(lambda *_: ({}, {}), lambda params, stats, x, **how: (seen.append(x), stats))
    adapted, x = method.adapt(network, BATCH, at), jnp.asarray(RNG.normal(size=(M, 3)))
    adapted.apply({}, {}, x, train=True)
    adapted.apply({}, {}, x)
    order = np.asarray(jax.random.permutation(named(AT.key, "partner"), M))
    a = np.asarray(jax.random.beta(named(AT.key, "share"), 1.0, 1.0, (M,)))
    np.testing.assert_allclose(seen[0], a[:, None] * x + (1 - a)[:, None] * x[order], rtol=1e-9)
    np.testing.assert_array_equal(seen[1], x)
    memory = {"label": jnp.arange(12) % C, "score": jnp.linspace(0.1, 1, 12)}
    label, score = (np.asarray(memory[name])[ROWS] for name in memory)
    log_p = np.log(softmax(T.logits))
    want = 0.0
    for i in range(M):
        w = a[i] * score[i] + (1 - a[i]) * score[order[i]]
        want -= w * (a[i] * log_p[i, label[i]] + (1 - a[i]) * log_p[i, label[order[i]]]) / M
    np.testing.assert_allclose(losses("cowa", {}, memory)[0]["pseudo"], want, rtol=1e-9)
    with pytest.raises(UserError, match="token ids"):
        seeing(network, lambda x: x).apply({}, {}, jnp.ones((2, 3), jnp.int32), train=True)
