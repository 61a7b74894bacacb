"""The flags that the launch scripts share, and how they become a Config."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from tl_jax.core.errors import UserError
from tl_jax.core.schedules import LAM_SCHEDULES, LR_SCHEDULES
from tl_jax.data.match import LABEL_SPACES
from tl_jax.evaluation.criteria import CRITERIA
from tl_jax.kinds.table import kind_of, prepare, run
from tl_jax.models.networks import NETWORKS
from tl_jax.programs.preview import dry_run, parameters
from tl_jax.run.plan.config import PRECISIONS, STANDARDISE, Config, counted
from tl_jax.run.plan.devices import PLATFORMS
from tl_jax.run.plan.types import MODES, Options
from tl_jax.training.forward import PLANS
from tl_jax.training.optimizer import RULES

FLAGS = flags.FLAGS
DEFAULT = Config()
SPECS = "digits:NAME, folder:PATH, npz:PATH, csv:PATH, wav:PATH, tfds:NAME, mnist, ... (python -m launch.data list)"


def names(table) -> str:
    """A comma-separated list for a help text."""
    return ", ".join(table)


def define(default: Config, without: Sequence[str] = ()) -> None:
    """The flags of training, execution and output with a kind's defaults; its script defines others beside them.

    without: flags that say nothing to this kind.
    """
    unless = lambda make: lambda name, *rest: None if name in without else make(name, *rest)
    string, number, whole = map(unless, (flags.DEFINE_string, flags.DEFINE_float, flags.DEFINE_integer))
    several, truth = unless(flags.DEFINE_multi_string), unless(flags.DEFINE_bool)
    string(
        "network",
        default.network,
        f"Network or call, as in 'lenet(dropout=0.2)': {names(NETWORKS)}; auto: what suits the data.",
    )
    several(
        "method",
        list(default.methods),
        f"Repeatable. Method or call, as in 'mcc(temperature=2.0)': {names(kind_of(default).methods)}.",
    )
    string("init_from", "", "Weights to begin from: .safetensors or .npz, a folder with one, or a name on the hub.")
    several("allow_mismatch", [], "Repeatable. Glob of paths outside the head that may differ from them.")
    number("lam", None, "Trade-off lambda of L_S + lambda L_T. Default: each method's own.")
    string(
        "lam_schedule",
        None,
        f"How lambda moves over the run: {names(LAM_SCHEDULES)}. Default: each method's own.",
    )
    number("lr", default.lr, "Learning rate.")
    string("lr_schedule", default.lr_schedule, f"How it moves over the run: {names(LR_SCHEDULES)}.")
    number("weight_decay", default.weight_decay, "Decoupled weight decay, on matrices and kernels.")
    string("optimizer", default.optimizer, f"One of {names(RULES)}.")
    whole("batch_size", default.batch_size, "Examples of each domain in a step.")
    whole("steps", default.steps, "Training steps.")
    number("clip_norm", default.clip_norm, "Clip trained gradients to this global norm; 0 does not.")
    string(
        "labels_per_class",
        ",".join(map(str, default.labels_per_class)),
        "How many target examples of each class are labelled; several (1,2,5,10) are trials of one program. In "
        "transductive transfer they are one more source, also to a method that compares source and target.",
    )
    string(
        "label_space", default.label_space, f"How the target's classes relate to the source's: {names(LABEL_SPACES)}."
    )
    truth("balanced", default.balanced, "Draw classes equally often where labels are: of sources and labelled targets.")
    string("label_fraction", "", "The same as a share of each class, as in 0.15.")
    string("seeds", str(len(default.seeds)), "A count (3 means 0,1,2), or a list such as 4,7.")
    flags.DEFINE_multi_string(
        "sweep",
        [],
        "Repeatable. name=value,value,...: trials of one compiled program, crossed with the seeds.",
    )
    flags.DEFINE_multi_string(
        "freeze",
        [],
        "Repeatable, first match wins: 'pattern=frozen', 'pattern=0.1' (learning-rate factor), "
        "'pattern=frozen@300' (until step 300).",
    )
    string(
        "forward_plan",
        default.forward_plan,
        f"How the domains pass through batch normalisation: {names(PLANS)}.",
    )
    string(
        "standardise",
        default.standardise,
        f"On whose training examples the scale of vectors and series is fitted: auto, {names(STANDARDISE)}.",
    )
    string("precision", default.precision, f"Of the computation; parameters stay float32: {names(PRECISIONS)}.")
    string(
        "select",
        default.select,
        f"Label-free criterion that chooses the step: {names(CRITERIA)}; auto: im of classes, source_val of values.",
    )
    whole(
        "eval_every",
        default.eval_every,
        "Steps between evaluations and checkpoints; 0 is a tenth of the run.",
    )
    string(
        "run_dir",
        "",
        "Where the run is kept and resumed. Default: a directory under runs/ named by the configuration.",
    )
    truth("accept_changes", False, "Go on with a run whose data, weights or code have changed; its records say so.")
    string("data_dir", "", "Folder of the data sets that are not embedded.")
    flags.DEFINE_enum("platform", "auto", PLATFORMS, "Where to compute.")
    whole("devices", 0, "How many devices to use; 0 is all.")
    whole("device_bytes", 0, "Training sets that take more bytes stream; 0 is half of the device's memory.")
    whole("workers", 0, "Processes that read what streams; 0 reads in threads.")
    flags.DEFINE_enum(
        "trials",
        "auto",
        MODES,
        "Trials at once (vmap), one after the other (map), or as measured on this machine.",
    )
    flags.DEFINE_bool("list_params", False, "Print every parameter's path and whether it is trained, and stop.")
    flags.DEFINE_bool("dry_run", False, "Print what would be done, and stop.")


def config_fields() -> dict:
    """The flags of `define` that are fields of Config, read and checked."""
    plain = ("network", "lam", "lam_schedule", "lr", "lr_schedule", "weight_decay", "optimizer", "batch_size")
    more = (
        "init_from",
        "label_space",
        "steps",
        "clip_norm",
        "forward_plan",
        "standardise",
        "precision",
        "select",
        "eval_every",
        "balanced",
    )
    fields: dict[str, Any] = {name: getattr(FLAGS, name) for name in plain + more if name in FLAGS}
    fields |= {
        "seeds": _seeds(FLAGS.seeds),
        "sweep": tuple(_sweep(text) for text in FLAGS.sweep),
        "freeze": tuple(_rule(text) for text in FLAGS.freeze),
    }
    if "method" in FLAGS:
        fields["methods"] = tuple(FLAGS.method)
    if "allow_mismatch" in FLAGS:
        fields["allow_mismatch"] = tuple(FLAGS.allow_mismatch)
    for name, number in (("labels_per_class", int), ("label_fraction", float)):
        if name in FLAGS:
            fields[name] = _amounts(name, getattr(FLAGS, name), number)
    if fields.get("label_fraction") and not FLAGS["labels_per_class"].present:
        fields["labels_per_class"] = ()  # the default gives way to what was asked for
    return fields


def options() -> Options:
    """The flags that change no number."""
    return Options(
        FLAGS.run_dir,
        FLAGS.data_dir,
        FLAGS.devices,
        FLAGS.trials,
        device_bytes=FLAGS.device_bytes,
        workers=FLAGS.workers,
        accept_changes=FLAGS.accept_changes,
    )


def _seeds(text: str) -> tuple[int, ...]:
    try:
        values = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--seeds={text:.80}: give a count such as 3, or a list such as 4,7.") from None
    return counted(values[0]) if "," not in text else values


def _sweep(text: str) -> tuple[str, tuple[float, ...]]:
    name, _, values = text.partition("=")
    try:
        return name.strip(), tuple(float(v) for v in values.split(","))
    except ValueError:
        raise UserError(f"--sweep='{text}': write name=value,value,... with numbers, as in lam=0.1,0.3,1.") from None


def _amounts(name: str, text: str, number: Callable) -> tuple:
    try:
        return tuple(number(part) for part in text.split(",") if part)
    except ValueError:
        raise UserError(f"--{name}={text}: give a number, or several as in 1,2,5.") from None


def _rule(text: str) -> tuple[str, str]:
    pattern, _, action = text.rpartition("=")
    if not pattern or not action:
        raise UserError(f"--freeze='{text}': write pattern=frozen, pattern=0.1 or pattern=frozen@300.")
    return pattern, action


def train(config: Config, part: str = "") -> None:
    """Run a config, or show what would be run. Exits with 130 when the user stopped it.

    part: the folder of --run_dir, where that is given and this is one of several runs.
    """
    how = options()
    if how.run_dir:
        how = how._replace(run_dir=str(Path(how.run_dir) / part))
    if FLAGS.list_params or FLAGS.dry_run:
        setup = prepare(config, how, {})
        print(parameters(setup) if FLAGS.list_params else dry_run(setup))
    elif not run(config, how, {}).complete:
        raise SystemExit(130)
