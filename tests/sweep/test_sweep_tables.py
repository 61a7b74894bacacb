"""From run directories to tables: what is chosen, what is refused, what is missing."""

import csv
import json

import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.core.sealed import seal
from tl_jax.run.settings.config import Config
from tl_jax.sweep.directory import Plan, SweepDirectory
from tl_jax.sweep.plan import Run
from tl_jax.sweep.tables.collect import collect, kept
from tl_jax.sweep.tables.compare import compare, holm
from tl_jax.sweep.tables.files import as_csv, keep_rows
from tl_jax.sweep.tables.origin import differing
from tl_jax.sweep.tables.pages import as_latex, as_markdown
from tl_jax.sweep.tables.pivot import Asked, pivot
from tl_jax.sweep.tables.render import table as shown
from tl_jax.sweep.tables.words import shortened

LAM = Asked(best=("lam",))
SCORE = "last/target/accuracy"


def record(method, seed, lam, score, accuracy, target="far", **more) -> dict:
    values = {"lr": 0.01} if lam is None else {"lam": lam, "lr": 0.01}
    last = {"step": 8, "target/accuracy": accuracy - 0.1}
    selected = {"step": 6, "target/accuracy": accuracy, "criterion": "im", "score": score}
    scored = {"selectors": {"last": last, "selected": selected}} if "diverged" not in more else {}
    return {"kind": "transductive", "method": method, "source": "near", "target": target, "seed": seed,
            "values": values, **scored, **more}  # fmt: skip


def run_dir(root, records, config=None, finished=True):
    root.mkdir(parents=True)
    (root / "results.json").write_text(json.dumps(records))
    (root / "config.json").write_text(json.dumps((config or Config(source=("near",), target="far")).to_json()))
    (root / "environment.json").write_text('{"commit": "c0ffee", "later": [{"commit": "c0ffee"}, {"commit": "beef"}]}')
    if finished:
        (root / "finished.json").write_text("{}")
    return root


@pytest.fixture
def runs(tmp_path):
    """dann over two lambdas, of which the criterion likes .1 and the test labels 1; source_only without."""
    dann = [record("dann", s, lam, score, acc + s / 100) for lam, score, acc in ((0.1, 3.0, 0.6), (1.0, 2.0, 0.9))
            for s in (0, 1)]  # fmt: skip
    run_dir(tmp_path / "runs" / "dann", dann, Config(source=("near",), target="far", methods=("dann",)))
    run_dir(tmp_path / "runs" / "source", [record("source_only", s, None, 1.0, 0.5) for s in (0, 1)])
    return tmp_path / "runs"


def test_a_row_says_what_was_swept_where_it_lies_and_by_which_digest(runs):
    found = collect([runs])
    assert len(found.rows) == 6
    row = found.rows[0]
    assert (row["method"], row["lam"], row["seed"], row["pair"]) == ("dann", 0.1, 0, "near -> far")
    assert row["selected/target/accuracy"] == 0.6
    assert (row["run_dir"], row["commit"]) == (str(runs / "dann"), "c0ffee+beef")
    assert row["digest"] == Config(source=("near",), target="far", methods=("dann",)).digest()
    assert found.notes == []


def test_a_value_is_chosen_by_the_criterion_and_not_by_the_test_labels(runs):
    table = pivot(collect([runs]).rows, LAM)
    cell = table.cells[("dann",), ("near -> far",)]
    assert cell.chosen == {"lam": 0.1}
    assert cell.tried == 2
    assert cell.mean == pytest.approx(0.605)
    assert cell.deviation == pytest.approx(np.std([0.6, 0.61], ddof=1))
    text = shown(table).text()
    assert "0.605 ± 0.007 (lam=0.1)" in text
    assert "by im" in text
    assert "dann 2, source_only 1" in text


