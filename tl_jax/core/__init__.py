"""What every room exchanges, and holds no opinion about learning.

In: nothing of this package; a file here imports its neighbours at most.
Out: the values of a step (`types.py`: Batch, Output, Model, At, Network), the one error that is a message and no
traceback (`errors.py`), names that become objects (`calls.py`, `own_code.py`, `from_python.py`), files that are whole
or not there (`files.py`, `sealed.py`), parameter trees as flat dicts (`trees.py`), random keys by purpose (`keys.py`),
schedules as functions of progress (`schedules.py`), stored examples as floats and in patches (`inputs.py`), matrices
that are taken apart (`matrices.py`), several processes that are one run (`processes.py`).

There is no way in: each file stands alone and is named by what it holds.

Open first: `types.py`. `Unlabeled` has no label field, so a method cannot read the target's labels by mistake; the
rest of the house leans on that. Then `errors.py`: what a user can get wrong is a `UserError`, and what the machine can
get wrong a `MachineError`.
"""
