"""Settings that are chosen by domains left out of training: the runs that such a choice is made from.

For sources S and a target t, a setting theta is scored without any example of t, and trained on all of S then:

    score(theta) = 1/|S| sum_{s in S} accuracy on s of theta trained on S without s

Leave-one-domain-out cross-validation: Gulrajani & Lopez-Paz 2021, arXiv 2007.01434, section 3.
"""

from collections.abc import Sequence

from tl_jax.core.errors import UserError
from tl_jax.run.settings.config import Config
from tl_jax.sweep.asked.space import Point

LEFT_OUT = "leave_one_domain_out"


def with_inner(base: Config, points: Sequence[Point]) -> list[Point]:
    """The points, and of each those with every source in turn as the target of the others, each once.

    Raises UserError where there are fewer than two sources, of which none can be left out.
    """
    found = {_key(point): point for point in points}
    for point in points:
        sources, target = point.get("source", base.source), point.get("target", base.target)
        if len(sources) < 2 or not target:
            pair = f"{' + '.join(sources) or 'no source'} -> {target or 'no target'}"
            raise UserError(
                f"--choose={LEFT_OUT}: each source is left out of the others in turn, so several are needed, not "
                f"{pair}. Name them with --source, or write --leave_out=pacs."
            )
        for left in sources:
            inner = {**point, "source": tuple(one for one in sources if one != left), "target": left}
            found.setdefault(_key(inner), inner)
    return list(found.values())


def _key(point: Point) -> str:
    return repr(sorted(point.items()))
