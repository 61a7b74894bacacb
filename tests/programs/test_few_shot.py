"""Episodes from the sources' pixels to the table."""

import dataclasses
import json

import numpy as np
import pytest
from tiny import NETWORK, domain

from tl_jax.core.errors import UserError
from tl_jax.kinds.inductive.kind import DEFAULTS as INDUCTIVE
from tl_jax.programs import few_shot as room
from tl_jax.run.plan.types import Options

LETTERS = domain("letters", 0.0, tuple("abcdefg"), 140)
CONFIG = dataclasses.replace(
    INDUCTIVE,
    source=("letters",),
    target="letters",
    network=NETWORK,
    labels_per_class=(),
    seeds=(0,),
    pretrain_steps=30,
    batch_size=16,
    lr=0.01,
    eval_every=0,
)


@pytest.fixture(autouse=True)
def _data(monkeypatch, tmp_path):
    monkeypatch.setattr(room, "load", lambda spec, data_dir: LETTERS)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_new_classes_are_told_apart_and_the_line_is_repeatable(tmp_path):
    asked = room.Asked(ways=(2, 3), shots=(1, 5), queries=10, count=40)
    options = Options(str(tmp_path / "run"), devices=1, trials="map", quiet=True, pictures=False)
    planned = room.plan(CONFIG, options, asked, novel=3)
    assert planned.domains["letters without 3"].classes == tuple("abcd")
    table = room.few_shot(planned)
    assert table is not None
    assert table.cells[0] == ["episodes", "pixels", "trunk", "trunk, length 1"]
    assert [row[0] for row in table.cells[1:]] == ["2-way 1-shot", "2-way 5-shot", "3-way 1-shot", "3-way 5-shot"]
    records = json.loads((tmp_path / "run" / "episodes.json").read_text())
    assert all(record["trunk"]["accuracy"] > 1.5 / record["ways"] for record in records)
    assert records[1]["pixels"]["accuracy"] > records[0]["pixels"]["accuracy"]
    again = room.few_shot(planned)  # nothing is trained, the trunk is read back
    assert again is not None
    assert again.cells == table.cells


def test_the_new_classes_keep_their_examples_and_lose_their_numbers():
    old, new = room.split_classes([LETTERS, LETTERS], 3)
    assert (old.classes, new.classes) == (tuple("abcd"), tuple("efg"))
    for part, before in zip(new.splits.values(), LETTERS.splits.values(), strict=True):
        np.testing.assert_array_equal(part.x, before.x[before.y >= 4])
        np.testing.assert_array_equal(part.y, before.y[before.y >= 4] - 4)


def test_values_have_no_episodes(monkeypatch):
    values = dataclasses.replace(LETTERS, name="lengths", classes=())
    monkeypatch.setattr(room, "load", lambda spec, data_dir: values)
    with pytest.raises(UserError, match="lengths has values as labels"):
        room.plan(CONFIG, Options(), room.Asked())


@pytest.mark.parametrize(
    ("asked", "novel", "message"),
    [
        (room.Asked(ways=(4,)), 3, "--ways=4 --shots=5 --queries=15: 3 classes of letters last 3 have 20 examples"),
        (room.Asked(shots=(90,)), 3, "0 classes of letters last 3 have 105 examples"),
        (room.Asked(), 6, "--novel=6: letters has 7 classes; use 2 to 5"),
    ],
)
def test_what_cannot_be_drawn_is_named(asked, novel, message):
    with pytest.raises(UserError, match=message):
        room.plan(CONFIG, Options(), asked, novel)
