"""What the documents say can be run."""

import ast
import re
import runpy
from pathlib import Path

import tl_jax
from tl_jax.kinds.table import prepare
from tl_jax.methods import ADAPTATION
from tl_jax.models.heads import HEADS
from tl_jax.models.networks import NETWORKS
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
RUN = {
    "README.md",
    "index.md",
    "adding_a_method.md",
    "adding_a_data_set.md",
    "networks.md",
    "extending.md",
    "using_a_model.md",
}
"""Pages whose Python is run here; that of adding_a_kind.md is run by tests/kinds/test_a_kind_of_ones_own.py."""


def code(page: str) -> str:
    """The Python blocks of a page, one after the other."""
    return "\n".join(re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL))


def test_the_example_method_works_and_is_short(monkeypatch):
    source = code("adding_a_method.md")
    assert len(source.splitlines()) < 60
    found: dict = {}
    exec(source, found)
    monkeypatch.setitem(ADAPTATION, "feature_norm", found["feature_norm"])  # pyright: ignore
    result = tl_jax.fit(
        methods="feature_norm",
        network="mlp(hidden=(16,), bottleneck=8)",
        steps=4,
        seeds=1,
        devices=1,
        quiet=True,
        pictures=False,
    )
    assert result.records[0]["values"]["delta"] == 1.0


def test_the_example_domains_work(capsys):
    exec(code("adding_a_data_set.md").replace("seeds=2", "seeds=2, devices=1, quiet=True, pictures=False"), {})
    assert "deep_coral" in capsys.readouterr().out


def test_the_example_of_loading_prints_its_report(capsys):
    exec(code("networks.md"), {})
    printed = capsys.readouterr().out.splitlines()
    shown = [line.strip() for line in (DOCS / "networks.md").read_text().splitlines() if line.startswith("    ")]
    assert printed[0].partition("(torch")[2] == next(a for a in shown if "init_from" in a).partition("(torch")[2]
    assert {line.strip() for line in printed[1:]} <= set(shown)


def test_the_example_of_using_a_model_prints_what_it_says(capsys):
    small = "steps=60, devices=1, trials='map', quiet=True, pictures=False"
    alone = code("using_a_model.md").replace('["source_only", "mcc"]', '"mcc"')
    exec(alone.replace("steps=60", small), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == ["('cup', 'jug', 'pan')", "['cup' 'jug' 'pan']"]


def test_the_table_of_networks_is_complete():
    page = (DOCS / "networks.md").read_text()
    assert all(f"`{name}`" in page for name in NETWORKS)
    assert all(f"`{head}`" in page for head in HEADS)


def test_the_first_python_of_a_reader_works(monkeypatch, capsys):
    """As the README and the first page have it, smaller."""
    fit, small = (
        tl_jax.fit,
        {"network": "mlp(hidden=(16,), bottleneck=8)", "steps": 4, "devices": 1, "quiet": True, "pictures": False},
    )
    monkeypatch.setattr(tl_jax, "fit", lambda *given, **named: fit(*given, **{**named, **small, "seeds": 1}))
    block = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert [code("index.md")] == block
    exec(block[0], {})
    assert "mcc" in capsys.readouterr().out


def test_every_page_with_python_is_run_by_a_test():
    elsewhere = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py") if path.name != "test_docs.py")
    for path in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        assert "```python" not in path.read_text() or path.name in RUN or path.name in elsewhere, path.name


def test_the_page_of_methods_is_what_the_docstrings_say():
    written = (DOCS / "methods.md").read_text(encoding="utf-8")
    assert written == runpy.run_path(str(DOCS / "generate.py"))["page"](), "run: python docs/generate.py"


def test_links_of_the_readme_and_of_the_pages_lead_somewhere():
    for path in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        words = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", words):
            assert link.startswith("http") or (path.parent / link).exists(), f"{path.name}: {link}"


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) < 120


def test_every_page_of_the_site_is_there():
    nav = (ROOT / "mkdocs.yml").read_text().partition("nav:")[2]
    assert all((DOCS / page).exists() for page in re.findall(r": (\S+\.md)", nav))


def test_a_room_says_what_comes_in_what_goes_out_and_what_to_open_first():
    for path in sorted((ROOT / "tl_jax").rglob("__init__.py")):
        page = ast.get_docstring(ast.parse(path.read_text())) or ""
        if path.parent.name != "tl_jax":
            assert all(word in page for word in ("In:", "Out:", "Open first")), path
            assert 8 <= len(page.splitlines()) <= 30, path


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
