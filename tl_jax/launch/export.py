"""A trained model as files for others: weights (safetensors), class names and preprocessing, a StableHLO program.

    tl-jax export runs/inductive-digits-printed-... --job=full
    tl-jax export RUN --job=full --naming=torchvision --out=/tmp/model

weights.safetensors has the names of torchvision, timm or Hugging Face if --naming says so, and loads with
--init_from; it is left out, with the reason, where a network with them is not the model (adapters, class means of unit
vectors). model.stablehlo is a jax.export with a free batch size: jax.export.deserialize(...).call(x); of several tasks
it gives {task: logits or values}.
"""

import json
from pathlib import Path

from absl import flags

from tl_jax.core.errors import UserError
from tl_jax.launch.flags import FLAGS, execution
from tl_jax.programs.trained.export import Choice, export

WORDS = True

flags.DEFINE_string("job", "", "Which method or strategy of the run, as in its table; needed if there are several.")
flags.DEFINE_integer("trial", 0, "Which of its trials, in the order of results.json.")
flags.DEFINE_string("naming", "plain", "Names of the weights: plain, or torchvision, timm, huggingface.")
flags.DEFINE_string("out", "", "Folder to write to. Default: RUN/export/JOB.")
execution("data_dir")


def main(*words: str) -> None:
    """A run directory."""
    if len(words) != 1:
        raise UserError(f"Name one run directory, not {len(words)}. --help shows examples.")
    root = Path(words[0])
    out = Path(FLAGS.out) if FLAGS.out else root / "export" / (FLAGS.job or "model")
    for path in export(root, Choice(FLAGS.job, FLAGS.trial, FLAGS.naming), out, FLAGS.data_dir):
        print(f"{path}: {path.stat().st_size:,} bytes")
    if why := json.loads((out / "model.json").read_text()).get("no weights because"):
        print(f"No weights.safetensors: {why}.")
