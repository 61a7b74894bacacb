"""A run as a value: every choice that can change its numbers."""

import dataclasses
import hashlib
import itertools
import json
from dataclasses import dataclass

from tl_jax.core.calls import Call, parse
from tl_jax.core.errors import UserError, require, unknown
from tl_jax.core.schedules import LAM_SCHEDULES, LR_SCHEDULES
from tl_jax.evaluation.selection import CRITERIA
from tl_jax.methods import METHODS
from tl_jax.methods.base import Method
from tl_jax.models.networks import NETWORKS
from tl_jax.training.forward import PLANS
from tl_jax.training.freezing import Rule, parse_action
from tl_jax.training.optimizer import RULES

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Config:
    """What is trained, on what, how often. Two runs with equal configs give equal numbers on one machine.

    lam and lam_schedule None: the method's own. sweep: ((name, (value, ...)), ...), crossed with the seeds.
    freeze: ((pattern, action), ...), first match wins. eval_every 0: a tenth of the steps.
    """

    kind: str = "transductive"
    source: tuple[str, ...] = ("digits:printed",)
    target: str = "digits:handwritten"
    network: str = "lenet"
    methods: tuple[str, ...] = ("source_only", "dann", "mcc", "target_only")
    seeds: tuple[int, ...] = (0, 1, 2)
    sweep: tuple[tuple[str, tuple[float, ...]], ...] = ()
    lam: float | None = None
    lam_schedule: str | None = None
    lr: float = 3e-3
    lr_schedule: str = "cosine"
    weight_decay: float = 1e-2
    optimizer: str = "adamw"
    batch_size: int = 64
    steps: int = 500
    clip_norm: float = 0.0
    freeze: tuple[tuple[str, str], ...] = ()
    forward_plan: str = "joint"
    precision: str = "float32"
    select: str = "im"
    eval_every: int = 0

    @property
    def evaluation_steps(self) -> int:
        """Steps between evaluations."""
        return self.eval_every or max(1, self.steps // 10)

    def to_json(self) -> dict:
        """Plain lists and numbers, as they come back from a JSON file."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    def digest(self) -> str:
        """Eight hex digits that name this configuration."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Job:
    """One method and the trials of it: they share a shape, so they share a compiled program.

    trials: one (seed, values) each; hidden jobs train the source model of a source-free method.
    """

    name: str
    method: Method
    trials: tuple[tuple[int, tuple[tuple[str, float], ...]], ...]
    start: "Job | None" = None

    def rules(self, config: Config) -> tuple[Rule, ...]:
        """The freezing rules in force: the method's own before the user's."""
        return (*self.method.freeze, *config.freeze)


def check(config: Config) -> None:
    """Raises UserError for the first value that no run could use."""
    for kind, value, choices in (
        ("forward plan", config.forward_plan, PLANS),
        ("learning-rate schedule", config.lr_schedule, LR_SCHEDULES),
        ("trade-off schedule", config.lam_schedule or "constant", LAM_SCHEDULES),
        ("optimizer", config.optimizer, RULES),
        ("precision", config.precision, PRECISIONS),
    ):
        require(kind, value, choices)
    if config.select == "oracle":
        raise UserError(
            "--select=oracle uses target labels. It is reported beside every result under the mark 'oracle', "
            f"and never used to choose. Label-free: {', '.join(CRITERIA)}."
        )
    require("selection criterion", config.select, CRITERIA)
    for name, least in (("steps", 1), ("batch_size", 2), ("eval_every", 0)):
        if getattr(config, name) < least:
            raise UserError(f"--{name}={getattr(config, name)}: must be at least {least}.")
    for name in ("lr", "weight_decay", "clip_norm", "lam"):
        value = getattr(config, name)
        if value is not None and not 0 <= value < float("inf"):
            raise UserError(f"--{name}={value}: must be a finite number of at least 0.")
    if not config.seeds or len(set(config.seeds)) != len(config.seeds) or min(config.seeds) < 0:
        raise UserError(
            f"--seeds={list(config.seeds)}: give a count of at least 1, or a list of different seeds from 0 up."
        )
    for rule in config.freeze:
        parse_action(rule)


def network_call(config: Config) -> Call:
    """The network named by the config. Raises UserError if there is none."""
    return parse(config.network, NETWORKS, "network")


def jobs(config: Config) -> list[Job]:
    """One job a method, each with its trials (seeds x swept values).

    Raises UserError for unknown or repeated methods and for a swept name that no method has.
    """
    calls = [parse(text, METHODS, "method") for text in config.methods]
    texts = [call.text for call in calls]
    if not texts or len(set(texts)) != len(texts):
        raise UserError(f"--method={texts}: name at least one method, each only once.")
    methods = [call() for call in calls]
    known = [set(_values(config, method)) for method in methods]
    for name, _ in config.sweep:
        if not any(name in names for names in known):
            raise unknown("swept value", name, sorted(set.union(*known)))
    return [_job(config, text, method) for text, method in zip(texts, methods, strict=True)]


def _values(config: Config, method: Method) -> dict[str, float]:
    plain = {"lr": config.lr, "weight_decay": config.weight_decay, **method.values}
    if method.lam is None:
        return plain
    return {"lam": method.lam if config.lam is None else config.lam, **plain}


def _job(config: Config, name: str, method: Method) -> Job:
    base = _values(config, method)
    swept = [[(key, float(v)) for v in values] for key, values in config.sweep if key in base]
    trials = tuple(
        (seed, tuple({**base, **dict(choice)}.items())) for choice in itertools.product(*swept) for seed in config.seeds
    )
    start = None
    if method.start is not None:
        shared = _values(config, method.start)
        own = tuple((seed, tuple((k, v) for k, v in values if k in shared)) for seed, values in trials)
        start = Job(f"{name}: source model", method.start, own)
    return Job(name, method, trials, start)
