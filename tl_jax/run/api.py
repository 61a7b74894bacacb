"""The same run from Python, as in a notebook."""

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from tl_jax.core.errors import require
from tl_jax.data.domain import Domain
from tl_jax.run.config import Config
from tl_jax.run.devices import setup as setup_devices
from tl_jax.run.experiment import Result, run
from tl_jax.run.setup import Options, domain_names


def fit(
    source: str | Domain | Sequence[str | Domain] = Config.source,
    target: str | Domain = Config.target,
    methods: str | Sequence[str] = Config.methods,
    *,
    seeds: int | Sequence[int] = Config.seeds,
    sweep: Mapping[str, Sequence[float]] | None = None,
    run_dir: str = "",
    quiet: bool = False,
    **settings: Any,
) -> Result:
    """Train every method with every seed (and every swept value) and return records, table and run directory.

    source, target: specs ("digits:printed") or Domains; several sources as a list. methods: names or calls
    ("cdan(entropy=True)"). seeds: a count or a list. run_dir: as --run_dir; a temporary directory if empty.
    settings: any other field of Config (network, steps, lr, lam, freeze, ...), or data_dir, devices, trials.
    Raises UserError with the message that the launch script would print.
    """
    options = {k: settings.pop(k) for k in ("data_dir", "devices", "trials") if k in settings}
    fields = [field.name for field in dataclasses.fields(Config)]
    for name in settings:
        require("setting", name, fields)
    many = [source] if isinstance(source, str | Domain) else list(source)
    names, domains = domain_names([*many, target])
    plain = lambda name, v: tuple(map(tuple, v)) if name == "freeze" else tuple(v) if isinstance(v, list) else v
    others: dict[str, Any] = {name: plain(name, v) for name, v in settings.items()}
    config = Config(
        source=names[:-1],
        target=names[-1],
        methods=(methods,) if isinstance(methods, str) else tuple(methods),
        seeds=tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds),
        sweep=tuple((name, tuple(values)) for name, values in (sweep or {}).items()),
        **others,
    )
    setup_devices(devices=options.get("devices", 0))
    where = run_dir or tempfile.mkdtemp(prefix="tl_jax-")
    return run(config, Options(run_dir=where, quiet=quiet, **options), domains)
