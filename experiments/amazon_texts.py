"""Amazon reviews as they were written, by a pretrained encoder whose trunk stays: the twelve pairs of four products.

    TL_JAX_DATA=... TL_JAX_MINILM=... python -m experiments.amazon_texts      # writes the page below

Under the data folder amazon_texts/{books,dvd,electronics,kitchen}/{positive,negative}.review, 1000 reviews each, are
those of Blitzer et al. 2007 (Biographies, Bollywood, Boom-boxes and Blenders) before they were counted. Features are
all-MiniLM-L6-v2's means over the words of a review's headline and text, computed once (a quarter of an hour of
processor time); a network with one hidden layer is trained on them. Nothing is tuned.
"""

import csv
import dataclasses
import itertools
import os
import re
import statistics
from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from experiments.page import finished, script, write
from tl_jax import Domain, Examples, fit
from tl_jax.core.errors import UserError
from tl_jax.core.files import write_atomically
from tl_jax.data.load import load
from tl_jax.data.spec import data_folder
from tl_jax.models.files import pretrained
from tl_jax.models.networks import build, network
from tl_jax.run.plan.words import in_pieces
from tl_jax.run.report.table import mean_std
from tl_jax.run.store.rundir import packed

PRODUCTS = ("books", "dvd", "electronics", "kitchen")
PAIRS = [*itertools.permutations(PRODUCTS, 2)]
METHODS = ("source_only", "dann", "cdan", "mcc", "shot", "target_only")
SEEDS = 5
LENGTH, STEP, BATCH = 256, 16, 32
"""Pieces of a review at most; lengths go in steps of so many, so that short texts cost less."""
REVIEW = re.compile(r"<title>(.*?)</title>.*?<review_text>(.*?)</review_text>", re.DOTALL)
RUNS = Path("runs/amazon_texts")
PAGE = Path("docs/results/amazon_texts.md")
COMMAND = "python -m experiments.amazon_texts"
ABOUT = """ Accuracy in per cent on 400 reviews of the target, at the last step, mean over {seeds} seeds (last row:
with the sample standard deviation of the mean over the pairs); labelled are 1400 reviews of the source, 1400 of the
target are seen without labels. Features: all-MiniLM-L6-v2, the first {length} word pieces of headline and text, mean
over them, the trunk unchanged; then `mlp(hidden=(256,), dropout=0.5)`, 300 steps, the other settings the defaults of
`python -m launch.transductive`. `target_only` has the target's labels. Without a network and without the target:
`logistic` is logistic regression on the same features, `counts` the one (C = 10) on hashed words and pairs of words of
the whole review. The reviews are those of Blitzer et al. 2007.

DANN on counts of words is published at 76.3 in the mean of the twelve pairs (other splits): the trunk as it is stays
under that. A trunk that is fine-tuned on the source (LoRA, 100 steps) has 86.0 without any adaptation:
[the other page](amazon_texts_tuned.md).

"""


def texts(product: str) -> Domain:
    """A product's reviews with their strings, split as any table is. Raises UserError where they are absent."""
    folder = Path(data_folder("")) / "amazon_texts" / product
    rows = []
    for label in ("negative", "positive"):
        file = folder / f"{label}.review"
        if not file.is_file():
            raise UserError(f"{file} is not there: the unprocessed reviews of the Multi-Domain Sentiment Dataset.")
        found = REVIEW.findall(file.read_text("latin-1"))
        rows += [(" ".join(f"{headline}. {text}".split()), label) for headline, text in found]
    RUNS.mkdir(parents=True, exist_ok=True)
    table = RUNS / f"{product}.csv"
    with table.open("w", newline="") as out:
        csv.writer(out).writerows([("review", "sentiment"), *rows])
    return load(f"csv:{table}?text=review&label=sentiment")


def encoder_folder() -> str:
    """Where all-MiniLM-L6-v2 is. Raises UserError where nobody says it."""
    if folder := os.environ.get("TL_JAX_MINILM", ""):
        return folder
    raise UserError("TL_JAX_MINILM names the folder of all-MiniLM-L6-v2; docs/networks.md says how to get it.")


