"""Kinds of transfer side by side: one pair, one network, one budget of steps, from no target label to all.

    tl-jax benchmark
    tl-jax benchmark --source=usps --target=mnist --network=lenet --steps=600 --seeds=5
    tl-jax benchmark --row=scratch --row=source_only --row='last_k(k=1)' --row='cdan(entropy=True)' --labels=0,2,all

A row is a method or a strategy of any kind of transfer, trained as its own command does. Without flags: printed to
handwritten digits, eighteen rows, 0, 1, 5 and all labels a class, three seeds. Prints the table with what each row
takes and a verdict with its test; writes table.md, table.tex, table.csv, trials.csv and benchmark.png. The same line
again goes on where it was stopped, and trains nothing twice.
"""

import dataclasses
from pathlib import Path

from absl import flags

from tl_jax.benchmark import work
from tl_jax.benchmark.read import read
from tl_jax.benchmark.rows import ALL, NONE, ROWS, SHARED, SORTS, Asked, check, rows
from tl_jax.benchmark.written import written
from tl_jax.core.errors import UserError, machine_faults
from tl_jax.launch.flags import FLAGS, SPECS, alone, define, names, options
from tl_jax.run.experiment import default_run_dir
from tl_jax.run.plan.devices import setup as setup_devices
from tl_jax.run.settings.config import Config
from tl_jax.run.settings.forms import NUMBERS
from tl_jax.run.settings.settings import settings
from tl_jax.run.store.lock import locked

DEFAULTS = Config(kind="transductive", steps=200, batch_size=32)
KEPT = (*SHARED, "steps", "pretrain_steps", "eval_every", "select")
SAYS = {
    "source": f"Repeatable. Labelled domain: {SPECS}.",
    "target": f"Domain of the same classes: {SPECS}.",
    "steps": "The budget of every row, in steps.",
    "pretrain_steps": "Of these, what a model takes that others begin from; 0 is half of them.",
    "eval_every": "Steps between evaluations and checkpoints; 0 is a quarter of a run.",
}
KNOWN = list(dict.fromkeys(name for _, found, _ in SORTS for name in found))
flags.DEFINE_multi_string("row", list(ROWS), f"Repeatable. Method, strategy, or call of one: {names(KNOWN)}.")
flags.DEFINE_string("labels", f"{NONE},1,5,{ALL}", "Labels a class of the target, a column each; all is every one.")
flags.DEFINE_string("lams", "0.3,3", "Trade-offs lambda of the joint rows.")
flags.DEFINE_string("dir", "", "Where the table and its runs are kept. Default: a directory under runs/.")
asked = define(DEFAULTS, [name for name in settings(Config) if name not in KEPT], SAYS)


def main() -> None:
    """Flags to runs to a table."""
    if FLAGS.run_dir or FLAGS.list_params:
        raise UserError("--run_dir and --list_params are of a single run: leave them out; --dir names the table's.")
    alone()
    base = asked()
    base = dataclasses.replace(base, pretrain_steps=base.pretrain_steps or base.steps // 2)
    labels = tuple(part.strip() for part in FLAGS.labels.split(","))
    todo = Asked(base, tuple(FLAGS.row), labels, NUMBERS.read("lams", FLAGS.lams))
    check(todo)
    setup_devices(FLAGS.platform, FLAGS.devices)
    how = dataclasses.replace(options(), quiet=True, pictures=False)
    root = Path(FLAGS.dir) if FLAGS.dir else _default_dir(base)
    work.refuse_foreign(root)
    todo, place = work.settled(todo, how, root)
    found = rows(todo, place)
    parts = work.parts_of(found)
    work.check(parts, place, how)
    if FLAGS.dry_run:
        print("\n".join([f"{root}: {len(found)} rows, {len(parts)} runs", *(f"  {part.name}" for part in parts)]))
        print("Nothing was run or written.")
        return
    with machine_faults(root), locked(root):
        if not work.do(todo, found, place, how, lambda line: print(line, flush=True)):
            raise SystemExit(130)
        print("\n" + written(read(found, labels, place), todo, place))


def _default_dir(base: Config) -> Path:
    return default_run_dir(dataclasses.replace(base, kind="benchmark"))
