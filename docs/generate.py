"""docs/methods.md from the docstrings, the arguments and the declared defaults of everything that has a name.

    python docs/generate.py

tests/test_docs.py says whether the page is the one that the code gives.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tl_jax import methods
from tl_jax.balancing import by_gradients, by_gramian, by_losses, by_trained_weights
from tl_jax.balancing.table import STRATEGIES as BALANCING
from tl_jax.evaluation.label_free.criteria import CRITERIA
from tl_jax.fine_tuning.strategies import STRATEGIES as FINE_TUNING
from tl_jax.methods.contract import Method
from tl_jax.training.optimizer import OPTIMIZERS

PAGE = Path(__file__).parent / "methods.md"
INTRODUCTION = """# Methods

Everything that can be named on the command line or in `fit`, as its source file says it: this page is written by
`python docs/generate.py`. A name with arguments is a call, as in `--method='mcc(temperature=2.0)'`; what stands under
*swept* can be given to `--sweep` without recompiling, beside `lam`, `lr` and `weight_decay`.

In the equations `s` is the source and `t` the target, `f` features, `g` logits, `p` probabilities, `GRL` the reversal
of a gradient, `lam` the trade-off of the project's one equation, and `p` in
`lam(p)` the progress of the run from 0 to 1.
The paper's form is the default; where a well-known library computes something else it is a named preset, such as
`deep_coral(form='tllib')`.

Where labels are values, losses are squared errors, tables show R2, RMSE and MAE, and the methods marked *values* apply.
"""
TABLES: tuple[tuple[str, str, Mapping[str, Callable[..., Any]]], ...] = (
    ("Adaptation", "`--method` of transductive transfer: the target has no labels, or few.", methods.ADAPTATION),
    ("Fine-tuning", "`--method` of inductive transfer: labels are the target's.", methods.FINE_TUNING),
    (
        "Strategies of fine-tuning",
        "`--strategy` of inductive transfer: which parameters move, when and how fast. A block is trained together.",
        FINE_TUNING,
    ),
    (
        "Several tasks",
        "`--strategy` of multi-task transfer, beside `single` (each task alone, the baseline). G is the Gramian of the "
        "task gradients. Steps are made comparable: weights of losses sum to 1, and a combined gradient is as long as "
        "the mean gradient (shorter where less than a tenth of what it adds up is left).",
        BALANCING,
    ),
    (
        "Without labels",
        "`--method` of unsupervised transfer; each alone or with an alignment of the domains (`--align`).",
        {**methods.SELF_SUPERVISION, **methods.BASELINES},
    ),
    (
        "Generalisation",
        "Several labelled domains, and nothing of the one that is tested on.",
        methods.GENERALISATION,
    ),
    (
        "At test time",
        "A trained model, and a stream that is predicted before it is learnt from.",
        methods.TEST_TIME,
    ),
    (
        "Optimisers",
        "`--optimizer`. Learning rate, weight decay (k) and factors by path are arrays: they are swept, the arguments "
        "here are not. Decay falls on matrices and kernels alone.",
        OPTIMIZERS,
    ),
    (
        "Criteria of selection",
        "`--select`: from stored predictions, without target labels; higher is better. How each one fails: "
        "`tl_jax/evaluation/label_free/criteria.py`.",
        CRITERIA,
    ),
)
ARXIV = re.compile(r"(?:arXiv[: ]?|and |\()(\d{4}\.\d{4,5})")
ROOMS = {
    "by_gradients": by_gradients,
    "by_gramian": by_gramian,
    "by_losses": by_losses,
    "by_trained_weights": by_trained_weights,
}


def page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *(section(*table) for table in TABLES)])


def section(title: str, about: str, table: Mapping[str, Callable[..., Any]]) -> str:
    """A table of names: what it is, then an entry each."""
    return "\n".join([f"## {title}", "", about, "", *(entry(name, make) for name, make in table.items())])


def entry(name: str, make: Callable[..., Any]) -> str:
    """A name with its arguments, what its docstring says, and what it declares."""
    text = documented(make)
    facts = [f"`{called(name, make)}`", *declared(make), *papers(text)]
    return "\n".join([f"### {name}", "", "```text", text, "```", "", " · ".join(facts), ""])


def called(name: str, make: Callable[..., Any]) -> str:
    """The call with its defaults: 'mcc(temperature=2.5)'."""
    given = [p for p in inspect.signature(make).parameters.values() if p.default is not p.empty]
    return f"{name}({', '.join(f'{p.name}={p.default!r}' for p in given)})"


def documented(make: Callable[..., Any]) -> str:
    """Its docstring; with that of the function that it names, where it says no more than that."""
    text = inspect.getdoc(make) or ""
    named = re.match(r"`(by_\w+)\.(\w+)`", text)
    if named is None:
        return text
    return (inspect.getdoc(getattr(ROOMS[named[1]], named[2])) or "") + f"\n\nHere: {text}"


def declared(make: Callable[..., Any]) -> list[str]:
    """What a method says of itself besides its equation."""
    if make in CRITERIA.values():
        return []
    made = make()
    if not isinstance(made, Method):
        return []
    facts = [] if made.lam is None else [f"lambda {made.lam:g}, {made.lam_schedule}"]
    facts += [f"swept: {', '.join(f'`{name}`' for name in made.values)}"] if made.trained and made.values else []
    return facts + (["values"] if made.regression else [])


def papers(text: str) -> list[str]:
    """Links to the papers that a text names by their numbers."""
    return [f"[arXiv {number}](https://arxiv.org/abs/{number})" for number in dict.fromkeys(ARXIV.findall(text))]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
