"""A kind of transfer is one folder and one line: the documented one is added as the page says, and run."""

import dataclasses
import re
from pathlib import Path

import pytest
from tiny import FAST, SOURCE, TARGET

from tl_jax.core.errors import UserError
from tl_jax.kinds import table
from tl_jax.run.plan.types import Options

PAGE = Path(__file__).parents[2] / "docs" / "adding_a_kind.md"


@pytest.fixture
def config(monkeypatch):
    """The config of the page's kind on a tiny pair, once its line is in the table."""
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    imported = re.findall(r"from tl_jax\.(\S+)", block)
    assert not [
        name for name in imported if name.startswith("run.") and not name.startswith(("run.plan.", "run.settings."))
    ]
    found: dict = {}
    exec(block, found)
    monkeypatch.setitem(table.KINDS, "source_free", found["SOURCE_FREE"])  # pyright: ignore[reportArgumentType]
    settings = {name: value for name, value in FAST.items() if name not in ("quiet", "pictures")}
    return dataclasses.replace(found["SOURCE_FREE"].defaults, source=("s",), target="t", seeds=(0,), **settings)


def test_it_runs_to_a_table(config, tmp_path):
    options = Options(str(tmp_path / "run"), devices=1, trials="map", quiet=True, pictures=False)
    result = table.run(config, options, {"s": SOURCE, "t": TARGET})
    assert [(record["kind"], record["method"]) for record in result.records] == [
        ("source_free", "source_only"),
        ("source_free", "shot"),
    ]
    assert "The source is gone once its model is trained" in result.table
    assert result.complete


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"select": "source_val"}, "needs the source, which is gone"),
        ({"balanced": True}, "--balanced says nothing to source_free transfer"),
        ({"methods": ("dann",)}, "shot, source_only"),
        ({"kind": "source_fre"}, "source_free"),
    ],
)
def test_what_it_refuses_is_said(config, changed, said):
    with pytest.raises(UserError, match=said):
        table.prepare(dataclasses.replace(config, **changed), Options(), {"s": SOURCE, "t": TARGET})
