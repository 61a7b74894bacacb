"""One page about a run, finished or not: what it is, how it went, where it errs, what to try.

In: a run directory of a kind that predicts; its data where they can be read again.
Out: one HTML page that needs no network and no script, and its numbers as values.

`analyze.py` is the way in. `read.py` brings the run together: its jobs and what labels there are, of the data or, where
these cannot be read, of what the run kept. `evaluations.py` goes through a job's records one by one; `numbers.py` has
the numbers of predictions and features, `shares.py` those of the terms, `mistakes.py` the most certain mistakes. What
they find is a `Numbers` a job (`found.py`). `words.py` says it in words, each sentence by a rule of these numbers;
`figures.py` draws, `parts.py` writes the sections, `page.py` the page around them.

The rule of the room: a word rests on a number that the page shows, and what reads target labels is marked as such. What
is not there costs a line, and never the page.

Open first: `found.py`.
"""
