"""Spoken digits of a speaker nobody has heard: the network of sound, each of six speakers left out in turn.

    TL_JAX_DATA=... python -m experiments.spoken_digits        # writes the page below

The Free Spoken Digit Dataset (Jackson et al. 2018), 500 recordings a speaker at 8 kHz, of which the first second is
heard. The labelled sources are five speakers, the target is the sixth, who is tested on all recordings. Network
`audio_cnn`, 600 steps of 8 of every speaker, two seeds, the other settings the defaults of
`python -m launch.transductive`; nothing is tuned.
"""

import dataclasses
import statistics
from pathlib import Path

from experiments.page import finished, script
from tl_jax import Domain, Examples, fit
from tl_jax.data.load import load

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
METHODS = ("source_only",)
SECOND = 8000
PAGE = Path("docs/results/spoken_digits.md")
COMMAND = "python -m experiments.spoken_digits"
ABOUT = """Accuracy in per cent on a speaker whose labels no method sees, at the last step, mean and sample standard
deviation over two seeds; the labelled sources are the five other speakers. Written by `{command}` from the 3000
recordings of the Free Spoken Digit Dataset. Logistic regression on principal components of log-mel spectra reaches
68.5 on average (george 32.4, lucas 52.8, nicolas 61.0, jackson 86.8, theo 88.4, yweweler 89.4). No published encoder
of speech (`wav2vec2`, `hubert`, `whisper_encoder`) was at hand: the network is trained from scratch."""


def heard(speaker: str) -> Domain:
    """The first second of a speaker's recordings; a few are longer, and most of their time would be padding."""
    whole = load(f"fsdd/{speaker}@all")
    return dataclasses.replace(whole, **{n: Examples(p.x[:, :SECOND], p.y) for n, p in whole.splits.items()})


def scores(speaker: str) -> dict[str, list[float]]:
    """{method: accuracy of every seed} on a speaker left out. Raises SystemExit if the run was stopped."""
    result = fit(
        [heard(other) for other in SPEAKERS if other != speaker],
        heard(speaker),
        METHODS,
        network="audio_cnn",
        steps=600,
        batch_size=8,
        seeds=2,
        eval_every=200,
        trials="map",
        run_dir=f"runs/spoken_digits/{speaker}",
    )
    found: dict[str, list[float]] = {method: [] for method in METHODS}
    for record in finished(result).records:
        found[record["method"]].append(100 * record["selectors"]["last"]["target/accuracy"])
    return found


def main() -> None:
    """Run (or resume) all six and write the page."""
    found = {speaker: scores(speaker) for speaker in SPEAKERS}
    cell = lambda values: f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"
    lines = ["| left out | " + " | ".join(METHODS) + " |", "|---" * (1 + len(METHODS)) + "|"]
    for speaker, by_method in found.items():
        lines.append(f"| {speaker} | " + " | ".join(cell(by_method[method]) for method in METHODS) + " |")
    seeds = {method: zip(*(by_method[method] for by_method in found.values()), strict=True) for method in METHODS}
    means = {method: [statistics.mean(one) for one in each] for method, each in seeds.items()}
    lines.append("| mean | " + " | ".join(cell(means[method]) for method in METHODS) + " |")
    PAGE.write_text("# Spoken digits, one speaker left out\n\n" + ABOUT.format(command=COMMAND) + "\n\n")
    with PAGE.open("a") as page:
        page.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    script(main)
