"""From run directories to the tools in which others look at runs, after the fact and in one process.

In: rows of trials, as `sweep/tables/collect.py` gives them, and a place.
Out: every trial as one run of TensorBoard, MLflow or Weights & Biases: its settings, the metrics of every step, its
final results.

A trial has the same name each time (`trial.py`), so that exporting twice adds nothing, and exporting a run that went on
since replaces it. The packages are extras: nothing else imports them.

Open first: `trial.py`.
"""
