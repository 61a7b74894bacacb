"""Office-31, amazon and webcam as two domains each with its own task, on features of MobileNetV2.

    TL_JAX_DATA=DIR python -m experiments.office31_tasks     # writes the page below

DIR holds office31 and weights/mobilenet_v2_1.0_224_imagenet.safetensors. The network's 1280 features of every image
(shorter side 256, centre 224) are computed once and kept: the pretrained network is frozen. The
trunk that the tasks share is one layer on them. The weight decay is tuned for every strategy and for every task alone.
"""

import dataclasses
from pathlib import Path

from experiments.office31 import DOMAINS, with_features
from experiments.page import finished, script, write
from experiments.tuned import chosen_table
from tl_jax import fit_tasks

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
PAGE = Path("docs/results/office31_tasks.md")
COMMAND = "TL_JAX_DATA=DIR python -m experiments.office31_tasks"


def main() -> None:
    """Run (or resume) and write the page."""
    tasks = [dataclasses.replace(with_features(name), name=f"office31/{name}") for name in DOMAINS]
    result = fit_tasks(tasks, STRATEGIES, sweep={"weight_decay": DECAYS}, run_dir="runs/office31_tasks", **SETTINGS)
    run = {**SETTINGS, "source": tuple(task.name for task in tasks)}
    table = chosen_table(finished(result).records, "weight_decay", run).markdown()
    note = "\nThe examples are 1280 features of MobileNetV2 (ImageNet, frozen), 70 / 10 / 20 % a class.\n"
    write(PAGE, "Office-31: amazon and webcam as two tasks", COMMAND, f"\n\n{table}{note}")


if __name__ == "__main__":
    script(main)
