"""A job whose evaluation is a stream, and the hidden one that trains the model it begins from."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.fine_tuning.layout import Layout
from tl_jax.methods.contract import Method, Own, Phase, Terms
from tl_jax.methods.source_only import source_only
from tl_jax.run.plan.jobs import Job, check_swept, make_job, values_of
from tl_jax.run.settings.config import Config
from tl_jax.training.freezing import Rule


def _nothing(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
    return Terms({"nothing": jnp.zeros(())})


STILL = Method(
    _nothing,
    views={},
    weights=lambda at: {"nothing": 1.0},
    lam=None,
    phases=(Phase(_nothing, ()),),
    labels="none",
    trained=False,
)
"""One step that moves no parameter: the source model goes through it to the evaluation as it is."""


@dataclass(frozen=True)
class Streaming(Job):
    """A job of one step that trains nothing; `adapts` is the method that goes through the stream."""

    adapts: Method = STILL

    @property
    def plain(self) -> bool:
        """Whether the source model says all of it: nothing is learnt, remembered, or said in another way."""
        return not self.adapts.trained and self.adapts.after is None and self.adapts.predict is None

    def rules(self, config: Config, net: Layout) -> tuple[Rule, ...]:
        """As of any job, with the rules of the method that adapts."""
        return (*self.adapts.freeze, *config.freeze, *self.strategy.rules(net, self.steps))


def streaming(config: Config, named: Sequence[tuple[str, Method]]) -> list[Streaming]:
    """One job a method, from one source model a seed, or from weights of a file where there is no source."""
    check_swept(config, [method for _, method in named])
    found = []
    for name, method in named:
        job = make_job(config, name, method, amounts=False)
        start = _source_model(config, job) if config.source else None
        found.append(Streaming(name, STILL, job.trials, 1, start, adapts=method))
    return found


def _source_model(config: Config, job: Job) -> Job:
    """The hidden job: one model a trial; all methods whose trials are the seeds share it, but for those that train
    their source model otherwise."""
    own = job.start.method if job.start else None
    method, seeds = own or source_only(), [seed for seed, _ in job.trials]
    values = tuple(values_of(config, method).items())  # whatever is swept at test time
    name = "source model" if seeds == list(config.seeds) and own is None else f"{job.name}: source model"
    return Job(name, method, tuple((seed, values) for seed in seeds), config.pretrain_steps or config.steps)
