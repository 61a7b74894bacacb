"""What a person sees of a run.

In: records of results, arrays of features and learning curves, progress.
Out: text tables (also as Markdown), pictures, lines and a bar while a run goes on.

`reporter.py` speaks during the run and hears that it is to stop. `table.py` is a table as text, with the words that
all tables share (mean ± spread over seeds). `plots.py` draws learning curves, samples and features, `projection.py`
brings features into the plane.

Which rows and figures there are is decided by a kind of transfer (tl_jax/kinds); here is only how they look. A picture
that fails costs a line and never the run.

Open first: `table.py`.
"""
