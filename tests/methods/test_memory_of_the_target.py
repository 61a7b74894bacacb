"""Methods that remember all targets: CBST, ATDOC, FlexMatch, FreeMatch, AaD and NRC against NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from cases import AT, BATCH, CE, OTHER, OUT, ROWS, C, D, M, S, T, gradient, softmax, terms

from tl_jax.core.types import Model, Network, Output
from tl_jax.methods import METHODS
from tl_jax.methods.cbst import surest

RNG = np.random.default_rng(8)
ALL = Output(RNG.normal(size=(12, D)), 2 * RNG.normal(size=(12, C)))
"""What the network says of all targets, of which the batch has the rows ROWS."""
STORED = np.concatenate([ALL.features, ALL.logits], 1)
LOOKS_UP = Network(lambda key, x: ({}, {}), lambda params, stats, x, **how: (Output(x[:, :D], x[:, D:]), stats))
VIEWS = {"source": S, "target": T, "target_strong": OTHER}


def refreshed(method, **values):
    at = AT._replace(values={**method.values, **values})
    return method.refresh(LOOKS_UP, Model({}, {}, {}, {}), jnp.asarray(STORED), at)


def length(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def near(x, row, k):
    cosine = length(ALL.features) @ length(x)
    return sorted((j for j in range(12) if j != row), key=lambda j: -cosine[j])[:k]


# Pseudo-labels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_of_every_class_the_surest_share_is_taken_and_one_at_least(share):
    label, certainty = RNG.integers(0, 3, 20), RNG.uniform(size=20)
    want = np.zeros(20, bool)
    for k in range(3):
        mine = sorted(np.flatnonzero(label == k), key=lambda i: -certainty[i])
        want[mine[: max(1, int(share * len(mine)))]] = True
    np.testing.assert_array_equal(surest(jnp.asarray(label), jnp.asarray(certainty), 4, share), want)


def test_cbst_trains_on_what_it_has_chosen():
    memory = refreshed(METHODS["cbst"]())
    p = softmax(ALL.logits)
    np.testing.assert_array_equal(memory["label"], p.argmax(1))
    assert 0 < memory["chosen"].sum() < 12
    losses, metrics = terms(METHODS["cbst"]().terms, memory=memory)
    label, chosen = p.argmax(1)[ROWS], np.asarray(memory["chosen"])[ROWS]
    each = -np.log(softmax(T.logits)[np.arange(M), label])
    np.testing.assert_allclose(losses["pseudo"], (chosen * each).mean(), rtol=1e-9)
    np.testing.assert_allclose([losses["source"], metrics["chosen"]], [CE, chosen.mean()], rtol=1e-9)


def test_flexmatch_asks_less_of_classes_that_few_are_known_of():
    method, least = METHODS["flexmatch"](), 0.6
    p = softmax(ALL.logits)
    known = p.max(1) > least
    n = np.array([(known & (p.argmax(1) == k)).sum() for k in range(C)])
    b = n / max(n.max(), (~known).sum())
    memory = refreshed(method, threshold=least)
    np.testing.assert_allclose(memory["share"], b / (2 - b), rtol=1e-12)
    assert len(set(b)) > 2
    losses, metrics = terms(method.terms, VIEWS, memory=memory, values={"threshold": least})
    q = softmax(T.logits)
    passes = q.max(1) >= least * (b / (2 - b))[q.argmax(1)]
    each = -np.log(softmax(OTHER.logits)[np.arange(M), q.argmax(1)])
    np.testing.assert_allclose(losses["consistency"], (passes * each).mean(), rtol=1e-9)
    assert metrics["mask_rate"] == passes.mean()


def free(memory, decay):
    """The moving averages, the mask and F, by loops."""
    q, s = softmax(T.logits), softmax(OTHER.logits)
    tau = decay * memory["tau"] + (1 - decay) * np.mean([max(row) for row in q])
    e = decay * memory["mean"] + (1 - decay) * q.mean(0)
    h = decay * memory["labels"] + (1 - decay) * np.bincount(q.argmax(1), minlength=C) / M
    passes = np.array([max(row) >= tau * e[row.argmax()] / e.max() for row in q])
    mean, share = s[passes].mean(0), np.bincount(s[passes].argmax(1), minlength=C) / passes.sum()
    a = e / h
    b = np.array([x / y if y else 0.0 for x, y in zip(mean, share, strict=True)])
    fair = (a / a.sum() * np.log(b / b.sum() + 1e-12)).sum()
    return {"tau": tau, "mean": e, "labels": h}, passes, fair


def test_freematch_follows_its_confidence_and_uses_the_classes_fairly():
    method = METHODS["freematch"]()
    memory = {"tau": 0.55, "mean": np.array([0.1, 0.2, 0.4, 0.3]), "labels": np.array([0.2, 0.3, 0.1, 0.4])}
    values = {"decay": 0.6, "fairness": 0.01}
    want, passes, fair = free(memory, 0.6)
    assert 0 < passes.sum() < M
    losses, metrics = terms(method.terms, VIEWS, memory=memory, values=values)
    each = -np.log(softmax(OTHER.logits)[np.arange(M), T.logits.argmax(1)])
    np.testing.assert_allclose(losses["consistency"], (passes * each).mean(), rtol=1e-9)
    np.testing.assert_allclose(losses["fairness"], fair, rtol=1e-6)
    np.testing.assert_allclose(metrics["tau"], want["tau"], rtol=1e-9)
    arrays = {name: jnp.asarray(x) for name, x in memory.items()}
    after = method.after(Model({}, {}, arrays, {}), VIEWS, BATCH, AT._replace(values=values))
    for name, x in want.items():
        np.testing.assert_allclose(after[name], x, rtol=1e-9)


def test_nothing_that_passes_is_no_unfairness():
    memory = {"tau": 1.5, "mean": np.full(C, 0.25), "labels": np.full(C, 0.25)}
    losses, metrics = terms(METHODS["freematch"]().terms, VIEWS, memory=memory, values={"decay": 1.0, "fairness": 1.0})
    assert (losses["fairness"], losses["consistency"], metrics["mask_rate"]) == (0.0, 0.0, 0.0)


# Neighbours --------------------------------------------------------------------------------------


def sharpened(logits):
    squares = softmax(logits) ** 2
    return squares / squares.sum(0)


def test_atdoc_labels_by_the_memory_of_the_neighbours():
    method = METHODS["atdoc"](neighbours=3)
    memory = refreshed(method)
    np.testing.assert_allclose(memory["features"], length(ALL.features), rtol=1e-9)
    np.testing.assert_allclose(memory["predictions"], sharpened(ALL.logits), rtol=1e-9)
    losses, _ = terms(method.terms, memory=memory)
    q = np.array([sharpened(ALL.logits)[near(x, row, 3)].mean(0) for x, row in zip(T.features, ROWS, strict=True)])
    each = -np.log(softmax(T.logits)[np.arange(M), q.argmax(1)])
    np.testing.assert_allclose(losses["neighbours"], (q.max(1) * each).sum() / q.max(1).sum(), rtol=1e-9)
    after = method.after(Model({}, {}, memory, {}), OUT, BATCH, AT)
    np.testing.assert_allclose(after["predictions"][ROWS], sharpened(T.logits) * M / 12, rtol=1e-9)
    others = np.setdiff1d(np.arange(12), ROWS)
    np.testing.assert_array_equal(after["features"][others], memory["features"][others])


def test_aad_attracts_neighbours_and_disperses_the_rest():
    method = METHODS["aad"](neighbours=3)
    memory, p, q = refreshed(method), softmax(T.logits), softmax(ALL.logits)
    losses, _ = terms(method.terms, memory=memory)
    attract = np.mean([sum(p[i] @ q[k] for k in near(T.features[i], ROWS[i], 3)) for i in range(M)])
    disperse = np.mean([sum(p[i] @ p[j] for j in range(M) if j != i) for i in range(M)])
    np.testing.assert_allclose([losses["attract"], losses["disperse"]], [-attract, disperse], rtol=1e-9)
    half = method.weights(AT._replace(progress=0.5, values={"decay": 2.0}))
    assert half == {"attract": 1.0, "disperse": pytest.approx(1 / 36)}
    after = method.after(Model({}, {}, memory, {}), OUT, BATCH, AT)
    np.testing.assert_allclose(after["predictions"][ROWS], p, rtol=1e-9)
    # The others of the batch are constants: half of the symmetric sum's gradient.
    _, out = gradient(method.terms, "disperse", memory=memory)
    eps = 1e-6
    up = T.logits.copy()
    up[2, 1] += eps
    want = ((softmax(up) - p)[2] @ (p.sum(0) - p[2])) / M / eps
    np.testing.assert_allclose(out["target"].logits[2, 1], want, rtol=1e-4)


def test_nrc_trusts_mutual_neighbours_and_looks_one_further():
    method = METHODS["nrc"](neighbours=3, extended=2)
    memory, p, q = refreshed(method), softmax(T.logits), softmax(ALL.logits)
    losses, metrics = terms(method.terms, memory=memory, values={"other": 0.2})
    first = beyond = mutual = 0.0
    for i, row in enumerate(ROWS):
        for k in near(T.features[i], row, 3):
            theirs = near(ALL.features[k], k, 2)
            mutual += (row in theirs) / (3 * M)
            first += (1.0 if row in theirs else 0.2) * p[i] @ q[k] / M
            beyond += 0.2 * sum(p[i] @ q[m] for m in theirs) / M
    assert 0 < mutual < 1
    own = np.mean([p[i] @ q[row] for i, row in enumerate(ROWS)])
    mean = p.mean(0)
    want = {"self": -own, "near": -first, "beyond": -beyond, "diversity": (mean * np.log(mean)).sum()}
    for name, value in want.items():
        np.testing.assert_allclose(losses[name], value, rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(metrics["mutual"], mutual, rtol=1e-9)
