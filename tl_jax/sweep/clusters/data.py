"""The data sets of a plan, read once before its tasks begin: decoded, or prepared where TFDS has to.

Exit codes are those of a worker: 0 done, 2 a mistake in one of them (the others are read all the same), 1 the machine's
fault. Jobs of SLURM's begin in any case after it: each says what is wrong with its own data.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from tl_jax.core.errors import MachineError, UserError, machine_faults
from tl_jax.data.check.prefetch import prefetch
from tl_jax.sweep.directory import Plan, SweepDirectory

EMBEDDED = "digits:"


def sets(plan: Plan) -> list[str]:
    """The specs of all runs that are not embedded in the package, each once."""
    specs = (spec for run in plan.runs for spec in (*run.config.source, run.config.target) if spec)
    return list(dict.fromkeys(spec for spec in specs if not spec.startswith(EMBEDDED)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the data sets of the sweep in a directory."""
    (root,) = sys.argv[1:] if arguments is None else arguments
    code = 0
    try:
        plan = SweepDirectory(Path(root)).plan()
    except UserError as error:
        print(f"tl_jax: {error}", flush=True)
        return error.code
    for spec in sets(plan):
        try:
            with machine_faults(spec):
                print(prefetch(spec, plan.options.get("data_dir", "")), flush=True)
        except (UserError, MachineError) as error:
            print(f"tl_jax: {spec}: {error}", flush=True)
            code = max(code, error.code)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
