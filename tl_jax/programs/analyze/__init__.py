"""One page about a run, finished or not: what it is, how it went, where it errs, what to try.

In: a run directory of a kind that predicts; its data where they can be read again.
Out: one HTML page that needs no network and no script, and its numbers as values.

`analyze.py` is the way in. `measured/` brings the run together and finds its numbers, a `Numbers` a job. `words.py`
says them in words, each sentence by a rule; `figures.py` draws, `parts.py` writes the sections, `page.py` the page
around them; `watched.py` has both, sections and words, of discriminators and pseudo-labels.

The rule of the room: a word rests on a number that the page shows, and what reads target labels is marked as such. What
is not there costs a line, and never the page.

Open first: `measured/found.py`.
"""
