"""Inductive transfer: a labelled source or weights from a file, and a target with labels of its own, often few.

In: a config with strategies of fine-tuning, methods of `FINE_TUNING`, and how many labels a class.
Out: a row a strategy and number of labels, with the gain over training from scratch on the same labels.

`kind.py` is the way in; `jobs.py` crosses strategies (what moves) with methods (what is minimised). Each job but
`scratch` begins from a hidden one that trains the source once, for all strategies, seeds and label counts; with
--init_from there is none.

Selection may use the target's validation labels (`target_val`), since the target is labelled; the footnote says so.

Open first: `jobs.py`, for what becomes of a line with three strategies and four numbers of labels.
"""
