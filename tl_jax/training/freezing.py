"""Freezing as data: ordered rules over parameter paths, first match wins, every leaf decided.

A rule is (pattern, action). The pattern is a shell glob over paths ("backbone/*", "*/bias"), `*` crosses
"/". The action is "frozen", a learning-rate factor ("0.1"), or "frozen@300": frozen before step 300, then
trained. Leaves that no rule matches are trained at factor 1.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import jax

from tl_jax.core.errors import UserError
from tl_jax.training.optimizer import counted

Rule = tuple[str, str]


class Action(NamedTuple):
    """Learning-rate factor from step `start` on; frozen before."""

    factor: float
    start: int


def parse_action(rule: Rule) -> Action:
    """("backbone/*", "frozen@300") -> Action(1.0, 300). Raises UserError on anything unreadable."""
    pattern, text = rule
    word, at, step = text.partition("@")
    try:
        if word == "frozen" and not at:
            return Action(0.0, 0)
        number = int(step) if word == "frozen" else float(text)
        if not 0 <= number < float("inf"):
            raise ValueError
        return Action(1.0, int(number)) if at else Action(number, 0)
    except ValueError:
        raise UserError(
            f"--freeze='{pattern}={text}': cannot read '{text}'. "
            "Use 'frozen', a learning-rate factor such as 0.1, or 'frozen@300' (frozen before step 300)."
        ) from None


def matches(rule: Rule, paths: Iterable[str]) -> bool:
    """Whether the rule is about any of the paths."""
    return any(fnmatchcase(path, rule[0]) for path in paths)


def decided(rules: Sequence[Rule], paths: Iterable[str]) -> dict[str, Rule]:
    """{path: the rule that decides about it}, the first that matches; paths that none matches are left out."""
    first = {path: next((rule for rule in rules if fnmatchcase(path, rule[0])), None) for path in paths}
    return {path: rule for path, rule in first.items() if rule is not None}


def resolve(rules: Sequence[Rule], paths: Iterable[str], step: int = 0) -> dict[str, float]:
    """{path: learning-rate factor} at a step; 0 means frozen.

    Raises UserError for a pattern that matches nothing (with the nearest paths) and where nothing is left
    to train.
    """
    paths = list(paths)
    actions = [(rule[0], parse_action(rule)) for rule in rules]
    for rule in rules:
        if not matches(rule, paths):
            raise UserError(no_match(rule[0], paths))
    factors, by = {}, decided(rules, paths)
    for path in paths:
        action = parse_action(by[path]) if path in by else Action(1.0, 0)
        factors[path] = action.factor if step >= action.start else 0.0
    if not any(factors.values()):
        named = ", ".join(f"'{p}'" for p, a in actions if a.factor == 0 or a.start)
        raise UserError(
            f"All {len(paths)} parameters are frozen at step {step}: the optimiser would do nothing. "
            f"Every one is matched by {named}. Leave at least one group to train."
        )
    return factors


def no_match(pattern: str, paths: Sequence[str]) -> str:
    """What is said of a pattern that matches none of the paths, with the nearest."""
    near = difflib.get_close_matches(pattern.replace("*", ""), paths, n=3, cutoff=0.2) or list(paths[:3])
    return (
        f"--freeze='{pattern}=...' matches 0 of {len(paths)} parameters. "
        f"Paths look like '{paths[0]}'. Closest: {', '.join(near)}. Run with --list_params to see all."
    )


def boundaries(rules: Sequence[Rule]) -> list[int]:
    """The steps at which the set of trained parameters changes, ascending."""
    return sorted({parse_action(rule).start for rule in rules} - {0})


def frozen_modules(factors: Mapping[str, float], modules: Iterable[str]) -> frozenset[str]:
    """The normalisation modules all of whose parameters are frozen: their statistics are frozen too."""
    return frozenset(m for m in modules if not any(f for path, f in factors.items() if path.startswith(m + "/")))


def in_group(path: str, groups: Mapping[str, tuple[str, ...]]) -> str:
    """The first group one of whose patterns matches the path. Raises ValueError if there is none."""
    for group, patterns in groups.items():
        if any(fnmatchcase(path, pattern) for pattern in patterns):
            return group
    raise ValueError(f"no parameter group of {list(groups)} matches {path}")


def carry_over(fresh: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """`fresh` optimiser state by group, with every leaf that `old` also has: moments survive a change of rules.

    What `old` does not train begins at zero moments, and its steps are counted from here.
    """
    kept = dict(jax.tree_util.tree_leaves_with_path(dict(old)))
    merged = jax.tree_util.tree_map_with_path(lambda path, leaf: kept.get(path, leaf), dict(fresh))
    return {group: counted(state, old.get(group)) for group, state in merged.items()}
