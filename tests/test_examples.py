"""The scripts of examples/: short, checked to the last word without training, and run whole behind a marker."""

import json
import runpy
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tl_jax
from tl_jax.core.inputs import accepting_bytes
from tl_jax.kinds.table import prepare
from tl_jax.methods.dann import dann
from tl_jax.models.networks import build, mlp
from tl_jax.training.create import create
from tl_jax.training.freezing import resolve
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import Data, Start, with_optimizer
from tl_jax.training.step import make_update, sample

FOLDER = Path(__file__).parents[1] / "examples"
DOCS = Path(__file__).parents[1] / "docs"
SHORT = sorted(path.name for path in FOLDER.glob("*.py") if path.name != "dann_on_one_page.py")


def test_there_is_one_a_kind_and_one_with_own_arrays():
    assert {"transductive.py", "inductive.py", "unsupervised.py", "multitask.py", "own_arrays.py"} <= set(SHORT)
    assert all(len((FOLDER / name).read_text().splitlines()) < 40 for name in SHORT)
    assert len((FOLDER / "dann_on_one_page.py").read_text().splitlines()) < 120


@pytest.mark.parametrize("name", SHORT)
def test_an_example_asks_for_what_there_is(name, monkeypatch, tmp_path, capsys):
    (tmp_path / "predictions.csv").write_text("split,predicted\n")

    def checked(config, options, domains):
        assert prepare(config, options, domains).tasks
        return tl_jax.Result([], "the table", tmp_path, True)

    monkeypatch.setattr("tl_jax.api._run", checked)
    runpy.run_path(str(FOLDER / name))
    assert "the table" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SHORT, "dann_on_one_page.py"])
def test_an_example_runs(name, capsys):
    runpy.run_path(str(FOLDER / name), run_name="__main__")
    assert "digits" in (printed := capsys.readouterr().out) or "source_only" in printed


def test_the_notebook_is_that_of_its_script():
    """Its cells, that is; what they print is of the machine that ran them."""
    writer = runpy.run_path(str(DOCS / "write_notebook.py"))
    cells = json.loads((DOCS / "notebook.ipynb").read_text())["cells"]
    kept = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    assert kept == writer["cells"]((DOCS / "notebook.py").read_text()), "run: python docs/write_notebook.py"


@pytest.mark.slow
def test_every_cell_of_the_notebook_runs():
    writer = runpy.run_path(str(DOCS / "write_notebook.py"))
    made = writer["notebook"]((DOCS / "notebook.py").read_text())
    printed = "".join("".join(one.get("text", "")) for cell in made["cells"] for one in cell.get("outputs", ()))
    assert "here -0.118772, NumPy -0.118772" in printed
    assert "certain_and_diverse" in printed
    assert any("image/png" in one.get("data", ()) for cell in made["cells"] for one in cell.get("outputs", ()))


def test_dann_on_one_page_is_the_library_s(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    page = runpy.run_path(str(FOLDER / "dann_on_one_page.py"))
    draw = np.random.default_rng(0)
    images = lambda n: jnp.asarray(draw.integers(0, 256, (n, 4, 4, 3)), jnp.uint8)
    data = Data(((images(40), jnp.asarray(draw.integers(0, 3, 40))),), images(40))

    # The library's state, and its parameters under the page's names.
    network = accepting_bytes(build(mlp(hidden=(8,), dropout=0.0, bottleneck=0), 3))
    recipe = Recipe(
        network, dann(hidden=6), total=page["STEPS"], batch_size=16, lam_schedule="dann", lr_schedule="cosine"
    )
    values = {"lam": page["LAM"], "lr": page["LR"], "weight_decay": page["DECAY"]}
    state = create(recipe, data, Start(jnp.uint32(0), {name: jnp.float32(x) for name, x in values.items()}))
    factors = resolve((), state.params)
    state = with_optimizer(state, recipe.method, recipe.optimizer, factors)
    update = jax.jit(make_update(recipe, factors))

    def named(flat):
        layer = lambda path: {name: flat[f"{path}/{name}"] for name in ("kernel", "bias")}
        judge = [layer(f"method/discriminator/dense{i}") for i in range(3)]
        return {"trunk": layer("backbone/dense1"), "head": layer("head"), "judge": judge}

    params = named(state.params)
    moments = (jax.tree.map(jnp.zeros_like, params),) * 2
    for i in range(3):
        batch = sample(recipe, state, data)
        assert batch.target is not None
        (source,) = batch.sources
        with jax.numpy_rank_promotion("allow"):  # the page writes x W + b
            params, moments = page["step"](params, moments, i, source.x, source.y, batch.target.x)
        state, _ = update(state, batch)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), params, named(state.params))
