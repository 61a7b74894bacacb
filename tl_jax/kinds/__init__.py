"""The kinds of transfer: one folder each, and one line in `table.py`.

In: a config whose field `kind` names one.
Out: a run of that kind: `run(config, options, domains)`, or its setup: `prepare(config, options, domains)`.

A kind is a value (tl_jax/run/kind.py: `Kind`): its defaults, its methods, how it plans (`Planning`), what it observes
at an evaluation, how it scores that, its results, table and figures. `kind.py` of each folder makes that value, and
the files beside it hold what only this kind has. What the predicting kinds share is predicting/.

    transductive/  labelled sources, an unlabelled target of the same classes
    inductive/     a target with labels of its own, often few
    unsupervised/  nothing labelled; representations judged by protocols
    multitask/     several labelled tasks through one trunk
    generalisation/  several labelled sources; the target is met in the test alone
    test_time/     a source model and a stream that is predicted, then learnt from

Open first: `transductive/kind.py` (one page), then tl_jax/run/kind.py.
A kind knows no other kind, and nothing below this room asks for a kind's name: another one is a folder and a line
here.
"""
