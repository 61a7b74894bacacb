"""What is particular to the jobs of unsupervised transfer: views, ways of alignment, and the domains pretrained on."""

import inspect
from collections.abc import Sequence

from tl_jax.core.errors import UserError, require
from tl_jax.data.domain import Domain
from tl_jax.data.views.augment import VIEWS
from tl_jax.methods.aligned import ALIGNMENTS, aligned
from tl_jax.methods.contract import Method
from tl_jax.naming.calls import Call
from tl_jax.run.settings.config import Config

PLANS = ("joint", "separate", "frozen")
"""The forward plans that do not tell apart a source: there is none where nothing is labelled."""


def variants(calls: Sequence[Call], view: str, ways: Sequence[str], domains: int) -> list[tuple[str, Method]]:
    """Every method in every way of alignment: simclr, simclr + coral; baselines once, as they are.

    view: of the methods that leave a choice, unless their call makes it.
    """
    found = []
    for call in calls:
        free = "view" in inspect.signature(call.function).parameters
        method = call.changed(**{"view": view, **call.arguments})() if free else call()
        for by in (ways or ("none",)) if method.trained else ("none",):
            found.append((call.text, method) if by == "none" else (f"{call.text} + {by}", aligned(method, by, domains)))
    return found


def check(config: Config) -> None:
    """Raises UserError for settings that make no sense without labels."""
    pretrain_on, align, forward_plan = config.pretrain_on, config.align, config.forward_plan
    for by in align:
        require("alignment", by, ALIGNMENTS)
    if len(set(align)) != len(align):
        raise UserError(f"--align={list(align)}: name each only once.")
    if set(align) - {"none"} and pretrain_on != "both":
        raise UserError(
            f"--align={align[-1]} needs both domains in training, --pretrain_on={pretrain_on} has one. "
            "Use --pretrain_on=both or --align=none."
        )
    if forward_plan not in PLANS:
        raise UserError(
            f"--forward_plan={forward_plan} treats a labelled source apart, and in unsupervised transfer nothing is "
            f"labelled. Choose from: {', '.join(PLANS)}."
        )


def check_domains(domains: Sequence[Domain], methods: Sequence[tuple[str, Method]]) -> None:
    """Raises UserError for a domain without classes to judge by, or without a view that a method (name, ...) needs."""
    for domain in domains:
        if domain.values:
            raise UserError(
                f"{domain.name} has values as labels (regression): kNN, probe, retrieval and clustering judge by "
                "classes. Use a domain with classes."
            )
    first = domains[0]
    known = VIEWS[first.modality]
    for name, method in methods:
        for view in method.views.values():
            if view.augment not in ("none", *known):
                raise UserError(
                    f"{name} needs the view '{view.augment}', and {first.name} holds data of the kind "
                    f"{first.modality}, which has {', '.join(known)}. Choose one with --view, or another method."
                )
            if view.augment.startswith("rotate") and len(set(first.train.x.shape[1:3])) > 1:
                size = "x".join(map(str, first.train.x.shape[1:3]))
                raise UserError(f"{name} turns images, which {first.name} has of {size} px: make them square.")
