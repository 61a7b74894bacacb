"""A run as a value: every choice that can change its numbers, and what is said of each."""

import dataclasses
import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass

from tl_jax.core.errors import UserError
from tl_jax.core.schedules import LAM_SCHEDULES, LR_SCHEDULES
from tl_jax.data.match.classes import LABEL_SPACES
from tl_jax.evaluation.label_free.criteria import CRITERIA
from tl_jax.methods.aligned import ALIGNMENTS
from tl_jax.models.networks import NETWORKS, network
from tl_jax.models.sharing import SHARING
from tl_jax.naming.calls import Call, parse
from tl_jax.run.settings.forms import NUMBERS, RULES, SEEDS, SWEEP, WEIGHTS, WHOLES
from tl_jax.run.settings.settings import setting
from tl_jax.training.forward import PLANS
from tl_jax.training.optimizer import OPTIMIZERS

PRECISIONS = ("float32", "bfloat16")
AUTO = "auto"
"""What suits the data: of networks (see networks.py); of selection `im` where labels are classes and `source_val`
where they are values."""
TARGET_VAL = "target_val"
"""Selection by the target's validation labels: allowed where the target is labelled."""
STANDARDISE = ("none", "source", "per_domain")
"""On whose training examples the scale of vectors' and series' features is fitted (see run/plan/scaling.py)."""
AUGMENTS = ("none", "weak", "strong", "shift_turn", "flip", "crop_flip", "colour", "randaugment")
PRETRAIN_ON = ("both", "source", "target")
AMOUNTS = ("labels_per_class", "label_fraction")
STREAMED = ("corrupt", "stream")
"""What is asked of a stream, at test time alone."""


