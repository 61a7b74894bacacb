"""Networks for texts, token ids and series of numbers.

In: token ids [n, t] int32, 0 being padding, or series [n, t, c].
Out: a `Recipe` whose module gives features [n, d]; padding changes none of them.

`text.py` and `series.py` begin at random. `bert.py` (with roberta, distilbert, minilm), `deberta.py` and
`modernbert.py` take sizes and weights of a published folder, and `tokens.py` its word pieces. Open first: `text.py`,
then `bert.py`.
"""
