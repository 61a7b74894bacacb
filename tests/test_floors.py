"""The floors of the house: imports point down, and each library stays in its room."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {
    "core": set(),
    "losses": {"core"},
    "balancing": {"core", "losses"},
    "evaluation": {"core", "losses"},
    "data": {"core"},
    "models": {"core"},
    "methods": {"core", "losses", "balancing"},
    # Batches are drawn and augmented on the device, inside the step. Networks come as core.types.Network.
    "training": {"core", "losses", "balancing", "data", "methods"},
    "fine_tuning": {"core", "methods", "training"},
    "run": {"core", "losses", "balancing", "evaluation", "data", "models", "methods", "training", "fine_tuning"},
}
"""What each room may import besides itself. Launch scripts and experiments may import all of them."""
FILES = sorted(path for room in ("tl_jax", "launch", "experiments") for path in (ROOT / room).rglob("*.py"))
TFDS_FILES = ("tl_jax/data/readers/tfds.py", "tl_jax/data/readers/tfds_builders.py")
NAMES = [str(path.relative_to(ROOT)) for path in FILES]


def imports(tree):
    """(name of the module, line) of every import in a syntax tree, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            # "from tl_jax.run import loop" imports tl_jax.run.loop.
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def read(name):
    return ast.parse((ROOT / name).read_text())


def test_the_table_has_every_room_and_no_circle():
    rooms = {path.name for path in (ROOT / "tl_jax").iterdir() if (path / "__init__.py").exists()}
    assert rooms == set(ROOMS)
    below = set()
    for room, allowed in ROOMS.items():
        assert allowed <= below, f"{room} imports a room above it"
        below.add(room)


@pytest.mark.parametrize("name", NAMES)
def test_imports_point_down(name):
    top, room = name.split("/")[0], name.split("/")[1]
    for module, line in imports(read(name)):
        parts = module.split(".")
        where = f"{name}:{line} imports {module}"
        if top == "tl_jax" and room in ROOMS:
            assert parts[0] not in ("launch", "experiments"), where
            assert parts[0] != "tl_jax" or parts[1] in ROOMS[room] | {room}, where
        elif top == "experiments":
            assert parts[0] != "launch", where


@pytest.mark.parametrize("name", NAMES)
def test_libraries_stay_in_their_rooms(name):
    for module, line in imports(read(name)):
        library, where = module.split(".")[0], f"{name}:{line} imports {module}"
        assert library not in ("torch", "torchvision", "tensorflow", "transformers"), where
        assert library != "flax" or name.startswith("tl_jax/models/"), where
        assert library != "tensorflow_datasets" or name in TFDS_FILES, where


@pytest.mark.parametrize("name", TFDS_FILES)
def test_tensorflow_datasets_is_imported_where_it_is_used(name):
    top = ast.Module([node for node in read(name).body if not isinstance(node, ast.FunctionDef)], [])
    assert not any(module.startswith("tensorflow_datasets") for module, _ in imports(top))


def test_no_method_imports_another():
    for name in (name for name in NAMES if name.startswith("tl_jax/methods/") and not name.endswith("__init__.py")):
        siblings = {module for module, _ in imports(read(name)) if module.startswith("tl_jax.methods")}
        below = ("tl_jax.methods.hooks.",) if name.endswith("/contract.py") else ("tl_jax.methods.contract.",)
        assert all(module.startswith(below) for module in siblings), name


def test_a_launch_script_loads_neither_torch_nor_tensorflow():
    code = (
        "import sys, tl_jax, launch.transductive\n"
        "print([m for m in ('torch', 'tensorflow', 'tensorflow_datasets') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