def test_no_mean_is_made_of_several_settings_or_of_a_seed_twice(runs):
    rows = collect([runs]).rows
    with pytest.raises(UserError, match=r"several settings.*lam \(0.1, 1.0\).*--where=lam=0.1"):
        pivot(rows, Asked())
    assert pivot(kept(rows, ["lam=0.1"]), Asked()).rows == [("dann",)]
    assert len(kept(rows, ["lam!=0.1"])) == 4
    run_dir(runs / "twice", [record("source_only", 0, None, 1.0, 0.5)])
    with pytest.raises(UserError, match=r"seed 0 is there twice, in .*source and .*twice"):
        pivot(collect([runs]).rows, LAM)
    for asked, message in (
        (Asked(rows=("methd",)), "Did you mean 'method'"),
        (Asked(score="last/x"), "Unknown score"),
        (Asked(columns=("lam",), best=("lam",)), "'lam' is named twice"),
    ):
        with pytest.raises(UserError, match=message):
            pivot(rows, asked)
    with pytest.raises(UserError, match=r"no trial is left. lam is one of"):
        kept(rows, ["lam=7"])


def test_what_diverged_is_counted_and_what_is_not_there_is_missing(runs):
    more = [
        record("mcc", 0, 1.0, 2.0, 0.7, target="photo"),
        record("mcc", 1, 1.0, 0, 0, diverged="step 3: nan", target="photo"),
    ]
    run_dir(runs / "mcc", more)
    table = pivot(collect([runs]).rows, LAM)
    text = shown(table)
    by_method = {line[0]: line for line in text.cells[1:]}
    head = text.cells[0]
    assert by_method["mcc"][head.index("near -> far")] == "missing"
    assert by_method["mcc"][head.index("near -> photo")] == "0.700 (n=1, 1 diverged, lam=1)"
    assert by_method["mcc"][head.index("average")] == "missing"
    assert "1 trials diverged; no mean has them, and no average or rank has their cells." in text.note


def test_a_setting_of_which_a_trial_diverged_is_not_chosen_before_a_whole_one(tmp_path):
    rows = [record("dann", 0, 0.1, 9.0, 0.9), record("dann", 1, 0.1, 0, 0, diverged="step 2: nan")]
    rows += [record("dann", s, 1.0, 1.0, 0.5) for s in (0, 1)]
    table = pivot(collect([run_dir(tmp_path / "r", rows)]).rows, LAM)
    assert table.cells[("dann",), ("near -> far",)].chosen == {"lam": 1.0}


def test_runs_that_selected_by_different_criteria_are_not_ranked(tmp_path):
    rows = [record("dann", 0, 0.1, 9.0, 0.9), record("dann", 0, 1.0, 1.0, 0.9)]
    rows[1]["selectors"]["selected"]["criterion"] = "dev"
    with pytest.raises(UserError, match="different criteria"):
        pivot(collect([run_dir(tmp_path / "r", rows)]).rows, LAM)


def test_the_best_is_marked_and_the_second_underlined(runs):
    table = pivot(collect([runs]).rows, LAM)
    page, paper = as_markdown(table), as_latex(table)
    assert "| dann | **0.605 ± 0.007 (lam=0.1)** |" in page
    assert "<u>0.500 ± 0.000</u>" in page
    assert r"\textbf{0.605 $\pm$ 0.007 (lam=0.1)}" in paper
    assert r"source\_only & \underline{0.500 $\pm$ 0.000} \\" in paper
    assert r"method & near $\to$ far \\" in paper
    assert paper.count(r"\toprule") == paper.count(r"\bottomrule") == 1
    lines = list(csv.DictReader(as_csv(table).splitlines()))
    assert (lines[0]["method"], lines[0]["n"], lines[0]["best lam"], lines[0]["tried"]) == ("dann", "2", "0.1", "2")
    assert float(lines[0]["mean"]) == pytest.approx(0.605)


