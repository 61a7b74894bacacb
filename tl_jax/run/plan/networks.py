"""Which network a run trains: `auto` takes what suits the examples, a named one must take them."""

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain
from tl_jax.models.networks import NETWORKS, RESAMPLING, modalities
from tl_jax.models.sound.waves import RATE
from tl_jax.naming.calls import Call
from tl_jax.run.settings.config import AUTO, Config, network_call

USUAL: Mapping[str, str] = {
    "image": "cnn",
    "vector": "mlp(dropout=0.5, hidden=(256,))",
    "text": "text_cnn",
    "sound": "audio_cnn",
    "series": "conv1d",
}
"""What --network=auto stands for."""
LEAST = 8
"""Images of fewer pixels a side do not survive the pooling of the convolutional networks above."""


def resolved(config: Config, domains: Sequence[Domain], own: Mapping[str, str] = MappingProxyType({})) -> Config:
    """The config with the network's full name. Raises UserError for a network that does not take the examples.

    domains: matched, so of one modality and shape; own: {modality: what `auto` stands for in a kind of transfer}.
    """
    first, usual = domains[0], _suiting({**USUAL, **own}, domains)
    call = network_call(dataclasses.replace(config, network=usual) if config.network == AUTO else config)
    if first.modality not in modalities(call.name):
        able = [known for known in NETWORKS if first.modality in modalities(known)]
        raise UserError(
            f"--network={call.text} takes {' or '.join(modalities(call.name))}; {first.name} holds {first.modality} "
            f"{list(first.train.x.shape)}. Networks of {first.modality}: {', '.join(able)}; --network=auto is {usual}."
        )
    hashed = first.modality == "text" and not call.arguments.get("from_")  # else the ids are the network's own
    held = _argument(call, "vocabulary") if hashed else None
    if held is not None and (greatest := _greatest_id(domains)) >= held:
        raise UserError(
            f"--network={call.text} knows token ids below {held}; the data have {greatest}. "
            f"Use --network='{call.name}(vocabulary={greatest + 1})', or --network=auto."
        )
    if call.name == "audio_cnn" and first.rate and (rate := _argument(call, "rate")) != first.rate:
        raise UserError(
            f"--network={call.text} reads {rate} samples a second, {first.name} has {first.rate}: every pitch would be "
            f"another. Use --network='audio_cnn(rate={first.rate})', or --network=auto; wav:PATH?rate={rate} resamples."
        )
    if call.name in RESAMPLING:
        call = _at_rate(call, first)
    return dataclasses.replace(config, network=call.text)


def _at_rate(call: Call, domain: Domain) -> Call:
    """The call of a network that resamples, told the rate of a domain. Raises UserError for another, or for none."""
    asked = call.arguments.get("rate")
    if not (domain.rate or asked):
        raise UserError(
            f"--network={call.text} hears {RATE} samples a second, and {domain.name} does not say "
            f"how many it has: every pitch might be another. Say it of the data (rate= of the spec, Domain(rate=)), or "
            f"by rate= in the network's call."
        )
    if asked and domain.rate not in (0, asked):
        raise UserError(
            f"--network={call.text}: {domain.name} has {domain.rate} samples a second, not {asked}. Leave rate= out: "
            "the network is told the rate of the data."
        )
    return call if asked or domain.rate == RATE else call.changed(rate=domain.rate)


def _suiting(usual: Mapping[str, str], domains: Sequence[Domain]) -> str:
    """The network for these examples, as a call."""
    first = domains[0]
    small = first.modality == "image" and min(first.train.x.shape[1:3]) < LEAST
    modality = "vector" if small else first.modality
    network = usual[modality]
    if modality == "text":
        return f"{network}(vocabulary={first.vocabulary or _greatest_id(domains) + 1})"
    return f"{network}(rate={first.rate})" if modality == "sound" and first.rate else network


def _greatest_id(domains: Sequence[Domain]) -> int:
    """The greatest token id of all examples."""
    return max(int(part.x.max(initial=0)) for domain in domains for part in domain.splits.values())


def _argument(call: Call, name: str) -> int | None:
    """What a call gives an argument, or its default; None where it has no such argument."""
    default = getattr(inspect.signature(call.function).parameters.get(name), "default", None)
    return call.arguments.get(name, default if isinstance(default, int) else None)
