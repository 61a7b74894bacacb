"""Forward plans against batch-norm statistics computed by hand: which plan normalises by what, and updates what."""

import jax
import numpy as np
import pytest

from tl_jax.core.keys import named
from tl_jax.training.forward import (
    PLANS,
    Entry,
    Forward,
    Weights,
    initial_stats,
    normalised_modules,
    stats_of,
)

RNG = np.random.default_rng(0)
S, S2, T = (RNG.normal(shift, 1 + shift, (n, 3)).astype(np.float32) for shift, n in ((0, 4), (1, 6), (3, 12)))
SOURCE, SECOND, TARGET = Entry("source", "source0", S), Entry("source", "source1", S2), Entry("target", "target", T)
OLD = {"mean": np.array([0.5, 0.0, -1.0], np.float32), "var": np.array([2.0, 1.0, 3.0], np.float32)}
KERNEL = RNG.normal(size=(3, 2)).astype(np.float32)
HEAD = {"kernel": KERNEL, "bias": np.zeros(2, np.float32)}
PARAMS = {"backbone": {"norm1": {"scale": np.ones(3, np.float32), "bias": np.zeros(3, np.float32)}}, "head": HEAD}


def go(network, plan, entries, frozen=frozenset(), key=0):
    domains = list(dict.fromkeys([*(entry.domain for entry in entries), "source0", "target"]))
    stats = initial_stats(plan, {"backbone": {"norm1": OLD}}, domains)
    out, stats = Forward(network, plan, frozen)(Weights(PARAMS, stats, jax.random.key(key)), entries)
    return out, {name: tree["backbone"]["norm1"] for name, tree in stats.items()}


def moments(*parts):
    x = np.concatenate(parts)
    return {"mean": x.mean(0), "var": x.var(0)}


def normal(x, by):
    return (x - by["mean"]) / np.sqrt(by["var"])


def moved(old, *batches):
    """Running statistics after passes over batches with these moments, one after the other."""
    for new in batches:
        old = {name: 0.9 * old[name] + 0.1 * new[name] for name in old}
    return old


def assert_close(a, b):
    jax.tree.map(lambda u, v: np.testing.assert_allclose(u, v, rtol=1e-4, atol=1e-5), a, b)


def test_joint_pools_the_domains_by_their_share_of_the_examples(network):
    out, stats = go(network, "joint", [SOURCE, TARGET])
    pooled = moments(S, T)
    np.testing.assert_allclose(pooled["mean"], (4 * S.mean(0) + 12 * T.mean(0)) / 16, rtol=1e-5)
    assert_close(out["source"].features, normal(S, pooled))
    assert_close(out["target"].features, normal(T, pooled))
    assert_close(out["target"].logits, normal(T, pooled) @ KERNEL)
    assert_close(stats, {"all": moved(OLD, pooled)})


def test_separate_normalises_each_domain_alone_and_updates_in_the_order_of_the_entries(network):
    out, stats = go(network, "separate", [SOURCE, TARGET])
    assert_close(out["source"].features, normal(S, moments(S)))
    assert_close(out["target"].features, normal(T, moments(T)))
    assert_close(stats, {"all": moved(OLD, moments(S), moments(T))})
    _, other = go(network, "separate", [TARGET, SOURCE])
    assert_close(other, {"all": moved(OLD, moments(T), moments(S))})


def test_target_only_normalises_as_separate_but_keeps_only_the_target(network):
    out, stats = go(network, "target_only", [SOURCE, TARGET])
    assert_close(out["source"].features, normal(S, moments(S)))
    assert_close(out["target"].features, normal(T, moments(T)))
    assert_close(stats, {"all": moved(OLD, moments(T))})


def test_target_only_keeps_the_statistics_of_the_sources_where_no_pass_is_the_target_s(network):
    out, stats = go(network, "target_only", [SOURCE, SECOND])
    assert_close(out["source"].features[: len(S)], normal(S, moments(S)))
    assert_close(stats, {"all": moved(moved(OLD, moments(S)), moments(S2))})


def test_per_domain_keeps_statistics_apart(network):
    out, stats = go(network, "per_domain", [SOURCE, SECOND, TARGET])
    assert_close(out["target"].features, normal(T, moments(T)))
    want = {name: moved(OLD, moments(x)) for name, x in (("source0", S), ("source1", S2), ("target", T))}
    assert_close(stats, want)
    assert stats_of(stats, "source") is stats["source0"]
    assert stats_of(stats, "source1") is stats["source1"]
    assert stats_of({"all": 1}, "target") == 1


