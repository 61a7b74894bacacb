"""The table: what it averages, what it flags, what it refuses to print."""

import dataclasses
import statistics

from tl_jax.kinds.predicting import table as report
from tl_jax.kinds.transductive.reading import READING
from tl_jax.run.report.table import mean_std
from tl_jax.run.settings.config import Config


def record(method: str, seed: int, accuracy: float, **values: float) -> dict:
    chosen = {"step": 600, "target/accuracy": accuracy}
    return {
        "method": method,
        "seed": seed,
        "values": values,
        "selectors": dict.fromkeys(READING.selectors, chosen),
    }


BY = (READING, "accuracy")
CONFIG = Config(network="cnn", seeds=(0, 1))
RECORDS = [
    *(record("source_only", s, a) for s, a in enumerate((0.6, 0.7))),
    *(record("dann", s, a) for s, a in enumerate((0.5, 0.6))),
    *(record("mcc", s, a) for s, a in enumerate((0.9, 0.96))),
    *(record("target_only", s, a) for s, a in enumerate((0.98, 0.99))),
]


def test_mean_and_sample_standard_deviation():
    assert mean_std([0.9, 0.96]) == f"0.930 ± {statistics.stdev([0.9, 0.96]):.3f}"
    assert mean_std([0.5]) == "0.500"
    assert mean_std([]) == "-"


def test_bounds_and_negative_transfer_are_named():
    remarks = {row.method: row.remark for row in report.rows(CONFIG, RECORDS, {}, BY)}
    assert remarks["source_only"] == "lower bound"
    assert remarks["target_only"] == "upper bound (target labels)"
    assert remarks["dann"] == "NEGATIVE TRANSFER: 0.100 ± 0.000 under source_only"
    assert remarks["mcc"] == ""


def test_a_loss_within_its_own_spread_over_seeds_is_no_negative_transfer():
    ours = [record("mcc", s, a) for s, a in enumerate((0.5, 0.78))]  # by seed .10 under and .08 over
    (row,) = [row for row in report.rows(CONFIG, RECORDS[:2] + ours, {}, BY) if row.method == "mcc"]
    assert row.remark == "0.010 under source_only, within the spread of the seeds (0.127)"
    (row,) = [row for row in report.rows(CONFIG, RECORDS[:3], {}, BY) if row.method == "dann"]
    assert row.remark == "0.100 under source_only (one seed)"


def test_a_diverged_trial_is_counted_and_has_no_number():
    dead = {"method": "dann", "seed": 1, "values": {}, "diverged": "step 41: term 'grad_norm' is nan"}
    (row,) = [row for row in report.rows(CONFIG, [*RECORDS[:3], dead], {}, BY) if row.method == "dann"]
    assert row.scores["last"] == [0.5]
    assert row.remark.endswith("; 1 of 2 trials diverged: seed 1 at step 41: term 'grad_norm' is nan")
    (row,) = report.rows(CONFIG, [dead], {}, BY)
    assert "dann" in report.table(CONFIG, [dead], {}, BY).text()
    assert row.remark.startswith("1 of 1 trials diverged")


def test_without_the_lower_bound_nothing_is_flagged():
    assert report.rows(CONFIG, RECORDS[2:4], {}, BY)[0].remark == ""


def test_a_missing_method_has_no_number():
    table = report.table(CONFIG, RECORDS[:2], {"mcc": "stopped at step 300 of 600"}, BY).text()
    (line,) = [line for line in table.splitlines() if line.startswith("mcc")]
    assert line.split()[1:4] == ["-", "-", "-"]
    assert line.endswith("stopped at step 300 of 600")


def test_every_table_says_how_it_was_made():
    note = report.footnote(dataclasses.replace(CONFIG, select="im"), BY)
    for part in ("im, which sees no target label", "sample standard deviation over 2 seeds", "per_domain", "cnn"):
        assert part in note


def test_swept_values_have_rows_of_their_own():
    config = Config(seeds=(0,), sweep=(("lam", (0.1, 1.0)),))
    records = [record("mcc", 0, 0.8, lam=0.1), record("mcc", 0, 0.9, lam=1.0)]
    rows = report.rows(config, records, {}, BY)
    assert [(row.swept["lam"], row.scores["last"]) for row in rows] == [(0.1, [0.8]), (1.0, [0.9])]
    assert "| mcc | 0.1 | 0.800 |" in report.table(config, records, {}, BY).markdown()
