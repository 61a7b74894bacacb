"""A run as a value: every choice that can change its numbers."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass

from tl_jax.core.calls import GREATEST, LARGEST, Call
from tl_jax.core.errors import UserError, require
from tl_jax.core.schedules import LAM_SCHEDULES, LR_SCHEDULES
from tl_jax.data.match import LABEL_SPACES
from tl_jax.models.networks import network
from tl_jax.training.forward import PLANS
from tl_jax.training.freezing import parse_action
from tl_jax.training.optimizer import RULES

PRECISIONS = ("float32", "bfloat16")
AUTO = "auto"
"""What suits the data: of networks (see networks.py); of selection `im` where labels are classes and `source_val`
where they are values."""
TARGET_VAL = "target_val"
"""Selection by the target's validation labels: allowed where the target is labelled."""
NUMBERS = ("lr", "weight_decay", "clip_norm", "lam")
"""Settings that are numbers of at least 0, swept or not."""
MOST_SEED, MOST_SEEDS = 2**32 - 1, 10_000
STANDARDISE = ("none", "source", "per_domain")
"""On whose training examples the scale of vectors' and series' features is fitted (see run/plan/scaling.py)."""
AMOUNTS = ("labels_per_class", "label_fraction")


@dataclass(frozen=True)
class Config:
    """What is trained, on what, how often. Two runs with equal configs give equal numbers on one machine.

    lam and lam_schedule None: the method's own. sweep: ((name, (value, ...)), ...), crossed with the seeds.
    freeze: ((pattern, action), ...), first match wins. eval_every 0: a tenth of the steps.
    labels_per_class, label_fraction: how much of the target's training split is labelled, several values
    being swept; empty: all of it in inductive transfer, none in transductive. balanced: classes are drawn equally
    often wherever labels are. strategies: of inductive and multi-task
    transfer only; sharing: of multi-task transfer, whose tasks are the sources; pretrain_steps: of inductive
    transfer, on the source (0: steps). pretrain_on, view (what a method contrasts unless its call says another) and
    align (see methods/aligned.py): of unsupervised transfer only. init_from: weights to begin from (then nothing is
    pretrained); allow_mismatch: globs of what may differ outside the head.
    """

    kind: str = "transductive"
    source: tuple[str, ...] = ("digits:printed",)
    target: str = "digits:handwritten"
    network: str = AUTO
    methods: tuple[str, ...] = ("source_only", "adabn", "dann", "mcc", "target_only")
    seeds: tuple[int, ...] = (0, 1, 2)
    sweep: tuple[tuple[str, tuple[float, ...]], ...] = ()
    strategies: tuple[str, ...] = ()
    init_from: str = ""
    allow_mismatch: tuple[str, ...] = ()
    sharing: str = "hard"
    labels_per_class: tuple[int, ...] = ()
    label_fraction: tuple[float, ...] = ()
    label_space: str = "closed"
    balanced: bool = False
    pretrain_steps: int = 0
    pretrain_on: str = "both"
    view: str = "strong"
    align: tuple[str, ...] = ()
    lam: float | None = None
    lam_schedule: str | None = None
    lr: float = 3e-3
    lr_schedule: str = "cosine"
    weight_decay: float = 1e-2
    optimizer: str = "adamw"
    batch_size: int = 64
    steps: int = 600
    clip_norm: float = 0.0
    freeze: tuple[tuple[str, str], ...] = ()
    forward_plan: str = "per_domain"
    standardise: str = AUTO
    precision: str = "float32"
    select: str = AUTO
    eval_every: int = 0

    @property
    def swept(self) -> tuple[tuple[str, tuple[float, ...]], ...]:
        """Everything that takes several values: (name, values)."""
        amounts = ((name, getattr(self, name)) for name in AMOUNTS)
        return (*self.sweep, *((name, values) for name, values in amounts if values))

    def described(self, method: str) -> dict[str, str]:
        """What every record of a method's results begins with."""
        return {
            "kind": self.kind,
            "method": method,
            "source": "+".join(self.source),
            "target": self.target,
            "network": self.network,
            "forward_plan": self.forward_plan,
            "standardise": self.standardise,
        }

    def to_json(self) -> dict:
        """Plain lists and numbers, as they come back from a JSON file."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    def given(self) -> dict:
        """The same without what has its default: it does not change when settings are added."""
        usual = Config().to_json()
        return {name: value for name, value in self.to_json().items() if value != usual[name]}

    def digest(self) -> str:
        """Eight hex digits that name this configuration."""
        return hashlib.sha256(json.dumps(self.given(), sort_keys=True).encode()).hexdigest()[:8]


def check(config: Config) -> None:
    """Raises UserError for the first value that no run could use."""
    for kind, value, choices in (
        ("forward plan", config.forward_plan, PLANS),
        ("learning-rate schedule", config.lr_schedule, LR_SCHEDULES),
        ("trade-off schedule", config.lam_schedule or "constant", LAM_SCHEDULES),
        ("optimizer", config.optimizer, RULES),
        ("precision", config.precision, PRECISIONS),
        ("way to standardise", config.standardise, (AUTO, *STANDARDISE)),
        ("label space", config.label_space, LABEL_SPACES),
    ):
        require(kind, value, choices)
    for name, least in (("steps", 1), ("batch_size", 2), ("eval_every", 0), ("pretrain_steps", 0)):
        value = getattr(config, name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= GREATEST:
            raise UserError(f"--{name}={value}: must be a whole number of at least {least}, at most {GREATEST}.")
    for name in NUMBERS:
        if getattr(config, name) is not None:
            check_number(f"--{name}", name, getattr(config, name))
    seeds = config.seeds
    if (
        not seeds
        or len(set(seeds)) != len(seeds)
        or min(seeds) < 0
        or max(seeds) > MOST_SEED
        or len(seeds) > MOST_SEEDS
    ):
        raise UserError(
            f"--seeds={list(seeds[:5])}{' and more' * (len(seeds) > 5)}: give a count from 1 to {MOST_SEEDS}, or "
            f"a list of different seeds from 0 to {MOST_SEED}."
        )
    _check_swept(config)
    for rule in config.freeze:
        parse_action(rule)
    if config.allow_mismatch and not config.init_from:
        raise UserError("--allow_mismatch says what may differ from the weights of --init_from, which is not given.")
    _check_labels(config)


def counted(count: int) -> tuple[int, ...]:
    """The seeds 0, 1, ... Raises UserError for too many, before they are made."""
    if count > MOST_SEEDS:
        raise UserError(f"--seeds={str(count)[:20]}: give a count from 1 to {MOST_SEEDS}, or a list of seeds.")
    return tuple(range(count))


def check_number(flag: str, name: str, value: float) -> None:
    """Raises UserError unless a setting or a swept value is finite in float32; those of NUMBERS are 0 or more."""
    least = 0 if name in NUMBERS else -LARGEST
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= LARGEST:
        raise UserError(f"{flag}={value}: must be a finite number{' of at least 0' if name in NUMBERS else ''}.")


def _check_swept(config: Config) -> None:
    names = [name for name, _ in config.sweep]
    for name, values in config.swept:
        if not values or len(set(values)) != len(values):
            raise UserError(f"--sweep={name}={','.join(map(str, values))}: give values, each once.")
        for value in values:
            check_number(f"--sweep={name}", name, value)
        if names.count(name) > 1:
            every = ",".join(f"{v:g}" for n, values in config.sweep if n == name for v in values)
            raise UserError(f"--sweep={name} is given {names.count(name)} times: write --sweep={name}={every}.")


def _check_labels(config: Config) -> None:
    if config.labels_per_class and config.label_fraction:
        raise UserError("--labels_per_class and --label_fraction both say how much is labelled: give one of them.")
    if any(n < 1 for n in config.labels_per_class) or any(not 0 < f <= 1 for f in config.label_fraction):
        raise UserError("--labels_per_class takes whole numbers from 1, --label_fraction numbers in (0, 1].")


def network_call(config: Config) -> Call:
    """The network named by the config, which is not `auto`. Raises UserError if there is none."""
    return network(config.network)
