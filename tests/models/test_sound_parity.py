"""Networks for sound agree with transformers: made there small with random weights, saved, heard here from raw waves.

Skipped where PyTorch or transformers is not installed. Each padded wave is compared with itself alone: published
networks whose convolutions are normalised over time have no mask for padding, and here it changes nothing.
"""

import jax
import numpy as np
import pytest

from tl_jax.models.files.pretrained import load
from tl_jax.models.networks import build, network

SMALL = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 50}
STEPS = {**SMALL, "conv_dim": (8,) * 7, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 4}
LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
SECOND = {
    "d_model": 24, "encoder_layers": 2, "encoder_attention_heads": 3, "encoder_ffn_dim": 50, "decoder_layers": 1,
    "decoder_attention_heads": 2, "decoder_ffn_dim": 8, "vocab_size": 20, "max_source_positions": 50, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
}  # fmt: skip
CASES = {
    "base": ("wav2vec2", "Wav2Vec2", STEPS, {}),
    "large": ("wav2vec2", "Wav2Vec2", STEPS | LARGE, {}),
    "hubert": ("hubert", "Hubert", STEPS | {"feat_proj_layer_norm": False}, {}),
    "hubert large": ("hubert", "Hubert", STEPS | LARGE, {"do_normalize": False}),
    "whisper": ("whisper_encoder", "Whisper", SECOND | {"num_mel_bins": 80}, {"chunk_length": 1}),
    "whisper v3": (
        "whisper_encoder",
        "Whisper",
        SECOND | {"num_mel_bins": 128},
        {"chunk_length": 1, "feature_size": 128},
    ),
    "ast": ("ast", "AST", SMALL | {"max_length": 98}, {"max_length": 98}),
}
EXTRACTORS = {"Hubert": "Wav2Vec2"}
LENGTHS = (15000, 9000, 3001)


def told(case, folder):
    """Each wave alone through transformers: the waves, the states of each."""
    torch = pytest.importorskip("torch", reason="torch is not installed: nothing to compare with")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: nothing to compare with")
    _, kind, config, hears = CASES[case]
    torch.manual_seed(0)
    model = getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**config)).eval()
    for parameter in model.parameters():  # as published ones are: no bias is 0, no scale 1
        torch.nn.init.normal_(parameter, 0.3 * (parameter.ndim == 1), 0.3)
    extract = getattr(transformers, f"{EXTRACTORS.get(kind, kind)}FeatureExtractor")(**hears)
    for part in (model, extract):
        part.save_pretrained(folder)
    if case == "hubert":
        renamed(folder)
    encoder = model.encoder if kind == "Whisper" else model
    x, want = np.zeros((len(LENGTHS), max(LENGTHS)), np.float32), []
    for row, length in zip(x, LENGTHS, strict=True):
        row[:length] = np.random.default_rng(length).normal(0, 0.1, length)
        (heard,) = extract(row[:length], sampling_rate=16000, return_tensors="pt").values()
        with torch.no_grad():
            want.append(encoder(heard).last_hidden_state[0].numpy())
    return x, want


def renamed(folder):
    """The weight norm as files of before PyTorch 2 name it."""
    from safetensors.numpy import load_file, save_file

    old = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    arrays = load_file(f"{folder}/model.safetensors")
    assert sum(name.endswith(tuple(old)) for name in arrays) == 2
    for new, was in old.items():
        arrays = {name.replace(new, was): a for name, a in arrays.items()}
    save_file(arrays, f"{folder}/model.safetensors")


@pytest.mark.filterwarnings("ignore:At least one mel filter")
@pytest.mark.parametrize("case", CASES)
def test_hidden_states_of_raw_waves_are_those_of_transformers(case, tmp_path):
    x, want = told(case, tmp_path)
    recipe = network(f"{CASES[case][0]}(from={str(tmp_path)!r}, bottleneck=0)")()
    net = build(recipe, 2)
    shapes = jax.eval_shape(net.init, jax.random.key(0), x)
    zeros = jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes)
    params, stats, report = load(str(tmp_path), *zeros)
    seen: dict = {}
    net.apply(params, stats, x, after=lambda path, y: (seen.setdefault(path, y), y)[1])
    got = seen.get("backbone/norm", seen["backbone/block2"])
    for states, alone in zip(got, want, strict=True):  # the first fills the array, the others are padded
        np.testing.assert_allclose(states[: len(alone)], alone, atol=1e-4)
    assert {path.split(".")[0] for path in report.unused} <= {"masked_spec_embed", "decoder"}
    assert report.naming in ("huggingface", "transformers", "hubert")
