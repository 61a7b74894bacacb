"""Networks for waves, and how each of them hears.

In: waves [n, samples], 1 being full scale, zeros at their end being padding, and their rate.
Out: a `Recipe` whose module gives features [n, d].

`sound.py` is small and begins at random, on what `mel.py` makes of waves. `wav2vec2.py`, `whisper.py` and
`spectrogram.py` take a published folder (`published_sound.py`), waves at its rate (`waves.py`), and what the published
extractors make of them (`published_mel.py`); `encoder.py` has convolutions over time. Open first: `sound.py`.
"""
