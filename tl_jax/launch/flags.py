"""From the table of settings to flags, and from flags to a config that is run."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from absl import flags

from tl_jax.core.errors import UserError
from tl_jax.core.processes import first
from tl_jax.kinds.table import kind_of, prepare, run
from tl_jax.programs.preview import dry_run, parameters
from tl_jax.run.conclude import Result
from tl_jax.run.kind import Kind
from tl_jax.run.plan.devices import PLATFORMS
from tl_jax.run.plan.devices import setup as setup_devices
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config, check_given
from tl_jax.run.settings.recipes import RECIPES, published
from tl_jax.run.settings.settings import Setting, settings

FLAGS = flags.FLAGS
SPECS = "digits:NAME, folder:PATH, npz:PATH, csv:PATH, wav:PATH, tfds:NAME, mnist, ... (tl-jax data list)"
NOTHING: Mapping[str, str] = {}


def names(table) -> str:
    """A comma-separated list for a help text."""
    return ", ".join(table)


def without(kind: Kind) -> tuple[str, ...]:
    """The settings that say nothing to a kind: its own word, and what goes with a target and with methods."""
    pair, trained = kind.planning.pair, bool(kind.methods)
    return (*kind.planning.without, *(() if pair else ("target",)), *(() if trained else ("methods", "select")))


def define(
    defaults: Config,
    lacks: Sequence[str] = (),
    says: Mapping[str, str] = NOTHING,
    called: Mapping[str, str] = NOTHING,
) -> Callable[[], Config]:
    """The flags of a kind of transfer; what is returned makes a config of them.

    lacks: settings that say nothing to it. says: what stands before the choices in a setting's help, where the
    general text says less; called: its flag, where this is not the usual one.
    """
    shown = {name: one for name, one in settings(Config).items() if name not in lacks}
    named = {name: called.get(name, one.flag) for name, one in shown.items()}
    tables = {"methods": kind_of(defaults).methods}
    for name, one in shown.items():
        text = says.get(name, one.help).replace("{choices}", names(tables.get(name, one.choices)))
        _flag(named[name], one, getattr(defaults, name), text)
    execution()
    if "optimizer" in shown:
        flags.DEFINE_string("recipe", "", f"Settings as published, where none is given: {names(RECIPES)}.")
    flags.DEFINE_bool(
        "json", False, "Print one JSON object instead of lines and tables: run_dir, complete, records and baselines."
    )
    flags.DEFINE_bool("list_params", False, "Print every parameter's path and whether it is trained, and stop.")
    flags.DEFINE_bool("dry_run", False, "Print what would be done, and stop.")

    def asked() -> Config:
        values = {name: one.form.read(named[name], getattr(FLAGS, named[name])) for name, one in shown.items()}
        if values.get("label_fraction") and not FLAGS[named["labels_per_class"]].present:
            values["labels_per_class"] = ()  # the default gives way to what was asked for
        given = {name: value for name, value in values.items() if FLAGS[named[name]].present}
        check_given(given, [name for name, _ in values.get("sweep", ())])
        if "optimizer" in shown and FLAGS.recipe:
            sets, line = published(FLAGS.recipe, given, shown)
            print(line, file=sys.stderr if FLAGS.json or FLAGS.quiet else sys.stdout)
            values |= sets
        return replace(defaults, **values)

    return asked


def execution(*only: str) -> None:
    """The flags of Options (some of them, if they are named), and that of the platform."""
    for name, one in settings(Options).items():
        if one.flag and name in (only or (name,)):
            _flag(one.flag, one, one.default, one.help.replace("{choices}", names(one.choices)))
    if not only:
        flags.DEFINE_enum("platform", "auto", PLATFORMS, "Where to compute.")


def _flag(flag: str, one: Setting, default: Any, text: str) -> None:
    getattr(flags, f"DEFINE_{one.form.flag}")(flag, one.form.show(default), text)


def options() -> Options:
    """The flags that change no number."""
    return Options(**{name: getattr(FLAGS, one.flag) for name, one in settings(Options).items() if one.flag})


def alone() -> None:
    """Raises UserError where --distributed or --json is given to a command that is more than a run."""
    for name in ("distributed", "json"):
        if getattr(FLAGS, name):
            raise UserError(f"--{name} is of a single run: leave it out.")


def train(config: Config, part: str = "") -> None:
    """Run a config, or show what would be run. Exits with 130 when the user stopped it.

    part: the folder of --run_dir, where that is given and this is one of several runs.
    """
    setup_devices(FLAGS.platform, FLAGS.devices, FLAGS.distributed)
    how = options()
    if how.run_dir:
        how = replace(how, run_dir=str(Path(how.run_dir) / part))
    if FLAGS.list_params or FLAGS.dry_run:
        setup = prepare(config, how, {})
        print(parameters(setup) if FLAGS.list_params else dry_run(setup))
        return
    result = run(config, replace(how, quiet=how.quiet or FLAGS.json), {})
    if FLAGS.json and first():
        print(as_json(result))
    if not result.complete:
        raise SystemExit(130)


def as_json(result: Result) -> str:
    """A run for a script, in one line."""
    whole = {"run_dir": str(result.run_dir), "complete": result.complete, "records": result.records}
    return json.dumps({**whole, "baselines": list(result.baselines)}, allow_nan=False)