def test_all_trials_go_into_csv_and_parquet(runs, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = collect([runs]).rows
    said = keep_rows(tmp_path / "out", rows)
    assert "6 trials" in said[0]
    found = parquet.read_table(tmp_path / "out" / "trials.parquet").to_pylist()
    assert [row["lam"] for row in found] == [row.get("lam") for row in rows]
    assert len(list(csv.DictReader((tmp_path / "out" / "trials.csv").read_text().splitlines()))) == 6


def test_a_sweep_says_what_is_not_in_its_table_and_counts_what_diverged_as_a_result(tmp_path):
    sweep = SweepDirectory(tmp_path / "s")
    config = Config(source=("near",), target="far", methods=("dann",), sweep=(("lam", (5.0,)),), seeds=(0, 1))
    runs = (Run("dann", config, 2), Run("mcc", Config(methods=("mcc",)), 3), Run("afn", Config(methods=("afn",)), 3))
    sweep.keep(Plan(Config(), {}, "", runs))
    run_dir(sweep.run("mcc"), [record("mcc", 0, 1.0, 1.0, 0.5)])
    sweep.fail("dann", 2, "dann, step 3: term 'total' is nan", diverged=True)
    found = collect([sweep.root])
    table = pivot(found.rows, LAM)
    assert table.cells[("dann",), ("near -> far",)].diverged == 2
    assert "2 diverged" in shown(table).text()
    assert found.notes == [f"{sweep.root}: 1 runs are waiting and not in this table."]


def test_a_run_that_is_not_complete_is_said_and_an_empty_folder_refused(tmp_path):
    run_dir(tmp_path / "r", [record("mcc", 0, 1.0, 1.0, 0.5)], finished=False)
    assert "1 runs are not complete" in collect([tmp_path / "r"]).notes[0]
    (tmp_path / "empty").mkdir()
    for root, message in ((tmp_path / "empty", "no results.json"), (tmp_path / "nowhere", "is no directory")):
        with pytest.raises(UserError, match=message):
            collect([root])


def test_rows_of_domains_are_marked_along_themselves_and_averaged_and_say_what_all_share_once():
    rows = [
        {"method": method, "seed": 0, "pair": f"office/{a} -> office/{b}", "digest": "d", "run_dir": "r", SCORE: score}
        for a, b, scores in (("a", "b", (0.5, 0.6)), ("b", "a", (0.9, 0.8)))
        for method, score in zip(("dann", "mcc"), scores, strict=True)
    ]
    page = as_markdown(pivot(rows, Asked(rows=("pair",), columns=("method",))))
    assert "| a -&gt; b | <u>0.500</u> | **0.600** |" in page.replace("a -> b", "a -&gt; b")
    assert "**0.900** | <u>0.800</u> |" in page
    assert "| average | 0.700 | 0.700 |" in page
    assert "Domains are of office." in page
    assert shortened(("pair",), [("a -> b",)]) == ([("a -> b",)], "")
    assert shortened(("pair",), [("x:a + x:c -> x:b",)]) == ([("a + c -> b",)], "x:")


def test_methods_are_compared_over_seeds_and_pairs_and_corrected():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2, 12)) / 100
    rows = []
    for i in range(12):
        seed, target = i % 4, f"t{i // 4}"
        for method, score in (("good", 0.8), ("same", 0.8 + noise[0, i]), ("bad", 0.6 + noise[1, i])):
            rows.append(
                {
                    "method": method,
                    "seed": seed,
                    "pair": target,
                    "digest": "d",
                    "run_dir": "r",
                    "last/target/accuracy": score,
                }
            )
    found = compare(pivot(rows, Asked()), "good")
    assert found.pairs == {("same",): 12, ("bad",): 12}
    assert found.p[("bad",)] == pytest.approx(2 * 2 / 2**12)
    assert (found.p[("same",)] or 0) > 0.05
    assert compare(pivot(rows[:9], Asked()), "good").shown(("bad",)) == "3 pairs: too few"
    assert "in no pair" not in found.note
    assert "are in no pair: 1." in compare(pivot(rows[1:], Asked()), "good").note
    assert "six pairs are needed, so there is none" in compare(pivot(rows[:9], Asked()), "good").note
    with pytest.raises(UserError, match="rows are good; same; bad"):
        compare(pivot(rows, Asked()), "best of all")
    assert holm({("a",): 0.01, ("b",): 0.04, ("c",): 0.03, ("d",): None}) == {
        ("a",): 0.03,
        ("b",): 0.06,
        ("c",): 0.06,
        ("d",): None,
    }


