"""Published networks for sound without PyTorch: rates, spectrograms against NumPy, padding, names, messages."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from published import SOUND, sounding
from quick import QUICK

from tl_jax.core.errors import UserError
from tl_jax.core.trees import flatten
from tl_jax.models.files.pretrained import load, save
from tl_jax.models.names import NAMINGS
from tl_jax.models.networks import build, network
from tl_jax.models.sound.published_mel import kaldi_mel, whisper_mel
from tl_jax.models.sound.waves import at_rate, counted, frames, least, standard

WINDOWS = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))
RNG = np.random.default_rng(0)
WAVE = RNG.normal(0, 0.1, 1700).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 44100])
def test_a_wave_is_resampled_as_scipy_does_it_alone(rate):
    signal = pytest.importorskip("scipy.signal")
    x = np.zeros((2, 1001), np.float32)
    x[0], x[1, :700] = RNG.normal(0, 0.1, 1001), RNG.normal(0, 0.1, 700)
    got, length = jax.jit(at_rate, static_argnums=1)(x, rate)
    common = np.gcd(rate, 16000)
    for row, have, samples in zip(np.asarray(got), np.asarray(length), (1001, 700), strict=True):
        want = signal.resample_poly(x[0 if samples == 1001 else 1, :samples], 16000 // common, rate // common)
        assert have == len(want)
        np.testing.assert_allclose(row[: len(want)], want, atol=1e-6)
        assert not row[len(want) :].any()


def test_rates_whose_ratio_has_no_short_form_are_refused():
    with pytest.raises(UserError, match=r"16000/16001.*too long a filter. wav:PATH\?rate=16000"):
        at_rate(jnp.ones((1, 9)), 16001)


def test_windows_steps_and_waves_are_counted_from_the_samples_there_are():
    x = np.arange(1, 8, dtype=np.float32)[None]
    assert frames(jnp.asarray(x), 5, 2, 3)[0].tolist() == [[1, 2, 3, 4, 5], [3, 4, 5, 6, 7], [5, 6, 7, 0, 0]]
    assert (least(WINDOWS), counted(jnp.array([0, 399, 400, 719, 720, 16000]), WINDOWS).tolist()) == (
        400,
        [1, 1, 1, 1, 2, 49],
    )
    got = np.asarray(standard(jnp.asarray([[3.0, 1.0, 2.0, 0.0]]), jnp.array([3])))
    np.testing.assert_allclose(got, [[1.5**0.5, -(1.5**0.5), 0, 0]], rtol=1e-5, atol=1e-6)


def triangles(at, edges):
    return np.stack([np.interp(at, edges[k : k + 3], [0, 1, 0], 0, 0) for k in range(len(edges) - 2)], axis=1)


def test_whisper_hears_slaney_s_bands_of_mirrored_windows_above_an_eighth_power_of_ten():
    mel = np.linspace(0, 15 + np.log(8) * 27 / np.log(6.4), 22)
    hertz = [200 * m / 3 if m < 15 else 1000 * 6.4 ** ((m - 15) / 27) for m in mel]
    filters = triangles(np.arange(201) * 40, hertz) * [2 / (b - a) for a, b in zip(hertz, hertz[2:], strict=False)]
    x = np.pad(WAVE.astype(np.float64), 200, mode="reflect")
    hann = np.sin(np.pi * np.arange(400) / 400) ** 2
    power = np.stack([np.abs(np.fft.rfft(x[160 * t :][:400] * hann)) ** 2 for t in range(10)])
    y = np.log10(np.maximum(power @ filters, 1e-10))
    want = (np.maximum(y, y.max() - 8) + 4) / 4
    np.testing.assert_allclose(jax.jit(whisper_mel, static_argnums=1)(WAVE[None], 20)[0], want, atol=1e-4)


def test_the_spectrogram_transformer_hears_as_kaldi_does():
    mel = lambda f: 1127 * np.log(1 + f / 700)
    filters = triangles(mel(np.arange(257) * 31.25), np.linspace(mel(20), mel(8000), 22))
    want = []
    for t in range(9):
        frame = WAVE[160 * t :][:400].astype(np.float64)
        frame = frame - frame.mean()
        frame = np.append(0.03 * frame[0], frame[1:] - 0.97 * frame[:-1]) * np.hanning(400)
        want.append(np.log(np.maximum(np.abs(np.fft.rfft(frame, 512)) ** 2 @ filters, 1.1920929e-07)))
    np.testing.assert_allclose(jax.jit(kaldi_mel, static_argnums=1)(WAVE[None], 20)[0], want, atol=1e-3)


@pytest.fixture(scope="module", params=SOUND)
def made(request, tmp_path_factory):
    """(the name, its folder, the network at 8000 Hz, its parameters)."""
    folder = sounding(tmp_path_factory.mktemp(request.param), request.param)
    net = build(network(f"{request.param}(from={str(folder)!r}, bottleneck=0, rate=8000, dropout=0.0)")(), 3)
    shapes = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 4000)))[0]
    return request.param, folder, net, shapes


def test_names_of_the_files_go_there_and_back_and_padding_changes_nothing(made, tmp_path):
    name, folder, net, shapes = made
    zeros = jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes)
    params, _, report = load(str(folder), zeros, {})
    assert not any((report.unused, report.missing, report.reinitialised))
    family = "wav2vec2" if name == "hubert" else name
    save(f"{tmp_path}/b.safetensors", params, {}, list(NAMINGS[family])[-1])
    again = flatten(load(f"{tmp_path}/b.safetensors", zeros, {})[0])
    for path, a in flatten(params).items():
        if name != "whisper_encoder" or not path.endswith("qkv/bias"):  # keys have no bias there
            np.testing.assert_array_equal(again[path], a)
    if name == "hubert":
        return  # as wav2vec2, and its programs take seconds to compile
    run = jax.jit(lambda params, x: net.apply(params, {}, x)[0].features, compiler_options=QUICK)
    x = np.zeros((3, 4000), np.float32)
    x[0, :3000], x[1, :3000] = RNG.normal(0, 0.1, (2, 3000))
    x[1, 2000:] = 0  # and the third is empty
    got, alone = run(params, x), run(params, x[:, :3000])
    np.testing.assert_allclose(got, alone, atol=1e-4)
    assert np.isfinite(got).all()
    assert np.abs(got[0] - got[1]).max() > 1e-3


@pytest.mark.parametrize("seconds", [1.1])
@pytest.mark.parametrize("name", ["whisper_encoder", "ast"])
def test_waves_longer_than_the_window_are_refused_with_the_cut(name, seconds, tmp_path):
    net = build(network(f"{name}(from={str(sounding(tmp_path, name))!r})")(), 3)
    with pytest.raises(UserError, match=r"Waves of 1.10 s: this network hears .* wav:PATH\?seconds="):
        jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, round(seconds * 16000))))


@pytest.mark.parametrize(
    ("file", "changed", "said"),
    [
        ("config.json", {"conv_pos_batch_norm": True}, "conv_pos_batch_norm True is of another network"),
        ("config.json", {"hidden_size": 9}, "a width of 9 does not divide among 2 heads"),
        ("config.json", {"num_conv_pos_embedding_groups": 3}, "does not divide among 3 groups of channels"),
        ("config.json", {"model_type": "hubert"}, r"Use --network='hubert\(from="),
        ("config.json", {"feat_extract_norm": "batch"}, "Unknown feat_extract_norm of wav2vec2 'batch'"),
        ("preprocessor_config.json", {"sampling_rate": 8000}, "hears 8000 samples a second; 16000 are known"),
    ],
)
def test_folders_of_other_networks_are_refused(file, changed, said, tmp_path):
    make = partial(network, f"wav2vec2(from={str(sounding(tmp_path, 'wav2vec2'))!r})")
    (tmp_path / file).write_text(json.dumps(json.loads((tmp_path / file).read_text()) | changed))
    with pytest.raises(UserError, match=said):
        make()()


def test_what_a_folder_lacks_and_what_it_says_already_is_named(tmp_path):
    folder = str(sounding(tmp_path, "wav2vec2"))
    with pytest.raises(UserError, match="leave out those of the call"):
        network(f"wav2vec2(from={folder!r}, width=16)")()
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(UserError, match=r"there is no preprocessor_config.json in this folder"):
        network(f"wav2vec2(from={folder!r})")()
