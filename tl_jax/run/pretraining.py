"""What is particular to the jobs of unsupervised transfer: ways of alignment, and the domains pretrained on."""

from collections.abc import Sequence

from tl_jax.core.errors import UserError, require
from tl_jax.data.domain import Domain
from tl_jax.methods.aligned import ALIGNMENTS, aligned
from tl_jax.methods.base import Method

PRETRAIN_ON = ("both", "source", "target")
PLANS = ("joint", "separate", "frozen")
"""The forward plans that do not tell apart a source: there is none where nothing is labelled."""


def variants(named: Sequence[tuple[str, Method]], ways: Sequence[str], domains: int) -> list[tuple[str, Method]]:
    """Every method in every way of alignment: simclr, simclr + coral; baselines once, as they are."""
    found = []
    for name, method in named:
        for by in ways if method.trained else ("none",):
            found.append((name, method) if by == "none" else (f"{name} + {by}", aligned(method, by, domains)))
    return found


def check(pretrain_on: str, align: Sequence[str], forward_plan: str, amounts: bool) -> None:
    """Raises UserError for settings that make no sense without labels. amounts: a number of labels was given."""
    require("choice of --pretrain_on", pretrain_on, PRETRAIN_ON)
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
    if amounts:
        raise UserError(
            "--labels_per_class and --label_fraction: unsupervised transfer trains on no labels. Drop them."
        )


def check_domains(domains: Sequence[Domain]) -> None:
    """Raises UserError for a domain whose representation could not be judged by classes."""
    for domain in domains:
        if not domain.classes:
            raise UserError(
                f"{domain.name} has values as labels (regression): kNN, probe, retrieval and clustering judge by "
                "classes. Use a domain with classes."
            )
