"""Log-mel spectrograms against SciPy's short-time Fourier transform and triangles drawn one by one."""

import jax
import numpy as np
import pytest

from tl_jax.models.sound.mel import FLOOR, Frames, log_mel, mel_filters, normalised, valid_frames

FRAMES = Frames(8000, 200, 80, 20)
RNG = np.random.default_rng(0)


def test_filters_are_triangles_between_neighbouring_edges():
    mel = lambda f: 2595 * np.log10(1 + f / 700)
    edges = [700 * (10 ** (mel(4000) * i / 21 / 2595) - 1) for i in range(22)]
    want = np.zeros((129, 20))
    for k in range(20):
        want[:, k] = np.interp(np.arange(129) * 8000 / 256, edges[k : k + 3], [0, 1, 0], 0, 0)
    np.testing.assert_allclose(mel_filters(FRAMES), want, atol=1e-5)


def test_spectrogram_is_that_of_scipy():
    signal = pytest.importorskip("scipy.signal")
    x = RNG.normal(0, 0.1, (3, 1000)).astype(np.float32)
    _, _, z = signal.stft(
        x, window=signal.get_window("hann", 200), nperseg=200, noverlap=120, nfft=256, boundary=None, padded=False
    )
    power = np.abs(z * 100) ** 2  # SciPy divides by the window's sum
    want = np.log(FLOOR + np.einsum("nft,fk->ntk", power, mel_filters(FRAMES)))
    got = jax.jit(log_mel, static_argnums=1)(x, FRAMES)
    assert got.shape == (3, 11, 20)
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3)


def test_a_tone_is_loudest_in_the_band_around_it():
    x = np.sin(2 * np.pi * 1000 * np.arange(800) / 8000).astype(np.float32)[None]
    peaks = mel_filters(FRAMES).argmax(0) * 8000 / 256
    best = np.asarray(log_mel(x, FRAMES))[0].argmax(1)
    assert np.abs(peaks[best] - 1000).max() < 150


def test_sound_shorter_than_a_window_is_one_frame():
    assert log_mel(np.ones((2, 50), np.float32), FRAMES).shape == (2, 1, 20)
    assert valid_frames(np.ones((2, 50), np.float32), FRAMES).tolist() == [[1], [1]]


def test_frames_that_reach_into_the_padding_do_not_count():
    x = np.zeros((3, 1000), np.float32)
    x[0, :360], x[1, :359] = 1, 1
    assert valid_frames(x, FRAMES).sum(1).tolist() == [3, 2, 1]
    assert valid_frames(np.ones((1, 1000), np.float32), FRAMES).sum() == 11


def test_bands_have_mean_zero_and_variance_one_over_their_own_frames():
    x, mask = RNG.normal(3, 2, (2, 9, 4)).astype(np.float32), np.ones((2, 9), np.float32)
    mask[1, 5:] = 0
    got = np.asarray(normalised(x, mask))
    for i, n in ((0, 9), (1, 5)):
        part = x[i, :n]
        np.testing.assert_allclose(got[i, :n], (part - part.mean(0)) / part.std(0), rtol=1e-4, atol=1e-5)
    assert not got[1, 5:].any()


def test_silence_has_finite_values_and_gradients():
    def total(x):
        return normalised(log_mel(x, FRAMES), valid_frames(x, FRAMES)).sum()

    value, slope = jax.jit(jax.value_and_grad(total))(np.zeros((1, 500), np.float32))
    assert np.isfinite(value)
    assert np.isfinite(slope).all()
