"""DINOv2 agrees with transformers at sizes of other images, with gated layers, and through five steps of fine-tuning.

Made there small with random weights, saved, and begun from by `from=`. Skipped where PyTorch or transformers is not
installed.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import tl_jax
from tl_jax.data.load import load as domain
from tl_jax.models.files.pretrained import load
from tl_jax.models.networks import build, network

SMALL = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 28, "patch_size": 7}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def made(kind, folder, **config):
    """A model of transformers with random weights, saved in a folder, and torch."""
    torch = pytest.importorskip("torch", reason="torch is not installed: nothing to compare with")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: nothing to compare with")
    torch.manual_seed(0)
    family = kind.removesuffix("Model").removesuffix("ForImageClassification")
    model = getattr(transformers, kind)(getattr(transformers, f"{family}Config")(**SMALL, **config)).eval()
    for name, parameter in model.named_parameters():  # as published ones are: no bias is 0, no scale 1
        torch.nn.init.normal_(parameter, 0.5 * ("norm" in name or "lambda" in name), 0.2)
    model.save_pretrained(folder)
    return torch, model


def ours(folder, x, classes=2, **arguments):
    said = "".join(f", {name}={value!r}" for name, value in arguments.items())
    net = build(network(f"dinov2(from={str(folder)!r}, bottleneck=0{said})")(), classes)
    params, stats = jax.jit(net.init)(jax.random.key(0), x)
    params, stats, report = load(str(folder), params, stats)
    assert {name.rpartition(".")[2] for name in report.unused} <= {"mask_token"}
    return net, params, stats


def theirs(x, torch):
    """Pixels in [-1, 1] on the scale that published weights expect."""
    scaled = ((x + 1) / 2 - np.array(MEAN)) / np.array(STD)
    return torch.tensor(scaled.transpose(0, 3, 1, 2), dtype=torch.float32)


@pytest.mark.parametrize("kind", ["Dinov2Model", "Dinov2WithRegistersModel"])
@pytest.mark.parametrize(("size", "gated"), [((28, 28), True), ((14, 35), False)])
def test_hidden_states_are_those_of_transformers(kind, size, gated, tmp_path):
    torch, model = made(kind, tmp_path, use_swiglu_ffn=gated)
    x = np.random.default_rng(0).uniform(-1, 1, (2, *size, 3)).astype(np.float32)
    with torch.no_grad():
        want = model(theirs(x, torch)).last_hidden_state.numpy()
    net, params, stats = ours(tmp_path, jnp.asarray(x))
    seen: dict = {}
    out, _ = net.apply(params, stats, jnp.asarray(x), after=lambda path, y: seen.setdefault(path, y))
    np.testing.assert_allclose(seen["backbone/norm"], want, atol=1e-4)
    np.testing.assert_allclose(out.features, want[:, 0], atol=1e-4)


CLASSES = ("ship", "truck")
STEPS, LR, DECAY = 5, 1e-3, 0.05


def pictures(folder):
    """A folder of 28 px pictures, one folder a class, of more than training takes."""
    rng = np.random.default_rng(0)
    for k, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for i in range(10):
            x = rng.integers(0, 120, (28, 28, 3)) + 100 * k * (np.arange(28) % 7 < 3)[:, None, None]
            Image.fromarray(x.astype(np.uint8)).save(folder / name / f"{i}.png")
    return f"folder:{folder}"


def losses_of_transformers(torch, model, x, y):
    """Five steps of AdamW on a whole set, decay on matrices and kernels alone."""
    plain = ("token", "position")
    parts = [
        [p for n, p in model.named_parameters() if (p.ndim > 1 and not any(w in n for w in plain)) == decayed]
        for decayed in (True, False)
    ]
    groups = [{"params": part, "weight_decay": decay} for part, decay in zip(parts, (DECAY, 0.0), strict=True)]
    optimizer, found = torch.optim.AdamW(groups, lr=LR), []
    for _ in range(STEPS):
        loss = torch.nn.functional.cross_entropy(model(theirs(x, torch)).logits, torch.tensor(y).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    return found


@pytest.mark.slow
def test_five_steps_of_fine_tuning_have_the_losses_of_transformers(tmp_path):
    torch, model = made("Dinov2ForImageClassification", tmp_path / "model", id2label=dict(enumerate(CLASSES)))
    spec = f"{pictures(tmp_path / 'pictures')}?size=28"
    seen = domain(spec).train
    settings = {"network": f"dinov2(from={str(tmp_path / 'model')!r}, bottleneck=0, pooling='both')", "steps": STEPS}
    settings |= {
        "lr": LR,
        "lr_schedule": "constant",
        "weight_decay": DECAY,
        "batch_size": len(seen.y),
        "eval_every": 1,
        "devices": 1,
    }
    result = tl_jax.fit(spec, spec, "source_only", seeds=1, quiet=True, pictures=False, **settings)
    lines = [json.loads(line) for line in (result.run_dir / "metrics.jsonl").read_text().splitlines()]
    want = losses_of_transformers(torch, model, seen.x.astype(np.float32) / 127.5 - 1, seen.y)
    np.testing.assert_allclose([line["source"] for line in lines], want, atol=1e-4)
    assert want[-1] < want[0] / 2
