"""The same run from Python, as in a notebook."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import logging

from tl_jax.core import processes
from tl_jax.core.errors import UserError, require
from tl_jax.core.files import temporary_folder
from tl_jax.data.domain import Domain
from tl_jax.handed import domain_names, named_objects, one_domain, setting, several
from tl_jax.kinds.table import KINDS, run
from tl_jax.naming import own_code
from tl_jax.programs.trained.opened import Model, open_model
from tl_jax.run.conclude import Result
from tl_jax.run.plan.devices import setup as setup_devices
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config, check_given
from tl_jax.run.settings.forms import plain
from tl_jax.run.settings.recipes import published
from tl_jax.run.settings.settings import settings as settings_of
from tl_jax.run.wanted import Wanted

OPTIONS = tuple(name for name in settings_of(Options) if name not in ("run_dir", "quiet"))
"""Settings that change no number."""
PAIRS = {name: kind.defaults for name, kind in KINDS.items() if kind.planning.pair}
"""The kinds of transfer that go from sources to a target."""
TASKS = KINDS["multitask"].defaults


def fit(
    source: str | Domain | Sequence[str | Domain] = Config.source,
    target: str | Domain = Config.target,
    methods: str | Sequence[str] = (),
    *,
    kind: str = "transductive",
    seeds: int | Sequence[int] = Config.seeds,
    sweep: Mapping[str, Sequence[float]] | None = None,
    run_dir: str = "",
    quiet: bool = False,
    **settings: Any,
) -> Result:
    """Train every method with every seed (and every swept value) and return records, table and run directory.

    source, target: specs ("digits:printed"), Domains, or arrays and frames (x, y) and {"x": x}, which are split at
    random; several sources as a list. methods: names or calls ("cdan(entropy=True)"); those of the kind's script if
    empty. kind: "transductive", "inductive", "unsupervised", "generalisation" or "test_time". seeds: a count, or a
    list, range or array. freeze: "pattern=action" or pairs. run_dir: as --run_dir; if empty, a temporary directory that
    goes when the process ends.
    settings: any other field of Config (network, steps, lr, lam, ...), by default what the kind's script has, recipe,
    data_dir, devices, distributed, trials, device_bytes, accept_changes, workers (with worker processes the caller
    needs the guard `if __name__ == "__main__"`). Raises UserError with the message that the launch script would print.
    """
    require("kind", kind, PAIRS)
    _follow_recipe(kind, settings, sweep, quiet)
    options = _options(settings)
    if settings.get("label_fraction"):
        settings.setdefault("labels_per_class", ())  # the default gives way to what was asked for
    names, domains = domain_names([*several(source, "source"), one_domain(target, "target")])
    config = dataclasses.replace(
        PAIRS[kind],
        source=names[:-1],
        target=names[-1],
        methods=setting("methods", methods) or PAIRS[kind].methods,
        **_shared(seeds, sweep, settings),
    )
    return _run(config, Options(run_dir, quiet=quiet, **options), domains)


def fit_tasks(
    tasks: Sequence[str | Domain] = TASKS.source,
    strategies: str | Sequence[str] = TASKS.strategies,
    *,
    seeds: int | Sequence[int] = TASKS.seeds,
    sweep: Mapping[str, Sequence[float]] | None = None,
    run_dir: str = "",
    quiet: bool = False,
    **settings: Any,
) -> Result:
    """Train one network on all tasks under every strategy; the rest is as in `fit`.

    tasks: specs or Domains, those with equal examples sharing one input. strategies: names or calls
    ("cagrad(c=0.2)"); "single" trains each task alone, and Delta_m needs it.
    """
    _follow_recipe("multitask", settings, sweep, quiet)
    options = _options(settings)
    names, domains = domain_names(several(tasks, "task"))
    config = dataclasses.replace(
        TASKS,
        source=names,
        strategies=setting("strategies", strategies),
        **_shared(seeds, sweep, settings),
    )
    return _run(config, Options(run_dir, quiet=quiet, **options), domains)


def load(
    run: str | Path,
    job: str = "",
    seed: int | None = None,
    *,
    values: Mapping[str, float] | None = None,
    trial: int | None = None,
    select: str = "last",
    task: str = "",
    source: Any = None,
    target: Any = None,
    tasks: Any = None,
    data_dir: str = "",
    **objects: Any,
) -> Model:
    """A trained model of a run directory, with `predict(x)`, `probabilities(x)`, `features(x)` and `classes`.

    Of a run of several tasks all but the features are dicts, {task: array}, of the tasks in `tasks`, or of the one
    named by task (which strategy `single` needs); of a run at test time x is a stream, in its order. job: as in the
    run's table, needed if there are several; seed: the first by default; values: swept ones; or trial, their number in
    results.json. select: "last" or "selected" (the step that the run's criterion chose). source, target, tasks: what
    `fit` or `fit_tasks` was given, where it was no spec; the data are needed for their scale and classes. objects:
    methods, network, select or strategies, where these were given objects instead of names.
    Raises UserError with the message that the launch script would print.
    """
    own_code.forget()
    handed = [*(several(source, "source") if source is not None else ())]
    handed += [one_domain(target, "target")] if target is not None else []
    handed += several(tasks, "task") if tasks is not None else []
    setup_devices()
    wanted = Wanted(job, plain(seed), dict(values or {}), plain(trial), select, task)
    with _silent():
        return open_model(Path(run), wanted, domain_names(handed)[1], data_dir, named_objects(objects))


def _follow_recipe(kind: str, settings: dict[str, Any], sweep: Any, quiet: bool) -> None:
    """Put what a published recipe says in the place of `recipe`, where it is not given.

    Raises UserError for what was given and says the same twice; what a recipe says may be swept.
    """
    check_given(settings, [name for name, _ in setting("sweep", sweep)])
    if name := settings.pop("recipe", ""):
        has = settings_of(Config).keys() - set(KINDS[kind].planning.without)
        sets, line = published(name, settings, has)
        settings.update(sets)
        if not quiet:
            print(line)


def _options(settings: dict[str, Any]) -> dict[str, Any]:
    """Take those of Options out of the settings. Raises UserError for what is then no field of Config."""
    options = {k: settings.pop(k) for k in OPTIONS if k in settings}
    fields = [field.name for field in dataclasses.fields(Config)]
    for name in settings:
        require("setting", name, fields)
    return options


def _shared(seeds: Any, sweep: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of Config in their types."""
    return {
        "seeds": setting("seeds", seeds),
        "sweep": setting("sweep", sweep),
        **{name: setting(name, value) for name, value in settings.items()},
    }


def _run(config: Config, options: Options, domains: Mapping[str, Domain]) -> Result:
    own_code.forget()  # a file that was changed since the last run is read again
    setup_devices(devices=options.devices, distributed=options.distributed)
    if processes.several() and not options.run_dir:
        raise UserError("run_dir: of several processes all need the same folder, on a file system that they share.")
    where = options.run_dir or str(temporary_folder("tl_jax-"))
    with _silent() if options.quiet else contextlib.nullcontext():
        return run(config, dataclasses.replace(options, run_dir=where), domains)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without the warnings of Orbax, which speaks through absl: of saves that wait for others, for instance."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)