def test_errors_and_distances_are_better_where_they_are_lower(tmp_path):
    rows = []
    for method, error in (("tent", 0.2), ("bn_adapt", 0.4)):
        last = {"target/accuracy": 1 - error, "target/error": error, "error/fog@5": error, "alignment": error}
        rows += [{**record(method, s, None, 1.0, 0.5), "selectors": {"last": last}} for s in (0, 1)]
    rows = collect([run_dir(tmp_path / "stream", rows)]).rows
    for score, higher in (
        ("target/accuracy", True),
        ("target/error", False),
        ("error/fog@5", False),
        ("alignment", False),
    ):
        pivoted = pivot(rows, Asked(score=f"last/{score}"))
        assert pivoted.higher is higher
        assert compare(pivoted, "best").against == ("tent",)
        assert "**" in next(line for line in as_markdown(pivoted).splitlines() if "tent" in line)


def test_one_table_says_where_data_or_code_were_others(runs):
    for name, content in (("dann", "a"), ("source", "b")):
        made = {"domains": [content], "code": {"x.py": content}}
        (runs / name / "contents.json").write_text(seal({"made": made}))
    rows = collect([runs]).rows
    data, code = differing(rows)
    assert data.startswith("near -> far: the data or their labels are not the same in all runs")
    assert code == "The runs were made by 2 states of the code (commits c0ffee+beef)."
    assert differing([row for row in rows if row["method"] == "dann"]) == []
    assert differing([{**row, "data": None, "code": None} for row in rows]) == []
    assert differing([{**row, "network": row["run_dir"]} for row in rows]) == [code]


# Settings chosen by domains left out of training ------------------------------------------------


def generalising(source, target, lr, **scores) -> dict:
    at = {"step": 8, "target/accuracy": scores["test"], "criterion": "source_val", "score": scores["source_val"]}
    oracle = {**at, "target/accuracy": scores["test"] + 0.01, "score": scores.get("oracle", 0.0)}
    found = record("erm", 0, None, None, 0.0)
    selectors = {"selected": at, "oracle": oracle}
    return {**found, "source": source, "target": target, "values": {"lr": lr}, "selectors": selectors}


@pytest.fixture
def left_out(tmp_path):
    """source_val likes lr .1, the sources left out .01, the target's labels .001."""
    scores = {0.1: (0.9, 0.5, 0.2), 0.01: (0.8, 0.6, 0.3), 0.001: (0.7, 0.7, 0.9)}  # source_val, test, the oracle's
    inner = {0.1: (0.3, 0.4), 0.01: (0.9, 0.2), 0.001: (0.4, 0.4)}  # on b of a, on a of b
    rows = {
        ("a+b", "c"): [generalising("a+b", "c", lr, source_val=s, test=t, oracle=o) for lr, (s, t, o) in scores.items()]
    }
    for source, target, i in (("a", "b", 0), ("b", "a", 1)):
        rows[source, target] = [generalising(source, target, lr, source_val=0.5, test=x[i]) for lr, x in inner.items()]
    for (source, target), records in rows.items():
        run_dir(tmp_path / f"{source}-{target}", records, Config(source=tuple(source.split("+")), target=target))
    return tmp_path


def test_a_setting_is_chosen_by_the_sources_left_out_beside_validation_and_the_oracle(left_out):
    rows = collect([left_out]).rows
    asked = Asked(best=("lr",), choose=("criterion", "leave_one_domain_out", "oracle"))
    table = pivot(rows, asked)
    assert table.columns == [("a+b -> c",)]
    found = {
        row[1]: (table.cells[row, ("a+b -> c",)].chosen["lr"], table.cells[row, ("a+b -> c",)].mean)
        for row in table.rows
    }
    assert found == {
        "criterion": (0.1, 0.5),
        "leave_one_domain_out": (0.01, 0.6),
        "oracle": (0.001, pytest.approx(0.71)),
    }
    assert "without an example of the target" in shown(table).text()
    alone = pivot(rows, asked._replace(choose=("leave_one_domain_out",)))
    assert alone.cells[("erm",), ("a+b -> c",)].mean == 0.6
    assert len(pivot(rows, Asked(best=("lr",))).columns) == 3


def test_a_choice_that_nothing_was_trained_for_is_refused(left_out):
    rows = [row for row in collect([left_out]).rows if row["pair"] != "b -> a"]
    with pytest.raises(
        UserError, match=r"no runs with each source left out .*--choose=leave_one_domain_out trains them"
    ):
        pivot(rows, Asked(best=("lr",), choose=("leave_one_domain_out",)))