def encoder(folder: str):
    """(what texts are read by, ids -> features of a published folder)."""
    recipe = network(f"minilm(from={folder!r}, length={LENGTH}, bottleneck=0)")()
    net = build(recipe, 2)
    shapes = jax.eval_shape(net.init, jax.random.key(0), jnp.zeros((1, 4), jnp.int32))
    params, stats, _ = pretrained.load(folder, *jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes))
    return recipe.pretrained, jax.jit(lambda ids: net.apply(params, stats, ids)[0].features)


def embedded(encode, ids: np.ndarray) -> np.ndarray:
    """float32 [n, 384] of ids [n, t]: batches of texts of like length, cut behind the longest of them."""
    lengths = (ids != 0).sum(1)
    order, out = np.argsort(lengths, kind="stable"), np.zeros((len(ids), 384), np.float32)
    for begin in range(0, len(ids), BATCH):
        rows = order[begin : begin + BATCH]
        width = min(ids.shape[1], -(-int(lengths[rows].max()) // STEP) * STEP)
        full = np.resize(ids[rows, :width], (BATCH, width))
        out[rows] = np.asarray(encode(full))[: len(rows)]
    return out


def features(product: str, folder: str) -> Domain:
    """A product's reviews as vectors, kept in the folder of the runs."""
    domain, kept = texts(product), RUNS / f"{product}.npz"
    if not kept.is_file():
        of, encode = encoder(folder)
        read = in_pieces(domain, of)
        write_atomically(kept, packed({split: embedded(encode, part.x) for split, part in read.splits.items()}))
    with np.load(kept) as found:
        parts = {split: Examples(found[split], part.y) for split, part in domain.splits.items()}
    plain = {"modality": "vector", "vocabulary": 0, "texts": {}, "notes": ()}
    return dataclasses.replace(domain, name=product, **plain, **parts)


def scores(source: Domain, target: Domain) -> dict[str, list[float]]:
    """{method: accuracy of every seed}. Raises SystemExit if the run was stopped."""
    result = fit(
        source,
        target,
        METHODS,
        network="mlp(hidden=(256,), dropout=0.5)",
        steps=300,
        eval_every=300,
        seeds=SEEDS,
        trials="vmap",
        keep="records",
        pictures=False,
        run_dir=str(RUNS / f"{source.name}-{target.name}"),
    )
    found: dict[str, list[float]] = {}
    for record in finished(result).records:
        last = record["selectors"]["last"]["target/accuracy"]
        found.setdefault(record["method"], []).append(100 * last)
    return found


def linear(source: Domain, target: Domain, strength: float) -> list[float]:
    """Per cent of the target's test examples by logistic regression on the source's, C = strength."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=strength, max_iter=1000).fit(source.train.x, source.train.y)
    return [100 * float(fitted.score(target.test.x, target.test.y))]


def counts(product: str) -> Domain:
    """A product's reviews as hashed words and pairs of words."""
    return load(f"csv:{RUNS / product}.csv?text=review&label=sentiment&form=counts")


def body(found: Mapping[tuple[str, str], Mapping[str, list[float]]]) -> str:
    """A row a pair, a column a method; under them their mean, with its spread over the seeds."""
    names = list(next(iter(found.values())))
    lines = ["| source, target | " + " | ".join(names) + " |", "|---" * (1 + len(names)) + "|"]
    for (a, b), by in found.items():
        lines.append(f"| {a}, {b} | " + " | ".join(f"{statistics.mean(by[name]):.1f}" for name in names) + " |")
    means = {name: np.mean([by[name] for by in found.values()], 0).tolist() for name in names}
    lines.append("| mean | " + " | ".join(mean_std(means[name], 1) for name in names) + " |")
    return "\n".join(lines)


def main() -> None:
    """Compute the features, run (or resume) the pairs and write the page."""
    folder = encoder_folder()
    read = {product: features(product, folder) for product in PRODUCTS}
    counted = {product: counts(product) for product in PRODUCTS}
    found = {
        (a, b): scores(read[a], read[b])
        | {"logistic": linear(read[a], read[b], 1.0), "counts": linear(counted[a], counted[b], 10.0)}
        for a, b in PAIRS
    }
    about = ABOUT.format(length=LENGTH, seeds=SEEDS)
    write(PAGE, "Amazon reviews by a pretrained encoder", COMMAND, f"{about}{body(found)}\n")


if __name__ == "__main__":
    script(main)
