"""What a published network brings besides its form: weights to begin from and, of texts, the pieces it reads."""

import dataclasses
from collections.abc import Callable
from functools import partial

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain
from tl_jax.data.spec import parse
from tl_jax.data.texts import recoded
from tl_jax.models.parts.recipe import Pretrained, as_recipe
from tl_jax.models.sequences.tokens import pieces
from tl_jax.run.settings.config import AUTO, Config, network_call

OF_WORDS = ("length", "buckets")
"""Options of csv: that say nothing to a network with pieces of its own."""


def brought(config: Config) -> Pretrained | None:
    """The published folder of the config's network, if it has one."""
    return None if config.network == AUTO else as_recipe(network_call(config)()).pretrained


def begins_from(config: Config) -> str:
    """The weights that a run begins from: those of --init_from, else those that the network brings; '': none."""
    found = None if config.init_from else brought(config)
    return found.place if found else config.init_from


def begun(config: Config) -> Config:
    """The config with the weights that its network brings."""
    return dataclasses.replace(config, init_from=begins_from(config))


def reading(config: Config, read: Callable[[str], Domain]) -> Callable[[str], Domain]:
    """`read` with texts in the pieces of the network, if it brings any."""
    of = brought(config)
    return read if of is None else lambda spec: in_pieces(read(spec), of, spec)


def in_pieces(domain: Domain, of: Pretrained, spec: str = "", length: int = 0) -> Domain:
    """The domain with word pieces in the place of hashed words, `length` at most (0: as the network has it).

    Domains of another kind stay: that they do not fit is said of them as of any.
    """
    if domain.modality != "text" or not of.vocabulary:
        return domain
    if given := [name for name in OF_WORDS if spec.startswith("csv:") and name in parse(spec).options]:
        raise UserError(
            f"{spec}: {' and '.join(given)} {'are' if len(given) > 1 else 'is'} of hashed words; the network has word "
            "pieces of its own. Leave it out; length= in the network's call says how many pieces a text has at most."
        )
    return recoded(domain, partial(pieces, of, length=length), of.vocabulary)
