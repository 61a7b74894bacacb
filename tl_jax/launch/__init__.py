"""The command line: `tl-jax COMMAND --flags`, or from a checkout `python -m launch.COMMAND`.

In: flags, and files of a user's own code that they name.
Out: a run (or a program, or a look at data), an exit code, and one message where something is wrong.

`main.py` is the way in: it finds the command, a module beside it, or the name of a kind of transfer. `command.py` says
how every command ends: 0 done, 2 a mistake, 75 somebody has the run directory, 1 the machine's fault. `flags.py` makes
flags of the table of settings (run/settings/settings.py) and a `Config` of flags; `page.py` writes docs/settings.md
from the same.

Open first: `transductive.py`, then `command.py`.
"""
