"""What the kinds of transfer have in common that predict classes or values of a target.

In: matched sources and a target, and a kind's `Reading`: which selectors its table shows, its bounds, its footnote.
Out: a `Kind` but for its planning: what is stored, scored, chosen, tabulated and drawn.

`kind.py: predicting` is the way in. `plan.py` says which labels each job sees; `observe.py` stores logits at every
evaluation and computes last, selected and oracle afterwards, from what is stored; `scoring.py` says by which metric;
`table.py` makes rows (mean and spread over seeds, negative transfer); `predictions.py` writes predictions.csv;
`unscored.py` is what is shown where no target label is known; `interpolation.py` scores the way between two models.

The rule of the room: what is stored at an evaluation holds no target label, so what chooses a step cannot read one.

Open first: `observe.py`.
"""
