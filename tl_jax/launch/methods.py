"""The methods by name: family, paper, what each needs; with a name its equation and defaults.

tl-jax methods
tl-jax methods --family=adaptation --needs=memory
tl-jax methods dann mcc
"""

from absl import flags

from tl_jax.core.errors import require
from tl_jax.launch.flags import FLAGS
from tl_jax.programs.catalogue import FAMILIES, entries, table, told

WORDS = True
flags.DEFINE_string("family", "", f"Those of one family alone: {', '.join(FAMILIES)}.")
flags.DEFINE_string("needs", "", "Those alone that ask for this, as the table has it: memory, views, phases, ...")
flags.DEFINE_bool("values", False, "Those alone that work with labels that are numbers.")


def main(*names: str) -> None:
    """A table of all, or what is known of those that are named."""
    found = {entry.name: entry for entry in entries()}
    for name in names:
        require("method", name, list(found))
    if names:
        print("\n\n".join(told(found[name]) for name in names))
        return
    if FLAGS.family:
        require("family", FLAGS.family, list(FAMILIES))
    if FLAGS.needs:
        require("need", FLAGS.needs, sorted({need for entry in found.values() for need in entry.needs}))
    kept = [entry for entry in found.values() if FLAGS.family in ("", entry.family)]
    kept = [entry for entry in kept if not FLAGS.needs or FLAGS.needs in entry.needs]
    print(table([entry for entry in kept if entry.values or not FLAGS.values]).text())