def test_a_target_without_a_pass_has_the_statistics_of_the_sources_pooled(network):
    _, stats = go(network, "per_domain", [SOURCE, SECOND])
    first, second = (moved(OLD, moments(x)) for x in (S, S2))
    mean = (first["mean"] + second["mean"]) / 2
    var = (first["var"] + first["mean"] ** 2 + second["var"] + second["mean"] ** 2) / 2 - mean**2
    assert_close(stats["target"], {"mean": mean, "var": var})
    _, stats = go(network, "per_domain", [SOURCE])
    jax.tree.map(np.testing.assert_array_equal, stats["target"], stats["source0"])


def test_sources_without_a_pass_keep_what_an_earlier_training_gave_them(network):
    _, stats = go(network, "per_domain", [TARGET])
    assert_close(stats["target"], moved(OLD, moments(T)))
    jax.tree.map(np.testing.assert_array_equal, stats["source0"], OLD)


def test_under_target_only_a_source_without_a_target_updates_the_statistics(network):
    _, stats = go(network, "target_only", [SOURCE])
    assert_close(stats, {"all": moved(OLD, moments(S))})


def test_frozen_uses_the_running_statistics_and_leaves_them(network):
    out, stats = go(network, "frozen", [SOURCE, TARGET])
    assert_close(out["source"].features, normal(S, OLD))
    assert_close(out["target"].features, normal(T, OLD))
    jax.tree.map(np.testing.assert_array_equal, stats, {"all": OLD})


@pytest.mark.parametrize("plan", PLANS)
def test_frozen_modules_use_and_keep_their_statistics_under_every_plan(network, plan):
    out, stats = go(network, plan, [SOURCE, TARGET], frozenset({"backbone/norm1"}))
    assert_close(out["source"].features, normal(S, OLD))
    for kept in stats.values():
        jax.tree.map(np.testing.assert_array_equal, kept, OLD)


def test_source_then_joint_mixes_source_logits_between_its_two_passes(network):
    out, stats = go(network, "source_then_joint", [SOURCE, TARGET])
    pooled = moments(S, T)
    # The pass over the source alone leaves no trace in the running statistics.
    assert_close(stats, {"all": moved(OLD, pooled)})
    assert_close(out["target"].logits, normal(T, pooled) @ KERNEL)
    joint, alone = normal(S, pooled) @ KERNEL, normal(S, moments(S)) @ KERNEL
    share = (np.asarray(out["source"].logits) - joint) / (alone - joint)
    assert share.min() > -1e-3
    assert share.max() < 1 + 1e-3
    # One draw for each logit, anew with each key.
    assert len(np.unique(share.round(4))) == share.size
    again, _ = go(network, "source_then_joint", [SOURCE, TARGET])
    np.testing.assert_array_equal(out["source"].logits, again["source"].logits)
    other, _ = go(network, "source_then_joint", [SOURCE, TARGET], key=1)
    assert (out["source"].logits != other["source"].logits).all()


def test_source_then_joint_of_a_target_alone_is_joint(network):
    out, stats = go(network, "source_then_joint", [TARGET])
    assert_close(out["target"].features, normal(T, moments(T)))
    assert_close(stats, {"all": moved(OLD, moments(T))})


def test_several_sources_are_one_view_in_their_order(network):
    for plan, by in (("joint", [moments(S, S2, T)] * 2), ("separate", [moments(S), moments(S2)])):
        out, _ = go(network, plan, [SOURCE, SECOND, TARGET])
        assert_close(out["source"].features, np.concatenate([normal(S, by[0]), normal(S2, by[1])]))
        assert len(out["target"].features) == len(T)


def test_modules_with_statistics_and_streams_of_random_numbers():
    tree = {"backbone": {"norm1": OLD}, "bottleneck": {"norm1": OLD}}
    assert normalised_modules({"all": tree}) == {"backbone/norm1", "bottleneck/norm1"}
    assert normalised_modules({"all": {}}) == frozenset()
    key = jax.random.key(0)
    draws = {name: int(jax.random.bits(named(key, name))) for name in ("network", "sampler", "step")}
    assert len(set(draws.values())) == 3
    assert draws["step"] == int(jax.random.bits(named(key, "step")))
