"""Intervals, ranks and tests of a table, each against SciPy, a published table, or the formula written out."""

import math

import numpy as np
import pytest
from scipy import stats

from tl_jax.core.errors import UserError
from tl_jax.core.sealed import seal
from tl_jax.sweep.tables.compare import Sizes, compare, corrected_t, sizes_of
from tl_jax.sweep.tables.files import as_csv
from tl_jax.sweep.tables.pivot import Asked, pivot
from tl_jax.sweep.tables.ranks import friedman, ranked
from tl_jax.sweep.tables.render import Beside, table


def rows_of(scores: np.ndarray) -> list[dict]:
    """Scores [methods, pairs, seeds] as rows; NaN is a trial that diverged."""
    found = []
    for (m, pair, seed), score in np.ndenumerate(scores):
        end = {"diverged": "step 3"} if np.isnan(score) else {"last/target/accuracy": float(score)}
        place = {"method": f"m{m}", "pair": f"p{pair:02d}", "seed": seed, "digest": "d", "run_dir": "r"}
        found.append({**place, **end})
    return found


SCORES = np.random.default_rng(3).uniform(size=(4, 12, 5)) + np.arange(4)[:, None, None] / 8


def test_an_interval_is_that_of_students_t_over_the_seeds():
    pivoted = pivot(rows_of(SCORES[:1, :1]), Asked())
    low, high = stats.t.interval(0.9, 4, SCORES[0, 0].mean(), stats.sem(SCORES[0, 0]))
    (cell,) = pivoted.cells.values()
    assert cell.half_width(0.9) == pytest.approx((high - low) / 2)
    found = table(pivoted, Beside(level=0.9))
    assert found.cells[1][1] == f"{SCORES[0, 0].mean():.3f} ± {(high - low) / 2:.3f}"
    assert "half width of the 90 % confidence interval (Student's t over 5 seeds)" in found.note
    assert "half width of 0.9" in as_csv(pivoted, 0.9).splitlines()[0]
    assert pivot(rows_of(SCORES[:1, :1, :1]), Asked()).cells[("m0",), ("p00",)].half_width(0.9) is None


def test_ranks_are_means_over_columns_and_equal_rows_share_them():
    scores = np.array([[0.9, 0.5], [0.7, 0.5], [0.8, 0.1]])[:, :, None]
    found = ranked(pivot(rows_of(scores), Asked()))
    assert list(found.ranks.values()) == [1.25, 2.25, 2.5]
    errors = rows_of(scores)
    for row in errors:
        row["last/rmse"] = row.pop("last/target/accuracy")
    assert list(ranked(pivot(errors, Asked(score="last/rmse"))).ranks.values()) == [2.75, 1.75, 1.5]


def test_a_column_with_a_missing_or_diverged_trial_is_in_no_rank_and_in_no_average():
    scores = SCORES.copy()
    scores[1, 3, 2] = np.nan
    rows = [row for row in rows_of(scores) if (row["method"], row["pair"], row["seed"]) != ("m2", "p05", 0)]
    pivoted = pivot(rows, Asked())
    found = ranked(pivoted)
    assert found.left == [("p03",), ("p05",)]
    kept = np.delete(SCORES, [3, 5], axis=1).mean(-1)
    assert list(found.ranks.values()) == pytest.approx(stats.rankdata(-kept, axis=0).mean(1).tolist())
    shown = table(pivoted, Beside(ranked=found))
    assert shown.cells[2][-2:] == ["missing", f"{found.ranks['m1',]:.2f}"]
    assert (
        "mean over 10 columns, 1 is the best; left out, as some row has missing or diverged trials: p03; p05"
        in shown.note
    )
    assert "left out, as some row has missing" in friedman(pivoted).sentence.lower()


def test_friedman_is_scipys_and_the_critical_difference_that_of_the_published_table():
    pivoted = pivot(rows_of(SCORES), Asked())
    found = friedman(pivoted)
    means = SCORES.mean(-1)
    assert (found.statistic, found.p) == pytest.approx(tuple(stats.friedmanchisquare(*means)))
    ranks = stats.rankdata(-means, axis=0).mean(1)
    by_hand = 12 * 12 / (4 * 5) * (np.square(ranks).sum() - 4 * 25 / 4)
    assert found.statistic == pytest.approx(by_hand)
    assert found.critical == pytest.approx(2.569 * math.sqrt(4 * 5 / (6 * 12)), abs=1e-3)  # Demsar 2006, table 5
    assert "chi2(3) = " in found.sentence
    assert "rough" not in found.sentence


