"""What the documents say can be run."""

import re
from pathlib import Path

from tl_jax.methods import METHODS

DOCS = Path(__file__).parents[1] / "docs"


def code(page: str) -> str:
    """The Python blocks of a page, one after the other."""
    return "\n".join(re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL))


def test_the_example_method_works_and_is_short(monkeypatch):
    source = code("adding_a_method.md")
    assert len(source.splitlines()) < 60
    found: dict = {}
    exec(source, found)
    monkeypatch.setitem(METHODS, "afn", found["afn"])  # pyright: ignore
    import tl_jax

    result = tl_jax.fit(
        methods="afn", network="mlp(hidden=(16,), bottleneck=8)", steps=4, seeds=1, devices=1, quiet=True
    )
    assert result.records[0]["values"]["delta"] == 1.0


def test_the_example_domains_work(capsys):
    exec(code("adding_a_data_set.md").replace("seeds=2", "seeds=2, devices=1, quiet=True"), {})
    assert "deep_coral" in capsys.readouterr().out
