"""What no run could use, and what a network, a machine or a folder cannot take: said before anything is trained."""

import os
import tempfile
from pathlib import Path

import jax

from tl_jax.core.errors import UserError, needed
from tl_jax.core.processes import first
from tl_jax.naming.calls import LARGEST
from tl_jax.run.plan.jobs import Job
from tl_jax.run.plan.problem import Problem
from tl_jax.run.plan.setup import example, make_network
from tl_jax.run.plan.types import Options
from tl_jax.run.plan.words import begins_from
from tl_jax.run.settings.config import Config, network_call, optimizer_call
from tl_jax.run.settings.forms import BALANCED, MOST_SEED, MOST_SEEDS, NUMBER
from tl_jax.run.settings.settings import check_number, check_settings, settings
from tl_jax.training.freezing import parse_action


def check(config: Config) -> None:
    """Raises UserError for the first value that no run could use."""
    check_settings(config)
    optimizer_call(config)
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
    if config.allow_mismatch and not begins_from(config):
        raise UserError("--allow_mismatch says what may differ from the weights of --init_from, which is not given.")
    for size in config.batches if config.accumulate > 1 else ():
        if size % config.accumulate or size < 2 * config.accumulate:
            raise UserError(
                f"--accumulate={config.accumulate}: the batch of {size} does not divide into as many equal parts of "
                "two or more examples."
            )
    if config.target_batch_size == 1:
        raise UserError("--target_batch_size=1: two or more are needed; 0 is as many as of a source.")
    if (config.label_smoothing or 0) >= 1:
        raise UserError(f"--label_smoothing={config.label_smoothing:g}: a number from 0 up to, but not, 1 is needed.")
    if config.balanced and config.class_weights == (BALANCED,):
        raise UserError("--balanced draws rare classes more often: --class_weights=balanced beside it counts it twice.")
    if config.ema >= 1:
        raise UserError(f"--ema={config.ema:g}: a decay below 1 is needed, such as 0.999.")
    _check_labels(config)


def check_network(config: Config, problem: Problem, job: Job) -> None:
    """Raises UserError where the network cannot be built for the examples, or has no room."""
    call = network_call(config)
    domain = problem.target
    try:
        network = make_network(config, problem, job, "map")
        made = jax.eval_shape(lambda key: network.init(key, example(problem)), jax.random.key(0))
        if not all(x.size for x in jax.tree.leaves(made)):
            raise ValueError("a layer of it would have no parameters")
    except UserError:
        raise
    except Exception as error:  # whatever a layer says of a shape or a width
        shape, reason = "x".join(map(str, domain.train.x.shape[1:])), " ".join(str(error).split())
        raise UserError(
            f"--network={call.text} cannot be built for {domain.modality} {shape} ({reason:.160}). "
            "Choose another network or other arguments."
        ) from error
    size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(made))
    have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else size
    if size > have:
        raise UserError(
            f"--network={call.text} has {size / 1e9:.3g} GB of parameters; there are {have / 1e9:.3g} GB of memory."
        )


def check_options(options: Options) -> None:
    """Raises UserError for options of no meaning, and where no run can be kept. Leaves nothing behind."""
    check_settings(options)
    if options.log == "tensorboard":
        needed("tensorboardX", "--log")
    if not isinstance(options.data_dir, str | os.PathLike):
        raise UserError(f"data_dir={options.data_dir!r:.60}: a path is needed.")
    if options.run_dir and first():
        _check_run_dir(str(options.run_dir))


def _check_run_dir(run_dir: str) -> None:
    """What is not there yet is tried in a folder beside it: runs that begin together make the folders they share."""
    root = Path(run_dir)
    try:
        if root.is_symlink() and not root.exists():
            raise UserError(f"--run_dir={root} is a link to {os.readlink(root)}, which is not there.")
        if root.exists():
            if not root.is_dir():
                raise UserError(f"--run_dir={root} is a file. Use a new --run_dir.")
            return
        whole = Path(os.path.abspath(root))
        there = next(folder for folder in whole.parents if folder.exists())
        with tempfile.TemporaryDirectory(dir=there) as beside:
            trial = Path(beside, whole.relative_to(there))
            trial.mkdir(parents=True)
            tempfile.TemporaryFile(dir=trial).close()
    except (OSError, ValueError) as error:  # too long a name, no folder, no right, a lone surrogate
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"--run_dir={run_dir:.200}: nothing can be written there ({reason}).") from None


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
