"""How a job runs here: on which devices, in which of two ways, from where, and what is done when it diverges.

In: a `Task` of the plan and the user's `Options`.
Out: an `Execution` (`execution.py`): its recipe, its data on the devices, the mode of its trials and why, and the
compiled programs that the loop calls.

The one way in is `execution(task, options, remembered)`. `calibration.py` measures whether trials are faster vmapped
or one after the other, once a machine and shape; `streaming.py` sends windows of sets that do not fit on the device;
`begin.py` says what a job begins from (a source model, a file of weights, features computed once); `divergence.py`
lets a trial that is no longer finite stand still while the others go on; `pace.py` agrees how many steps a dispatch
has.

Nothing here may change a number beyond rounding: what can is in the plan, and the mode that was chosen is kept with
the run, so that a resumed one agrees to the bit.

Open first: `execution.py`.
"""
