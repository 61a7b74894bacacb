"""Transductive transfer: a labelled source, an unlabelled target.

    python -m launch.transductive
    python -m launch.transductive --source=digits:handwritten --target=digits:photo --method=source_only --method=dann
    python -m launch.transductive --method='cdan(entropy=True)' --sweep=lam=0.1,0.3,1 --seeds=5

Without flags: printed to handwritten digits, embedded, in about two minutes. Ends with a table and pictures in
the run directory. The same line again resumes a run that was stopped, or says that it is complete.
"""

from absl import flags

from launch.flags import DEFAULT, FLAGS, config_fields, define, launch, options
from tl_jax.run.config import Config
from tl_jax.run.devices import setup as setup_devices
from tl_jax.run.experiment import run
from tl_jax.run.preview import dry_run, parameters
from tl_jax.run.setup import prepare

SPECS = "digits:printed, digits:handwritten, digits:photo, tfds:NAME"
flags.DEFINE_multi_string("source", list(DEFAULT.source), f"Repeatable. Labelled domain: {SPECS}.")
flags.DEFINE_string("target", DEFAULT.target, "Domain whose training labels no method sees (but target_only).")
define()


def main() -> None:
    """Flags to config to run."""
    setup_devices(FLAGS.platform, FLAGS.devices)
    config = Config(kind="transductive", source=tuple(FLAGS.source), target=FLAGS.target, **config_fields())
    if FLAGS.list_params or FLAGS.dry_run:
        setup = prepare(config, options(), {})
        print(parameters(setup) if FLAGS.list_params else dry_run(setup))
        return
    result = run(config, options(), {})
    if not result.complete:
        raise SystemExit(130)


if __name__ == "__main__":
    launch(main, __doc__)
