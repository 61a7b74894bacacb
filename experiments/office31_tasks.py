"""Office-31, amazon and webcam as two domains each with its own task, on features of MobileNetV2.

    TL_JAX_DATA=DIR python -m experiments.office31_tasks     # writes the page below

DIR holds office31 and weights/mobilenet_v2_1.0_224_imagenet.safetensors. The network's 1280 features of every image
(shorter side 256, centre 224) are computed once and kept in the run directory: the pretrained network is frozen. The
trunk that the tasks share is one layer on them. The weight decay is tuned for every strategy and for every task alone.
"""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from experiments.tuned import chosen_table
from tl_jax import Domain, Examples, fit_tasks
from tl_jax.core.batching import in_batches
from tl_jax.core.errors import UserError
from tl_jax.data.load import load
from tl_jax.models import pretrained
from tl_jax.models.conv import conv_form
from tl_jax.models.networks import build
from tl_jax.run.rundir import write_arrays
from tl_jax.training.state import accepting_bytes

DOMAINS = ("office31/amazon", "office31/webcam")
WEIGHTS = "weights/mobilenet_v2_1.0_224_imagenet.safetensors"
STRATEGIES = ("single", "equal", "uncertainty", "gls", "famo", "pcgrad", "cagrad", "nash_mtl", "upgrad")
SETTINGS = {
    "network": "mlp(hidden=(256,), dropout=0.5, bottleneck=0)",
    "forward_plan": "per_domain",
    "steps": 200,
    "lr": 1e-3,
    "batch_size": 32,
    "eval_every": 100,
    "seeds": (0, 1, 2),
}
DECAYS = (0.01, 1.0)
RUN = Path("runs/office31_tasks")
PAGE = Path("docs/results/office31_tasks.md")
COMMAND = "TL_JAX_DATA=DIR python -m experiments.office31_tasks"


def features(name: str) -> Domain:
    """The domain with 1280 features in the place of its images, computed at the first call."""
    images = load(f"{name}?size=224&resize=256", "")
    kept = RUN / f"features-{name.replace('/', '-')}.npz"
    if not kept.exists():
        network = accepting_bytes(
            build(("mobilenet_v2", {"tf": True, "bottleneck": 0}), 2, form=conv_form(jax.default_backend(), False))
        )
        params, stats = jax.jit(network.init)(jax.random.key(0), images.train.x[:2])
        params, stats, _ = pretrained.load(f"{os.environ['TL_JAX_DATA']}/{WEIGHTS}", params, stats)
        apply = jax.jit(lambda x: in_batches(lambda part: network.apply(params, stats, part)[0].features, x, 32))
        write_arrays(kept, {part: np.asarray(apply(jnp.asarray(e.x))) for part, e in images.splits.items()})
    with np.load(kept) as file:
        parts = [Examples(file[part], examples.y) for part, examples in images.splits.items()]
    return Domain(name, images.classes, *parts)


def main() -> None:
    """Run (or resume) and write the page."""
    if "TL_JAX_DATA" not in os.environ:
        raise UserError("This experiment reads Office-31: set TL_JAX_DATA to the folder that holds it.")
    tasks = [features(name) for name in DOMAINS]
    result = fit_tasks(tasks, STRATEGIES, sweep={"weight_decay": DECAYS}, run_dir=str(RUN / "run"), **SETTINGS)
    if not result.complete:
        raise SystemExit(130)
    table = chosen_table(result.records, "weight_decay", {**SETTINGS, "source": DOMAINS}).markdown()
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    text = f"# Office-31: amazon and webcam as two tasks\n\nWritten by `{COMMAND}`.\n\n{table}"
    PAGE.write_text(
        text + "\nThe examples are 1280 features of MobileNetV2 (ImageNet, frozen), 70 / 10 / 20 % a class.\n"
    )


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"tl_jax: {error}") from None
