"""What no run could use is said before anything is read."""

from tl_jax.core.calls import LARGEST
from tl_jax.core.errors import UserError
from tl_jax.run.plan.config import Config
from tl_jax.run.plan.forms import MOST_SEED, MOST_SEEDS, NUMBER
from tl_jax.run.plan.settings import check_number, check_settings, settings
from tl_jax.training.freezing import parse_action


def check(config: Config) -> None:
    """Raises UserError for the first value that no run could use."""
    check_settings(config)
    seeds = config.seeds
    if (
        not seeds
        or len(set(seeds)) != len(seeds)
        or min(seeds) < 0
        or max(seeds) > MOST_SEED
        or len(seeds) > MOST_SEEDS
    ):
        raise UserError(
            f"--seeds={list(seeds[:5])}{' and more' * (len(seeds) > 5)}: give a count from 1 to {MOST_SEEDS}, or "
            f"a list of different seeds from 0 to {MOST_SEED}."
        )
    _check_swept(config)
    for rule in config.freeze:
        parse_action(rule)
    if config.allow_mismatch and not config.init_from:
        raise UserError("--allow_mismatch says what may differ from the weights of --init_from, which is not given.")
    _check_labels(config)


def _check_swept(config: Config) -> None:
    names = [name for name, _ in config.sweep]
    for name, values in config.swept:
        if not values or len(set(values)) != len(values):
            raise UserError(f"--sweep={name}={','.join(map(str, values))}: give values, each once.")
        one = settings(config).get(name)
        for value in values:
            check_number(f"--sweep={name}", value, one.least if one and one.form is NUMBER else -LARGEST)
        if names.count(name) > 1:
            every = ",".join(f"{v:g}" for n, values in config.sweep if n == name for v in values)
            raise UserError(f"--sweep={name} is given {names.count(name)} times: write --sweep={name}={every}.")


def _check_labels(config: Config) -> None:
    if config.labels_per_class and config.label_fraction:
        raise UserError("--labels_per_class and --label_fraction both say how much is labelled: give one of them.")
    if any(n < 1 for n in config.labels_per_class) or any(not 0 < f <= 1 for f in config.label_fraction):
        raise UserError("--labels_per_class takes whole numbers from 1, --label_fraction numbers in (0, 1].")
