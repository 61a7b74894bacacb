"""The kinds of transfer by name, and a run or a setup of the kind that a config names."""

from collections.abc import Mapping

from tl_jax.core.errors import require
from tl_jax.core.processes import together
from tl_jax.data.domain import Domain
from tl_jax.kinds.generalisation.kind import GENERALISING
from tl_jax.kinds.inductive.kind import INDUCTIVE
from tl_jax.kinds.multitask.kind import MULTITASK
from tl_jax.kinds.test_time.kind import ON_A_STREAM
from tl_jax.kinds.transductive.kind import TRANSDUCTIVE
from tl_jax.kinds.unsupervised.kind import UNSUPERVISED
from tl_jax.run import experiment
from tl_jax.run.begun import Begun, begun
from tl_jax.run.conclude import Result
from tl_jax.run.kind import Kind
from tl_jax.run.plan.types import Options, Setup
from tl_jax.run.settings.config import Config

KINDS: Mapping[str, Kind] = {
    "transductive": TRANSDUCTIVE,
    "inductive": INDUCTIVE,
    "unsupervised": UNSUPERVISED,
    "multitask": MULTITASK,
    "generalisation": GENERALISING,
    "test_time": ON_A_STREAM,
}


def kind_of(config: Config) -> Kind:
    """The kind that a config names. Raises UserError if there is none of that name."""
    require("kind", config.kind, KINDS)
    return KINDS[config.kind]


def run(config: Config, options: Options, domains: Mapping[str, Domain]) -> Result:
    """`run.experiment.run` of the config's kind, from the model of another run where --init_from names one."""
    config, file = together(lambda: _begun(config, options, domains))
    return experiment.run(kind_of(config), config, options, domains, file=file)


def prepare(config: Config, options: Options, domains: Mapping[str, Domain]) -> Setup:
    """`run.experiment.set_up` of the config's kind, from the model of another run where --init_from names one."""
    config, file = _begun(config, options, domains)
    return experiment.set_up(kind_of(config), config, options, domains, file=file)


def _begun(config: Config, options: Options, domains: Mapping[str, Domain]) -> Begun:
    reading = Options(data_dir=options.data_dir, devices=1)
    return begun(config, lambda theirs: (kind_of(theirs), prepare(theirs, reading, domains)))