@dataclass(frozen=True)
class Config:
    """What is trained, on what, how often. Two runs with equal configs give equal numbers on one machine.

    Which settings a kind of transfer has not is said by the kind (`Planning.without`).
    """

    kind: str = "transductive"
    source: tuple[str, ...] = setting(("digits:printed",), "Repeatable. Source domain.")
    target: str = setting("digits:handwritten", "Target domain.")
    network: str = setting(
        AUTO,
        "Network or call, as in 'lenet(dropout=0.2)' or 'mine.py:mixer(width=16)': {choices}; auto: what suits the "
        "data.",
        choices=NETWORKS,
    )
    methods: tuple[str, ...] = setting(
        ("source_only", "adabn", "dann", "mcc", "target_only"),
        "Repeatable. Method, call or sum, as in 'dann + mcc(lam=0.3)' or 'mine.py:my_method(sharp=2.0)': {choices}.",
        flag="method",
    )
    seeds: tuple[int, ...] = setting(
        (0, 1, 2), "A count (3 means 0,1,2), or a list such as 4,7 (one alone: 4,).", form=SEEDS
    )
    sweep: tuple[tuple[str, tuple[float, ...]], ...] = setting(
        (),
        "Repeatable. name=value,value,...: trials of one compiled program, crossed with the seeds.",
        form=SWEEP,
    )
    corrupt: tuple[str, ...] = setting(
        ("none",),
        "Repeatable. Corruption of the target's images at test time, as in fog@3 (severities 1 to 5); all@5: every one "
        "of ImageNet-C that is here, extra@5: the further ones, none: the images as they are.",
    )
    stream: str = setting(
        "episodic",
        "Order of what comes at test time, as in 'continual(batch=1, concentration=0.1)': episodic (the method is put "
        "back at each corruption), continual, mixed (all corruptions at once). batch: examples that come together; "
        "concentration: of a Dirichlet by which classes come in runs (0: in random order).",
    )
    strategies: tuple[str, ...] = setting(
        (), "Repeatable. What is trained, or how tasks are weighed: {choices}.", flag="strategy"
    )
    init_from: str = setting(
        "",
        "Weights to begin from: .safetensors or .npz, a folder with one, a name on the hub, or a model of a run, as in "
        "'runs/mine?job=mcc&seed=1'.",
    )
    allow_mismatch: tuple[str, ...] = setting(
        (), "Repeatable. Glob of paths outside the head that may differ from them."
    )
    sharing: str = setting("hard", "What tasks share, as in 'mmoe(experts=3)': {choices}.", choices=SHARING)
    labels_per_class: tuple[int, ...] = setting(
        (),
        "How many target examples of each class are labelled; several (1,2,5,10) are trials of one program. In "
        "transductive transfer they are one more source, also to a method that compares source and target.",
        form=WHOLES,
    )
    label_fraction: tuple[float, ...] = setting((), "The same as a share of each class, as in 0.15.", form=NUMBERS)
    label_space: str = setting(
        "closed",
        "How the target's classes relate to the source's: {choices}.",
        choices=LABEL_SPACES,
        word="label space",
    )
    balanced: bool = setting(False, "Draw classes equally often where labels are: of sources and labelled targets.")
    pretrain_steps: int = setting(0, "Steps of the model that others begin from; 0 is as many as --steps.")
    pretrain_on: str = setting(
        "both",
        "Whose training examples are learnt from: {choices}.",
        choices=PRETRAIN_ON,
        word="choice of --pretrain_on",
    )
    view: str = setting("strong", "How examples are varied for learning, unless a method's call says another.")
    align: tuple[str, ...] = setting(
        (),
        "Repeatable. What else draws the two domains together, with the trade-off lambda: {choices}.",
        choices=ALIGNMENTS,
    )
    lam: float | None = setting(None, "Trade-off lambda of L_S + lambda L_T. Default: each method's own.")
    lam_schedule: str | None = setting(
        None,
        "How lambda moves over the run: {choices}. Default: each method's own.",
        choices=LAM_SCHEDULES,
        word="trade-off schedule",
    )
    lr: float = setting(3e-3, "Learning rate.")
    lr_schedule: str = setting(
        "cosine", "How it moves over the run: {choices}.", choices=LR_SCHEDULES, word="learning-rate schedule"
    )
    weight_decay: float = setting(
        1e-2,
        "Weight decay, on matrices and kernels: decoupled, but part of the gradient with adam and sgd (papers with sgd "
        "take 0.001 or 0.0005).",
    )
    lr_new: float = setting(
        1.0,
        "Factor of the learning rate of what is new (head, bottleneck, the method's own networks), where a job begins "
        "from weights; freezing rules come first.",
        least=1e-6,
    )
    optimizer: str = setting(
        "adamw",
        "One of {choices}, or a call, as in 'sgd(momentum=0.9, nesterov=False)'; sgdw is sgd with decoupled decay.",
        choices=OPTIMIZERS,
    )
    augment: str = setting(
        "none",
        "How the examples of plain passes vary in training: {choices} (of what is no image weak or strong); views that "
        "a method varies by itself stay, evaluation is of examples as they are.",
        choices=AUGMENTS,
        word="way to augment",
    )
    batch_size: int = setting(64, "Examples of each domain in a step.", least=2)
    target_batch_size: int = setting(
        0,
        "Unlabelled examples of the target in a step, where they are not as many as of a source: as with FixMatch's "
        "seven to one; 0: --batch_size.",
    )
    accumulate: int = setting(
        1,
        "Parts of a batch that are passed one after the other, their gradients averaged: less memory. Statistics of "
        "batch normalisation, and what a method compares across the batch, are then of each part.",
        least=1,
    )
    remat: bool = setting(
        False, "Compute activations between a network's blocks again in the backward pass: less memory, more time."
    )
    steps: int = setting(600, "Training steps.", least=1)
    epochs: float = setting(
        0.0,
        "In place of --steps: passes over the largest training set, rounded up to whole steps; 0: as --steps says.",
    )
    clip_norm: float = setting(0.0, "Clip trained gradients to this global norm; 0 does not.")
    ema: float = setting(
        0.0,
        "Decay of a moving average of the weights, with bias correction, that evaluation, predictions and exports go "
        "by, as in 0.999; 0: by the weights themselves.",
    )
    freeze: tuple[tuple[str, str], ...] = setting(
        (),
        "Repeatable, first match wins: 'pattern=frozen', 'pattern=0.1' (learning-rate factor), "
        "'pattern=frozen@300' (until step 300).",
        form=RULES,
    )
    label_smoothing: float | None = setting(
        None, "Of labels that are classes, in the supervised loss, as in 0.1. Default: each method's own, mostly 0."
    )
    class_weights: tuple[str, ...] = setting(
        (),
        "Weights of the classes in the supervised loss: one number for each, in their order, as in 1,1,2.5; or "
        "balanced: by how rare a class is among the labelled examples. Default: all alike.",
        form=WEIGHTS,
    )
    forward_plan: str = setting(
        "per_domain",
        "How the domains pass through batch normalisation: {choices}.",
        choices=PLANS,
        word="forward plan",
    )
    standardise: str = setting(
        AUTO,
        "On whose training examples the scale of vectors and series is fitted: {choices}.",
        choices=(AUTO, *STANDARDISE),
        word="way to standardise",
    )
    precision: str = setting(
        "float32",
        "Of the computation; parameters stay float32: {choices}.",
        choices=PRECISIONS,
        word="precision",
    )
    select: str = setting(
        AUTO,
        "Label-free criterion that chooses the step, or a call, as in 'mine.py:f(x=1)': {choices}; auto: im of "
        "classes, source_val of values.",
        choices=CRITERIA,
    )
    eval_every: int = setting(0, "Steps between evaluations and checkpoints; 0 is a tenth of the run.")

    @property
    def batches(self) -> tuple[int, int]:
        """Examples of a step: of each labelled set, and of each unlabelled one."""
        return self.batch_size, self.target_batch_size or self.batch_size

    @property
    def passed(self) -> tuple[int, int]:
        """How many of them pass at once (--accumulate)."""
        return self.batches[0] // self.accumulate, self.batches[1] // self.accumulate

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


def check_given(given: Collection[str], swept: Collection[str] = ()) -> None:
    """Raises UserError for settings that were given and say the same twice, as a value or as those of a sweep."""
    for name in swept:
        if name in given:
            raise UserError(f"--{name} and --sweep={name} both say what it is, and the sweep would count: give one.")
    if "steps" in given and "epochs" in given:
        raise UserError("--steps and --epochs both say how long a run is: give one of them.")


def optimizer_call(config: Config) -> Call:
    """The optimiser named by the config. Raises UserError if there is none."""
    return parse(config.optimizer, OPTIMIZERS, "optimizer")


def network_call(config: Config) -> Call:
    """The network named by the config, which is not `auto`. Raises UserError if there is none."""
    return network(config.network)
