"""A swept value chosen by validation: of every strategy its own, and nothing of the test split is looked at."""

from experiments.tuned import chosen, chosen_table


def record(method, decay, seed, score, test, **task):
    last = {"step": 9, "a/accuracy": test}
    selectors = {"last": last, "selected": {**last, "score": score}}
    return {"method": method, "seed": seed, "values": {"weight_decay": decay}, "selectors": selectors, **task}


RECORDS = [
    record("single", 0.0, 0, 0.5, 0.9, task="a"),
    record("single", 1.0, 0, 0.6, 0.5, task="a"),
    record("equal", 0.0, 0, 0.9, 0.4),
    record("equal", 0.0, 1, 0.5, 0.6),
    record("equal", 1.0, 0, 0.6, 0.9),
    record("equal", 1.0, 1, 0.7, 0.9),
]


def test_the_value_of_the_best_mean_validation_score_is_kept_whatever_the_test_says():
    kept, best = chosen(RECORDS, "weight_decay")
    assert best == {("single", "a"): 1.0, ("equal", ""): 0.0}
    assert kept == [RECORDS[1], *RECORDS[2:4]]


def test_the_table_compares_the_chosen_ones_and_says_what_was_chosen():
    table = chosen_table(RECORDS, "weight_decay", {"source": ("a",), "seeds": (0, 1)})
    assert [row[:3] for row in table.cells[1:]] == [["single", "1", "0.500"], ["equal", "0", "0.500 ± 0.141"]]
    assert table.note.endswith(
        "weight_decay of 0, 1: for every strategy, and every single task, that of the best validation score."
    )
