"""From a config to jobs: one method and its trials each."""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tl_jax.core.calls import Call, parse
from tl_jax.core.errors import UserError, unknown
from tl_jax.fine_tuning.layout import Layout
from tl_jax.fine_tuning.strategies import STRATEGIES, Strategy, full
from tl_jax.kinds.unsupervised.views import variants
from tl_jax.methods import ADAPTATION, BY_KIND, made
from tl_jax.methods.contract import Method
from tl_jax.run.plan.config import AMOUNTS, Config
from tl_jax.training.freezing import Rule

FULL = full()


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


def jobs(config: Config) -> list[Job]:
    """One job a method, or a strategy and method, each with its trials (seeds x swept values).

    Raises UserError for unknown or repeated methods and strategies, and for a swept name that no method has.
    """
    calls = _calls(config.methods, BY_KIND[config.kind], "method", Method)
    named = [(call.text, made(call, BY_KIND[config.kind])) for call in calls]
    if config.kind == "unsupervised":
        named = variants(calls, config.view, config.align, 1 + len(config.source))
    strategies = _calls(config.strategies, STRATEGIES, "strategy", Strategy) if config.strategies else [None]
    known = [set(_values(config, method)) for _, method in named]
    for name, _ in config.sweep:
        if not any(name in names for names in known):
            raise unknown("swept value", name, sorted(set.union(*known)))
    todo = []
    for call in strategies:
        strategy = call() if call else None
        if call and strategy and strategy.method:
            todo.append(_fine_tuning(config, make_job(config, call.text, strategy.method), strategy))
            continue
        for name, method in named:
            if call is None or strategy is None:
                todo.append(make_job(config, name, method))
            else:
                name = call.text if len(named) == 1 else f"{call.text} {name}"
                todo.append(_fine_tuning(config, make_job(config, name, method), strategy))
    return todo


def _calls(texts: Sequence[str], table: Mapping[str, Callable], kind: str, makes: type) -> list[Call]:
    calls = [parse(text, table, kind, (makes,)) for text in texts]
    named = [call.text for call in calls]
    if not named or len(set(named)) != len(named):
        raise UserError(f"--{kind}={named}: name at least one, each only once.")
    return calls


def _values(config: Config, method: Method) -> dict[str, float]:
    plain = {"lr": config.lr, "weight_decay": config.weight_decay, **method.values}
    if method.lam is None:
        return plain
    return {"lam": method.lam if config.lam is None else config.lam, **plain}


def make_job(config: Config, name: str, method: Method) -> Job:
    """A method's job: its trials are the seeds, crossed with every swept value that the method has."""
    base = _values(config, method)
    # The bound of transductive transfer has all labels.
    partly = config.kind == "inductive" or method.labels == "source"
    known = base if method.trained else ()
    choices = [(key, values) for key, values in config.swept if key in known or (key in AMOUNTS and partly)]
    swept = [[(key, float(v)) for v in values] for key, values in choices]
    trials = tuple(
        (seed, tuple({**base, **dict(choice)}.items())) for choice in itertools.product(*swept) for seed in config.seeds
    )
    start = None
    if method.start is not None:
        shared = _values(config, method.start)
        own = tuple((seed, tuple((k, v) for k, v in values if k in shared)) for seed, values in trials)
        start = Job(f"{name}: source model", method.start, own, config.steps)
    return Job(name, method, trials, config.steps if method.trained else 1, start)


def _fine_tuning(config: Config, job: Job, strategy: Strategy) -> Job:
    """The job under a strategy: from one pretrained model that all trials and all strategies share, or from a file.

    Raises UserError for a method that features alone are not enough for, or that goes between weights where the
    strategy trains their factors.
    """
    if job.method.between is not None and strategy.merge is not None:
        raise UserError(
            f"{job.name}: this method goes between two models weight by weight, and the strategy trains factors of "
            "weights, whose products do not lie between. Use it with lp_ft or full."
        )
    if strategy.cached and (why := _beyond_features(job.method)):
        raise UserError(
            f"{job.name}: the strategy computes the features of the target's examples once and trains a head on them, "
            f"and the method {why}. Use another strategy, such as --strategy=linear_probe, or --method=fine_tune."
        )
    start = None
    if strategy.pretrained and not config.init_from:
        method = ADAPTATION["source_only"]()
        trials = ((config.seeds[0], tuple(_values(config, method).items())),)
        start = Job("pretrain", method, trials, config.pretrain_steps or config.steps)
    return dataclasses.replace(job, strategy=strategy, start=start)


def _beyond_features(method: Method) -> str:
    """What a method needs besides features of the target that are computed once; empty: nothing."""
    views = sorted({view.augment for view in method.views.values()} - {"none"})
    needs = {
        "trains on the source's examples as well": method.labels == "both",
        "reads the head of the source task": method.source_head,
        f"changes its examples in every step (view {', '.join(views)})": bool(views),
        "is about the parameters of the trunk": method.trunk,
    }
    return next((what for what, so in needs.items() if so), "")
