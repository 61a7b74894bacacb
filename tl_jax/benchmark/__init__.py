"""Kinds of transfer side by side: one pair, one network, one budget of steps, several numbers of labels.

In: the names of rows (methods and strategies of any kind), a pair of domains, and how many labels a class.
Out: a table of what each kind reaches with them, what it costs, and a verdict with the test that it rests on; text,
Markdown, LaTeX, CSV and a picture.

`rows.py` says which runs a row is made of, each a run of its kind (tl_jax.kinds) in a directory of its own; `work.py`
does those that are not done; `stream.py` is test time, which has no kind. `costs.py` watches what a run takes.
`read.py` turns records into scores by row and number of labels, `verdict.py` compares them, `table.py` and `figure.py`
show them, `written.py` keeps them.

Open first: `rows.py`.
"""
