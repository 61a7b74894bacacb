"""Whether a network, a machine and a folder can take what is asked of them: said before anything is trained."""

import os
import tempfile
from pathlib import Path

import jax

from tl_jax.core.errors import UserError, require
from tl_jax.run.plan.config import Config, network_call
from tl_jax.run.plan.jobs import Job
from tl_jax.run.plan.problem import Problem
from tl_jax.run.plan.setup import example, make_network
from tl_jax.run.plan.types import MODES, Options


def check_network(config: Config, problem: Problem, job: Job) -> None:
    """Raises UserError where the network cannot be built for the examples, or has no room."""
    call = network_call(config)
    domain = problem.target
    try:
        network = make_network(config, problem, job, "map")
        made = jax.eval_shape(lambda key: network.init(key, example(problem)), jax.random.key(0))
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
    require("way to run trials:", options.trials, MODES)
    for name in ("device_bytes", "workers"):
        value = getattr(options, name)
        if not isinstance(value, int) or not 0 <= value < 1 << 63:
            raise UserError(f"--{name}={value}: must be a whole number of at least 0.")
    if not isinstance(options.data_dir, str | os.PathLike):
        raise UserError(f"data_dir={options.data_dir!r:.60}: a path is needed.")
    if options.run_dir:
        _check_run_dir(str(options.run_dir))


def _check_run_dir(run_dir: str) -> None:
    root = Path(run_dir)
    made: list[Path] = []
    try:
        if root.is_symlink() and not root.exists():
            raise UserError(f"--run_dir={root} is a link to {os.readlink(root)}, which is not there.")
        if root.exists():
            if not root.is_dir():
                raise UserError(f"--run_dir={root} is a file. Use a new --run_dir.")
            return
        for folder in reversed([p for p in (root, *root.parents) if not p.exists()]):
            folder.mkdir()
            made.append(folder)
        tempfile.TemporaryFile(dir=root).close()
    except (OSError, ValueError) as error:  # too long a name, no folder, no right, a lone surrogate
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"--run_dir={run_dir:.200}: nothing can be written there ({reason}).") from None
    finally:
        for folder in reversed(made):
            folder.rmdir()
