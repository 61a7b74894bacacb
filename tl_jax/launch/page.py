"""docs/settings.md, from the table of settings: python -m tl_jax.launch.page > docs/settings.md."""

from typing import Any

from tl_jax.kinds.table import KINDS
from tl_jax.launch.flags import without
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config
from tl_jax.run.settings.recipes import RECIPES, Recipe, shown
from tl_jax.run.settings.settings import Setting, settings

HEAD = """# Settings

Every choice that can change a number is a field of `Config`, every other one of `Options`. On the command line it is a
flag (`--steps=600`), in Python an argument of `tl_jax.fit` by the name in the first column (`steps=600`). This page is
written by `python -m tl_jax.launch.page`.
"""

RECIPE_HEAD = (
    "`--recipe=NAME` (in Python `recipe=`) sets these as published and prints what it set; what is given besides wins:",
    "",
    "| recipe | of | sets | with `--init_from` | not as there |",
    "|---|---|---|---|---|",
)


def page() -> str:
    """The page as it should be."""
    lines = [HEAD, "| setting | flag | default | what |", "|---|---|---|---|"]
    lines += [_row(one, _defaults(name)) for name, one in settings(Config).items()]
    lines += ["", "Of execution; numbers are the same:", "", "| setting | flag | default | what |", "|---|---|---|---|"]
    lines += [_row(one, _shown(one.default)) for one in settings(Options).values()]
    lines += ["", *RECIPE_HEAD, *(_recipe(name, one) for name, one in RECIPES.items())]
    return "\n".join(lines) + "\n"


def _recipe(name: str, one: Recipe) -> str:
    sets, begun = (
        ", ".join(f"`{key}={shown(value)}`" for key, value in values.items()) for values in (one.sets, one.begun)
    )
    return f"| `{name}` | {one.of} | {sets} | {begun or '-'} | {one.but} |"


def _row(one: Setting, defaults: str) -> str:
    text = one.help.replace("{choices}", ", ".join(f"`{name}`" for name in one.choices) or "see the tables")
    flag = f"`--{one.flag}`" if one.flag else "-"
    return f"| `{one.name}` | {flag} | {defaults} | {text.replace('|', '&#124;')} |"


def _defaults(name: str) -> str:
    """The default of every kind that has the setting, once where they agree."""
    found: dict[str, list[str]] = {}
    for kind in (kind for kind in KINDS.values() if name not in without(kind)):
        found.setdefault(_shown(getattr(kind.defaults, name)), []).append(kind.defaults.kind)
    if len(found) == 1 and len(next(iter(found.values()))) == len(KINDS):
        return next(iter(found))
    return "; ".join(f"{value} ({', '.join(kinds)})" for value, kinds in found.items())


def _shown(value: Any) -> str:
    if value in ((), None, ""):
        return "-"
    return ", ".join(f"`{one}`" for one in value) if isinstance(value, tuple) else f"`{value}`"


if __name__ == "__main__":
    print(page(), end="")
