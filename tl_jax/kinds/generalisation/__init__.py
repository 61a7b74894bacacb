"""Domain generalisation: several labelled domains, tested on one that nothing was given of.

In: a config with several sources, a target that is met in the test alone, and methods of `GENERALISATION`.
Out: accuracy (R2 of values) on the target's test split, a row a method, beside empirical risk minimisation (`erm`),
which joins the sources and does nothing more.

`kind.py` is the way in, and all there is: what is stored, chosen and tabulated is the predicting kinds'.
A step is chosen by the sources' validation splits; a criterion that looks at the target's examples is refused.

Open first: `kind.py`. Beside `transductive/kind.py` it shows what a kind decides: jobs, settings that say nothing
to it, how a row is remarked on.
"""
