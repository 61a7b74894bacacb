"""What the documents say can be run."""

import re
from pathlib import Path

from tl_jax.kinds.table import prepare
from tl_jax.methods import ADAPTATION
from tl_jax.models.heads import HEADS
from tl_jax.models.networks import NETWORKS
from tl_jax.run.plan.config import Config
from tl_jax.run.plan.types import Options

DOCS = Path(__file__).parents[1] / "docs"


def code(page: str) -> str:
    """The Python blocks of a page, one after the other."""
    return "\n".join(re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL))


def test_the_example_method_works_and_is_short(monkeypatch):
    source = code("adding_a_method.md")
    assert len(source.splitlines()) < 60
    found: dict = {}
    exec(source, found)
    monkeypatch.setitem(ADAPTATION, "feature_norm", found["feature_norm"])  # pyright: ignore
    import tl_jax

    result = tl_jax.fit(
        methods="feature_norm", network="mlp(hidden=(16,), bottleneck=8)", steps=4, seeds=1, devices=1, quiet=True
    )
    assert result.records[0]["values"]["delta"] == 1.0


def test_the_example_domains_work(capsys):
    exec(code("adding_a_data_set.md").replace("seeds=2", "seeds=2, devices=1, quiet=True"), {})
    assert "deep_coral" in capsys.readouterr().out


def test_the_example_of_loading_prints_its_report(capsys):
    exec(code("networks.md"), {})
    printed = capsys.readouterr().out.splitlines()
    shown = [line.strip() for line in (DOCS / "networks.md").read_text().splitlines() if line.startswith("    ")]
    assert printed[0].partition("(torch")[2] == next(a for a in shown if "init_from" in a).partition("(torch")[2]
    assert {line.strip() for line in printed[1:]} <= set(shown)


def test_the_table_of_networks_is_complete():
    page = (DOCS / "networks.md").read_text()
    assert all(f"`{name}`" in page for name in NETWORKS)
    assert all(f"`{head}`" in page for head in HEADS)


def test_the_example_file_of_own_code_can_be_planned(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(code("extending.md"))
    monkeypatch.chdir(tmp_path)
    config = Config(
        source=("mine.py:shop(shift=0.0)",),
        target="mine.py:shop",
        methods=("mine.py:sharpened(sharp=3.0)",),
        network="mine.py:mixer(width=4)",
        select="mine.py:confidence(power=2.0)",
        batch_size=8,
    )
    (task,) = prepare(config, Options(devices=1), {}).tasks
    assert (task.job.name, dict(task.job.trials[0][1])["sharp"]) == ("mine.py:sharpened(sharp=3.0)", 3.0)
