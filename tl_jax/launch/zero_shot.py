"""Classes by their names alone: the images of a domain beside prompts, by CLIP or SigLIP, without any training.

    tl-jax zero_shot --network='clip(from="PATH")' --target=folder:/data/shop --prompt='a photo of a {}'
    tl-jax zero_shot --network='siglip(from="PATH")' --target='folder:/data/shop?size=224' --prompts=prompts.txt
    tl-jax zero_shot --network='clip(from="PATH")' --target=folder:/data/new --classes=cat,dog --split=all

Several prompts are an ensemble: of each class the mean of its texts' features. Labels are not needed; where some are
known, accuracy, each class's share and the confusion matrix are printed. Writes zero_shot.json, zero_shot.md and
predictions.csv. With --captions=FILE.csv there are no classes: retrieval from texts to images and back, as a table.
"""

from pathlib import Path

from absl import flags

from tl_jax.core.errors import UserError, require
from tl_jax.core.printable import printable
from tl_jax.data.load import load
from tl_jax.launch.flags import FLAGS, SPECS, execution
from tl_jax.programs.cross_modal import cross_modal, table
from tl_jax.programs.zero_shot import SPLITS, Asked, lines, towers, write, zero_shot
from tl_jax.run.plan.devices import PLATFORMS
from tl_jax.run.plan.devices import setup as setup_devices

flags.DEFINE_string("network", "", "The two towers, as in 'clip(from=\"PATH\")' or 'siglip(from=\"PATH\", size=256)'.")
flags.DEFINE_string("target", "digits:handwritten", f"Domain of images: {SPECS}.")
flags.DEFINE_multi_string("prompt", [], "Repeatable. A text in which {} is the name of a class.")
flags.DEFINE_string("prompts", "", "File of prompts, one a line.")
flags.DEFINE_string(
    "classes", "", "Names of the classes in the domain's order: a list as in cat,dog, or a file, one a line."
)
flags.DEFINE_string("split", "test", f"Which examples: {', '.join(SPLITS)}; runs are judged on the test split.")
execution("run_dir", "data_dir")
flags.DEFINE_enum("platform", "auto", PLATFORMS, "Where to compute.")
flags.DEFINE_string("captions", "", "CSV with the columns example and caption: retrieval between images and captions.")
USUAL = "a photo of a {}"


def main() -> None:
    """Flags to a table and three files."""
    setup_devices(FLAGS.platform, 1)
    if not FLAGS.network:
        raise UserError("--network is needed: two towers, as in --network='clip(from=\"PATH\")'.")
    towers(FLAGS.network)  # before any data are read
    if FLAGS.captions:
        require("--split", FLAGS.split, SPLITS)
        target = load(FLAGS.target, FLAGS.data_dir)
        print(table(*cross_modal(target, FLAGS.network, FLAGS.captions, FLAGS.split)).text())
        return
    prompts = (*FLAGS.prompt, *(_lines("prompts", FLAGS.prompts) if FLAGS.prompts else ())) or (USUAL,)
    asked = Asked(FLAGS.network, prompts, FLAGS.split, _classes(FLAGS.classes))
    found = zero_shot(load(FLAGS.target, FLAGS.data_dir), asked)
    what = f"{len(found.y)} examples of {found.domain}, {len(prompts)} prompt{'s' * (len(prompts) > 1)}"
    said = [f"{FLAGS.network}: {what}", *found.notes, *lines(found)]
    print("\n".join(printable(line, lines=False) for line in [*said, f"written: {write(found, FLAGS.run_dir)}"]))


def _lines(flag: str, path: str) -> tuple[str, ...]:
    """The lines of a file that say something."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--{flag}={path} cannot be read: {error}") from None
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _classes(text: str) -> tuple[str, ...]:
    """The names of a list, or of a file."""
    if Path(text).is_file():
        return _lines("classes", text)
    return tuple(name.strip() for name in text.split(",") if name.strip())
