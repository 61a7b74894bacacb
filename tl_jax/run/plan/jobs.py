"""From a config to jobs: one method and its trials each."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tl_jax.core.errors import UserError, unknown
from tl_jax.fine_tuning.layout import Layout
from tl_jax.fine_tuning.strategies import full
from tl_jax.fine_tuning.strategy import Strategy
from tl_jax.methods import named_method
from tl_jax.methods.contract import Method
from tl_jax.naming.calls import Call, parse
from tl_jax.run.settings.config import AMOUNTS, Config
from tl_jax.training.freezing import Rule

FULL = full()
T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """One method and the trials of it: they share a shape, so they share a compiled program.

    trials: one (seed, values) each; start: the hidden job that trains the model this one begins from, one
    model a trial or one for all.
    """

    name: str
    method: Method
    trials: tuple[tuple[int, tuple[tuple[str, float], ...]], ...]
    steps: int
    start: "Job | None" = None
    strategy: Strategy = FULL

    def rules(self, config: Config, net: Layout) -> tuple[Rule, ...]:
        """The freezing rules in force: the user's after the method's and before the strategy's."""
        return (*self.method.freeze, *config.freeze, *self.strategy.rules(net, self.steps))


def jobs(config: Config, named: Sequence[tuple[str, Method]], amounts: bool | None = None) -> list[Job]:
    """One job a method, with its trials (seeds x swept values); amounts: see `make_job`.

    Raises UserError for a swept name that no method has.
    """
    check_swept(config, [method for _, method in named])
    return [make_job(config, name, method, amounts) for name, method in named]


def check_swept(config: Config, methods: Sequence[Method]) -> None:
    """Raises UserError for a swept name that none of the methods has."""
    known = [set(values_of(config, method)) for method in methods]
    for name, _ in config.sweep:
        if not any(name in names for names in known):
            raise unknown("swept value", name, sorted(set.union(*known)))


def calls(texts: Sequence[str], table: Mapping[str, Callable], kind: str, makes: type = Method) -> list[Call]:
    """Calls of a table's functions, or of the user's own. Raises UserError for unknown and for repeated ones, and where
    there is none."""
    found = [parse(text, table, kind, (makes,)) for text in texts]
    return [call for _, call in _once(kind, [(call.text, call) for call in found])]


def _once(kind: str, named: list[tuple[str, T]]) -> list[tuple[str, T]]:
    texts = [text for text, _ in named]
    if not texts or len(set(texts)) != len(texts):
        raise UserError(f"--{kind}={texts}: name at least one, each only once.")
    return named


def methods(texts: Sequence[str], table: Mapping[str, Callable[..., Method]]) -> list[tuple[str, Method]]:
    """The methods of these texts, and sums of methods, by their canonical text. Raises UserError as `calls` does."""
    return _once("method", [named_method(text, table) for text in texts])


def values_of(config: Config, method: Method) -> dict[str, float]:
    """What a method's trials have and a sweep can change: {name: value}."""
    plain = {"lr": config.lr, "weight_decay": config.weight_decay, **method.values}
    if method.lam is None:
        return plain
    return {"lam": method.lam if config.lam is None else config.lam, **plain}


def make_job(config: Config, name: str, method: Method, amounts: bool | None = None) -> Job:
    """A method's job: its trials are the seeds, crossed with every swept value that the method has.

    amounts: whether these may be numbers of labels, too (None: unless the method has the target's labels anyway).
    """
    base = values_of(config, method)
    partly = method.labels == "source" if amounts is None else amounts
    known = base if method.trained else ()
    choices = [(key, values) for key, values in config.swept if key in known or (key in AMOUNTS and partly)]
    swept = [[(key, float(v)) for v in values] for key, values in choices]
    trials = tuple(
        (seed, tuple({**base, **dict(choice)}.items())) for choice in itertools.product(*swept) for seed in config.seeds
    )
    start = None
    if method.start is not None:
        shared = values_of(config, method.start)
        # What it has beside the method it is for stands where its arguments stand.
        with_own = lambda values: tuple({**shared, **{k: v for k, v in values if k in shared}}.items())
        own = tuple((seed, with_own(values)) for seed, values in trials)
        start = Job(f"{name}: source model", method.start, own, config.pretrain_steps or config.steps)
    return Job(name, method, trials, config.steps if method.trained else 1, start)
