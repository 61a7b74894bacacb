"""How published code trains, by name: `--recipe=shot` sets what it says, and what is given besides wins.

A recipe is no setting: it is gone once it has set others, which the run's config then has.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tl_jax.core.errors import UserError, require


class Recipe(NamedTuple):
    """of: whose it is; sets: {setting: value}; begun: more of them where weights are begun from (--init_from);
    but: what is not the same here."""

    of: str
    sets: Mapping[str, Any]
    begun: Mapping[str, Any] = MappingProxyType({})
    but: str = ""


RECIPES: Mapping[str, Recipe] = {
    "tllib": Recipe(
        "Transfer-Learning-Library (Jiang et al. 2022), image classification: DANN, CDAN, MCC",
        {
            "optimizer": "sgd",
            "lr": 0.01,
            "lr_schedule": "inverse",
            "weight_decay": 1e-3,
            "forward_plan": "joint",
            "augment": "crop_flip",
            "steps": 10_000,
        },
        {"lr": 1e-3, "lr_new": 10.0},
        "its schedule (1 + .001 i)^-.75 counts steps, and is (1 + 10 p)^-.75 where there are 10 000 (it takes up to "
        "20 000); decay is on all parameters there, on matrices and kernels here",
    ),
    "shot": Recipe(
        "SHOT (Liang et al. 2020, arXiv 2002.08546), object recognition",
        {
            "optimizer": "sgd",
            "lr": 0.01,
            "lr_schedule": "inverse",
            "weight_decay": 1e-3,
            "batch_size": 64,
            "augment": "flip",
        },
        {"lr": 1e-3, "lr_new": 10.0, "freeze": (("bottleneck/*", "10"),)},
        "15 epochs of the target are --steps of yours; its network is --network='resnet50(head=\"weight_norm\")'",
    ),
    "dann": Recipe(
        "DANN (Ganin et al. 2016, arXiv 1505.07818)",
        {
            "optimizer": "sgd(nesterov=False)",
            "lr": 0.01,
            "lr_schedule": "inverse",
            "weight_decay": 0.0,
            "batch_size": 64,
        },
        but="the paper's batch of 128 is half source, half target; it names no weight decay",
    ),
    "adamatch": Recipe(
        "AdaMatch (Berthelot et al. 2022, arXiv 2106.04732)",
        {
            "optimizer": "sgd(nesterov=False)",
            "lr": 0.03,
            "lr_schedule": "adamatch",
            "weight_decay": 1e-3,
            "batch_size": 64,
            "ema": 0.999,
            "forward_plan": "source_then_joint",
            "target_batch_size": 192,
            "steps": 131_072,
        },
    ),
    "domainbed": Recipe(
        "DomainBed (Gulrajani & Lopez-Paz 2021, arXiv 2007.01434), its defaults for photographs",
        {
            "optimizer": "adam",
            "lr": 5e-5,
            "lr_schedule": "constant",
            "weight_decay": 0.0,
            "batch_size": 32,
            "augment": "colour",
            "steps": 5000,
        },
        {"forward_plan": "frozen"},
        "its colours and crops are others in detail; batch normalisation is frozen where weights are begun from, as in "
        "the tables of 2020; small digits take --lr=0.001",
    ),
}


def published(name: str, given: Mapping[str, Any], has: Collection[str]) -> tuple[dict[str, Any], str]:
    """What a recipe sets beside what was given, of the settings that there are; and a line that says so.

    Raises UserError for an unknown recipe.
    """
    require("recipe", name, RECIPES)
    one = RECIPES[name]
    whole = {**one.sets, **(one.begun if given.get("init_from") else {})}
    given = {**given, **({"steps": None} if "epochs" in given else {})}  # which say how long a run is
    sets = {setting: value for setting, value in whole.items() if setting in has and setting not in given}
    if not sets:
        raise UserError(f"--recipe={name} sets nothing here: {', '.join(whole)} are given, or no settings of this.")
    said = ", ".join(f"{setting} {shown(value)}" for setting, value in sets.items())
    kept = [setting for setting in whole if setting in given]
    lines = f"Recipe {name}, {one.of}: {said}" + (f"; given, and so kept: {', '.join(kept)}" if kept else "")
    return sets, f"{lines}. Not as there: {one.but}." if one.but else f"{lines}."


def shown(value: Any) -> str:
    """A setting's value in words: rules as they are written in a flag."""
    return " ".join("=".join(rule) for rule in value) if isinstance(value, tuple) else f"{value}"
