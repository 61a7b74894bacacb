"""Forward plans: how the domains go through batch normalisation, as an explicit named choice.

joint              one pass over all examples: batch statistics are shared by the domains
separate           a pass per domain, each with its own batch statistics; all update the running ones
source_then_joint  AdaMatch (Berthelot et al. 2022): source alone, leaving the running statistics as they
                   were, then all together; source logits are interpolated at random between the two
target_only        a pass per domain; only the target's updates the running statistics (those of every domain that a
                   method passes, where it never passes the target)
per_domain         a pass per domain, running statistics kept apart (domain-specific batch normalisation)
frozen             running statistics are used and never updated

Statistics are a dict: {"all": ...}, or one entry a domain with `per_domain`. There, a target without a
pass of its own (of a model trained on sources alone) has the statistics of the sources, pooled.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from tl_jax.core.keys import named
from tl_jax.core.trees import flatten, unflatten
from tl_jax.core.types import Array, Network, Output, Tree

PLANS = ("joint", "separate", "source_then_joint", "target_only", "per_domain", "frozen")


class Entry(NamedTuple):
    """One view of one domain: name of the view, key of the domain ("target", "source0"), x [n, ...]."""

    view: str
    domain: str
    x: Array


class Weights(NamedTuple):
    """What a pass needs: nested parameters, statistics by domain, this step's key."""

    params: Tree
    stats: Mapping[str, Tree]
    key: Array


def initial_stats(plan: str, stats: Tree, domains: Sequence[str]) -> dict[str, Tree]:
    """The statistics a plan starts with, from the network's initial ones."""
    return dict.fromkeys(domains, stats) if plan == "per_domain" else {"all": stats}


def stats_of(stats: Mapping[str, Tree], domain: str) -> Tree:
    """The statistics that belong to a domain ("source" means the first source)."""
    return stats["all"] if "all" in stats else stats["source0" if domain == "source" else domain]


def pooled(trees: Sequence[Tree]) -> Tree:
    """The statistics of equal shares of several domains together: m = mean m_i, v = mean (v_i + m_i^2) - m^2."""
    flat = [flatten(tree) for tree in trees]
    if len(flat) == 1:
        return trees[0]
    mean = lambda path: sum(one[path] for one in flat) / len(flat)
    out = {}
    for path in flat[0]:
        module, _, name = path.rpartition("/")
        if name == "var":
            at = f"{module}/mean"
            out[path] = sum(one[path] + one[at] ** 2 for one in flat) / len(flat) - mean(at) ** 2
        else:
            out[path] = mean(path)
    return unflatten(out)


def normalised_modules(stats: Mapping[str, Tree]) -> frozenset[str]:
    """Paths of the modules that keep batch statistics ("backbone/norm1")."""
    return frozenset(path.rpartition("/")[0] for tree in stats.values() for path in flatten(tree))


class Forward(NamedTuple):
    """A plan bound to a network; `frozen` are the modules whose statistics must not move.

    only: the domain whose pass carries a gradient, where a loss reads no other and the plan keeps them apart.
    """

    network: Network
    plan: str
    frozen: frozenset[str] = frozenset()
    only: str = ""

    def __call__(self, weights: Weights, entries: Sequence[Entry]) -> tuple[dict[str, Output], dict[str, Any]]:
        """Outputs by view (several sources concatenated) and the updated statistics."""
        if not entries:
            return {}, dict(weights.stats)
        if self.plan == "joint":
            outputs, stats = self._together(weights, entries)
        elif self.plan == "source_then_joint":
            outputs, stats = self._source_then_together(weights, entries)
        else:
            outputs, stats = self._apart(weights, entries)
        return _by_view(entries, outputs), stats

    def one_pass(self, weights: Weights, stats: Tree, x: Array, name: str) -> tuple[Output, Tree]:
        """A pass in training mode through `weights` with these statistics; `name` names its random numbers."""
        frozen = normalised_modules({"": stats}) if self.plan == "frozen" else self.frozen
        key = named(weights.key, name)
        return self.network.apply(weights.params, stats, x, train=True, key=key, frozen=frozen)

    def _together(self, weights: Weights, entries: Sequence[Entry]) -> tuple[list[Output], dict[str, Any]]:
        x = jnp.concatenate([entry.x for entry in entries])
        out, stats = self.one_pass(weights, weights.stats["all"], x, "joint")
        cuts = [0]
        for entry in entries:
            cuts.append(cuts[-1] + len(entry.x))
        split = [jax.tree.map(lambda a, i=i, j=j: a[i:j], out) for i, j in itertools.pairwise(cuts)]
        return split, {"all": stats}

    def _source_then_together(self, weights: Weights, entries: Sequence[Entry]) -> tuple[list[Output], dict[str, Any]]:
        outputs, stats = self._together(weights, entries)
        sources = [entry for entry in entries if entry.domain != "target"]
        alone = iter(self._together(weights, sources)[0] if sources else [])
        for i, entry in enumerate(entries):
            if entry.domain != "target":
                joint, own = outputs[i].logits, next(alone).logits
                mix = jax.random.uniform(named(weights.key, f"mix {entry.view} {entry.domain}"), joint.shape)
                outputs[i] = Output(outputs[i].features, joint + (own - joint) * mix)
        return outputs, stats

    def _apart(self, weights: Weights, entries: Sequence[Entry]) -> tuple[list[Output], dict[str, Any]]:
        stats, outputs = dict(weights.stats), []
        passed = {entry.domain for entry in entries}
        sources_update = self.plan != "target_only" or "target" not in passed
        for entry in entries:
            slot = entry.domain if self.plan == "per_domain" else "all"
            still = self.only and entry.domain != self.only
            by = weights._replace(params=jax.lax.stop_gradient(weights.params)) if still else weights
            out, updated = self.one_pass(by, stats[slot], entry.x, f"{entry.view} {entry.domain}")
            if sources_update or entry.domain == "target":
                stats[slot] = updated
            outputs.append(out)
        if self.plan == "per_domain" and passed and "target" not in passed:
            stats["target"] = pooled([stats[domain] for domain in sorted(passed)])
        return outputs, stats


def _by_view(entries: Sequence[Entry], outputs: Sequence[Output]) -> dict[str, Output]:
    views: dict[str, list[Output]] = {}
    for entry, out in zip(entries, outputs, strict=True):
        views.setdefault(entry.view, []).append(out)
    return {view: joined(outs) for view, outs in views.items()}


def joined(outputs: Sequence[Output]) -> Output:
    """One after the other."""
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *outputs)
