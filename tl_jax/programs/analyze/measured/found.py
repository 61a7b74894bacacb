"""What is found of a job, as values: every part of the page reads these, and so do its words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

BASES = ("source_only", "scratch", "erm")
"""Jobs without adaptation, beside which the others are read."""


class Reliability(NamedTuple):
    """By bins of confidence [b]: examples, mean confidence, accuracy; ece: mean over seeds; gap: confidence less
    accuracy over all."""

    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    ece: float
    gap: float


class Shift(NamedTuple):
    """Shares of the classes [c]: of the source, of the target by its predictions corrected (None: cannot be), and of
    the target by its labels (None: not known)."""

    source: np.ndarray
    estimated: np.ndarray | None
    true: np.ndarray | None


class Space(NamedTuple):
    """Features at one step: mean norm and effective rank of target and source, proxy A-distance between them."""

    norm: float
    rank: float
    source_norm: float | None = None
    source_rank: float | None = None
    distance: float | None = None


class Mistake(NamedTuple):
    """An example: its name, what was predicted (how surely; None of values) and what is true; a PNG, or nothing."""

    name: str
    said: str
    true: str
    sure: float | None = None
    picture: bytes = b""


class Scores(NamedTuple):
    """A value a seed, of the metric at the last, the selected and the oracle's step, and these steps."""

    last: tuple[float, ...] = ()
    selected: tuple[float, ...] = ()
    oracle: tuple[float, ...] = ()
    selected_steps: tuple[int, ...] = ()
    oracle_steps: tuple[int, ...] = ()
    source: tuple[float, ...] = ()


NO_SCORES = Scores()


class Told(NamedTuple):
    """What a method's own discriminator says at a step: the share of the source's and of the target's examples that it
    tells right, and the area under its curve (.5: it cannot tell them, wherever its threshold lies)."""

    step: int
    source: float
    target: float
    area: float

    @property
    def right(self) -> float:
        """Mean of the two domains, so that their sizes do not matter; chance is .5."""
        return (self.source + self.target) / 2

    @property
    def tells(self) -> float:
        """The same wherever its threshold lies, and whichever side it calls the source: at least .5."""
        return max(self.right, self.area, 1 - self.area)


class Pseudo(NamedTuple):
    """Labels that a rule (in words) gives targets: {step: a value a seed} of the share that gets one, and of the share
    of these that is right ({} where no label is known). own: whether the rule is the method's."""

    rule: str
    own: bool
    coverage: Mapping[int, tuple[float, ...]]
    precision: Mapping[int, tuple[float, ...]]


class Finding(NamedTuple):
    """A sentence; good: whether it went well, else something to try; part: of the page, where its number stands.

    labels: whether it rests on the target's labels.
    """

    good: bool
    text: str
    part: str
    labels: bool = True


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """A job at one set of swept values, over its seeds that stayed finite.

    label: the job with the values in which its trials differ; step of steps: of the last evaluation that is there.
    metric: "accuracy", or "r2" of values. curve: {step: a value a seed} of it on the target's test split; logged:
    {name: {step: mean}} of all else that was logged; shares: {term: {step: weighted share of the loss}}, {} where the
    terms cannot be told. confusion [k, k]: mean counts over seeds, rows true, of names (one more than classes where
    "unknown" is one); recall: {seed: [k]}. said, labels [c]: shares of the classes among predictions and labels of the
    test split; used: {step: how many classes the predictions of the target use, exp of their entropy}. plane: what is
    drawn of the features (see plots.embedding). told: None where the method has no discriminator, or it cannot be
    asked. lacks: {part of the page: why it is not there}.
    """

    job: str
    label: str
    seeds: tuple[int, ...]
    step: int
    steps: int
    metric: str = "accuracy"
    diverged: tuple[str, ...] = ()
    scores: Scores = NO_SCORES
    curve: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    logged: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    shares: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    confusion: np.ndarray | None = None
    recall: np.ndarray | None = None
    reliability: Reliability | None = None
    said: np.ndarray | None = None
    labels: np.ndarray | None = None
    shift: Shift | None = None
    used: Mapping[int, float] = field(default_factory=dict)
    spaces: Mapping[int, Space] = field(default_factory=dict)
    pairs: tuple[np.ndarray, np.ndarray] | None = None
    plane: Mapping[str, np.ndarray] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()
    pseudo: Pseudo | None = None
    told: Told | None = None
    lacks: Mapping[str, str] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether its last evaluation is that of its last step."""
        return self.step >= self.steps

    @property
    def last(self) -> tuple[float, ...]:
        """The metric of every seed at the last evaluation there is."""
        return self.scores.last or (self.curve[max(self.curve)] if self.curve else ())


def base_of(jobs: "tuple[Numbers, ...] | list[Numbers]") -> Numbers | None:
    """The job without adaptation, if there is one."""
    return next((one for name in BASES for one in jobs if one.job == name), None)


Rule = Callable[[Numbers, Numbers | None], list[Finding]]
"""A job, and the job without adaptation beside it (None where there is none or it is that itself), to sentences."""
