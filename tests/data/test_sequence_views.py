"""Views of sound, text, series and vectors: padding stays, words are only dropped or moved, sizes are as said."""

import jax
import numpy as np
import pytest

from tl_jax.data.views.augment import augment

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
N = 40


def padded(x, used=3):
    """The last quarter of every example is padding."""
    x = x.copy()
    x[:, used * x.shape[1] // 4 :] = 0
    return x


TIME = np.arange(800)
TONE = (8000 * np.sin(2 * np.pi * TIME * 0.05)[None] * np.ones((N, 1))).astype(np.int16)
DATA = {
    "sound": padded(RNG.normal(0, 3000, (N, 800)).astype(np.int16)),
    "text": padded(RNG.integers(1, 1000, (N, 24)).astype(np.int32)),
    "series": padded(RNG.normal(2, 1, (N, 20, 3)).astype(np.float32)),
    "vector": RNG.normal(size=(N, 50)).astype(np.float32),
}
CASES = [(kind, view) for kind in DATA for view in ("weak", "strong")]
VIEW = {view: jax.jit(lambda key, x, view=view: augment(view, key, x)) for view in ("none", "weak", "strong")}


@pytest.mark.parametrize(("kind", "view"), CASES)
def test_a_view_keeps_shape_and_type_and_depends_on_its_key_and_example(kind, view):
    x = DATA[kind]
    plain, one, other = VIEW["none"](KEY, x), VIEW[view](KEY, x), VIEW[view](jax.random.key(1), x)
    assert (one.shape, one.dtype) == (plain.shape, plain.dtype)
    assert np.isfinite(one).all()
    np.testing.assert_array_equal(VIEW[view](KEY, x), one)
    assert (np.asarray(one != other).reshape(N, -1).any(1)).mean() > 0.8
    assert len(np.unique(np.asarray(VIEW[view](KEY, np.repeat(x[:1], N, axis=0))).reshape(N, -1), axis=0)) > N // 2
    changed = x.copy()
    changed[3] = x[4]
    np.testing.assert_array_equal(np.delete(VIEW[view](KEY, changed), 3, 0), np.delete(one, 3, 0))


@pytest.mark.parametrize(("kind", "view"), CASES)
def test_nothing_stays_nothing(kind, view):
    assert not np.asarray(VIEW[view](KEY, np.zeros_like(DATA[kind]))).any()


@pytest.mark.parametrize("view", ["weak", "strong"])
def test_padding_stays_padding(view):
    for kind in ("text", "series"):
        x = DATA[kind]
        assert not np.asarray(VIEW[view](KEY, x))[:, 3 * x.shape[1] // 4 :].any()
    # A delay moves the end of a sound, by a tenth of its length at most.
    sound = np.asarray(VIEW[view](KEY, DATA["sound"]))
    assert not sound[:, 661:].any()
    assert sound[:, 500:600].any(1).all()


def test_weak_sound_is_a_delayed_and_scaled_copy():
    x = np.asarray(VIEW["none"](KEY, DATA["sound"]))
    gains, delays = [], []
    for given, view in zip(x, np.asarray(VIEW["weak"](KEY, DATA["sound"])), strict=True):
        score = [given[100:500] @ view[100 + by : 500 + by] for by in range(-80, 81)]
        by = int(np.argmax(np.abs(score))) - 80
        gain = score[by + 80] / (given[100:500] @ given[100:500])
        np.testing.assert_allclose(view[100 + by : 500 + by], gain * given[100:500], atol=1e-5)
        gains, delays = [*gains, gain], [*delays, by]
    assert 0.5 <= min(gains) < 0.8
    assert 1.3 < max(gains) <= 2
    assert min(delays) < -20
    assert max(delays) > 20
    assert max(map(abs, delays)) <= 60


def test_strong_sound_silences_a_span_and_leaves_a_tone_over_noise():
    view = np.asarray(VIEW["strong"](KEY, TONE))
    longest = [max(map(len, "".join("0" if v == 0 else "1" for v in row[80:720]).split("1"))) for row in view]
    assert np.max(longest) > 60
    assert np.max(longest) <= 0.2 * 800 + 2
    peak = np.abs(np.fft.rfft(view)).argmax(1)
    assert (np.abs(peak - 40) <= 2).mean() > 0.6  # unless the band mask took it


@pytest.mark.parametrize(("view", "rate"), [("weak", 0.1), ("strong", 0.3)])
def test_words_are_dropped_at_the_rate_and_never_made_up(view, rate):
    x, seen = DATA["text"], np.asarray(VIEW[view](KEY, DATA["text"]))
    for given, kept in zip(x, seen, strict=True):
        assert set(kept[kept != 0]) <= set(given)
        np.testing.assert_array_less(
            np.bincount(kept[kept != 0], minlength=1000), np.bincount(given, minlength=1000) + 1
        )
    gone = 1 - (seen != 0).sum() / (x != 0).sum()
    assert abs(gone - rate) < 0.06
    kept_in_place = (seen[seen != 0] == x[seen != 0]).mean()
    assert kept_in_place == 1 if view == "weak" else 0.6 < kept_in_place < 0.95
    # A text of one word keeps it.
    single = np.zeros((N, 6), np.int32)
    single[:, 2] = 7
    assert (np.asarray(VIEW[view](KEY, single)).sum(1) == 7).all()


def test_noise_and_scaling_of_series_have_the_sizes_they_say():
    x = np.zeros((N, 400, 2), np.float32)
    x[:, :300] = RNG.normal(5, 2, (N, 300, 2))
    view = np.asarray(VIEW["weak"](KEY, x))[:, :300]
    scale = (view * x[:, :300]).sum(1) / np.square(x[:, :300]).sum(1)
    assert abs(scale.std() - 0.1) < 0.03
    noise = view - scale[:, None] * x[:, :300]
    np.testing.assert_allclose(noise.std() / 2, 0.03, rtol=0.1)
    strong = np.asarray(VIEW["strong"](KEY, x))[:, :300]
    flat = (np.abs(np.diff(strong, axis=1)) < 1e-6).all(2).mean(1)
    assert 0.1 < flat.max() <= 0.2
    assert flat.mean() > 0.05


def test_noise_and_dropout_of_vectors_have_the_sizes_they_say():
    x = np.ones((N, 500), np.float32) * 3
    np.testing.assert_allclose((VIEW["weak"](KEY, x) - x).std(), 0.15, rtol=0.05)
    strong = np.asarray(VIEW["strong"](KEY, x))
    np.testing.assert_allclose((strong == 0).mean(), 0.2, atol=0.02)
    np.testing.assert_allclose(strong.mean(), 3, rtol=0.02)