@pytest.mark.parametrize(("rows", "q"), [(3, 2.343), (5, 2.728), (10, 3.164)])
def test_nemenyis_quantiles_are_those_of_the_published_table(rows, q):
    scores = np.random.default_rng(0).uniform(size=(rows, 6, 1))
    found = friedman(pivot(rows_of(scores), Asked()))
    assert found.critical / math.sqrt(rows * (rows + 1) / 36) == pytest.approx(q, abs=1e-3)
    assert "fewer than 10 columns" in found.sentence


def test_groups_are_the_largest_that_the_critical_difference_does_not_tell_apart():
    scores = np.tile(np.arange(6.0)[:, None, None], (1, 12, 1))
    found = friedman(pivot(rows_of(scores), Asked()))
    assert found.critical == pytest.approx(2.18, abs=0.01)
    assert found.groups == [(1, 3), (2, 4), (3, 5), (4, 6)]
    same = friedman(pivot(rows_of(np.ones((3, 4, 1))), Asked()))
    assert (same.p, same.groups) == (1, [(2, 2)])
    assert "No difference" in same.sentence
    with pytest.raises(UserError, match="three rows over at least three columns; here are 2 rows and 12"):
        friedman(pivot(rows_of(SCORES[:2]), Asked()))


def test_the_corrected_t_test_is_its_formula_and_the_paired_one_where_nothing_is_shared():
    d = SCORES[0, 0] - SCORES[1, 0]
    t = d.mean() / math.sqrt((1 / 5 + 0.25) * d.var(ddof=1))
    assert corrected_t(d, 0.25) == pytest.approx(2 * stats.t.sf(abs(t), 4))
    assert corrected_t(d, 0) == pytest.approx(stats.ttest_rel(SCORES[0, 0], SCORES[1, 0]).pvalue)
    assert corrected_t(np.full(5, 0.1), 0.25) is None
    assert corrected_t(d[:1], 0.25) is None
    found = compare(pivot(rows_of(SCORES[:2, :1]), Asked()), "m1", Sizes(25, 100))
    assert found.p["m0",] == pytest.approx(2 * stats.t.sf(abs(t), 4))
    assert "Nadeau & Bengio 2003; 25 test, 100 training examples" in found.note
    assert compare(pivot(rows_of(np.ones((2, 1, 3)) * [[[1]], [[2]]]), Asked()), "m1", Sizes(1, 4)).shown(("m0",)) == (
        "3 pairs: no spread"
    )
    with pytest.raises(UserError, match="of the seeds of one column, here are 12"):
        compare(pivot(rows_of(SCORES), Asked()), "m1", Sizes(25, 100))


def test_the_sizes_of_the_splits_are_read_from_the_runs(tmp_path):
    split = lambda n: {"x": f"<f4 {n}x8 abc", "labels": f"<i4 {n} abc"}
    for name, n in (("a", 60), ("b", 60), ("c", 90)):
        (tmp_path / name).mkdir()
        domains = [{"name": "near", "train": split(7), "test": split(7)}, {"train": split(n), "test": split(33)}]
        (tmp_path / name / "contents.json").write_text(seal({"made": {"domains": domains}}))
    rows = [{"run_dir": str(tmp_path / name)} for name in "abc"]
    assert sizes_of(rows[:2], "corrected_t") == Sizes(33, 60)
    assert sizes_of(rows, "wilcoxon") is None
    for given, test, message in ((rows, "corrected_t", "several data sets"), (rows, "t", "Unknown test 't'")):
        with pytest.raises(UserError, match=message):
            sizes_of(given, test)
    (tmp_path / "a" / "contents.json").unlink()
    with pytest.raises(UserError, match="needs to know the splits' sizes"):
        sizes_of(rows, "corrected_t")
