"""The floors of the house: imports point down, and each library stays in its room."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tl_jax.kinds.table import KINDS

ROOT = Path(__file__).parent.parent
NETWORKS = {f"models/{room}" for room in ("files", "parts", "images", "sequences", "sound", "pairs")}
BELOW_RUN = NETWORKS | {
    "core",
    "naming",
    "losses",
    "balancing",
    "evaluation",
    "evaluation/label_free",
    "data",
    "data/match",
    "data/load",
    "models",
    "methods",
    "training",
    "fine_tuning",
}
PLANNED = BELOW_RUN | {"data/pipeline", "run/settings", "run/plan"}
RUN = PLANNED | {"run/store", "run/report", "run/execute", "run"}
ROOMS = {
    "core": set(),
    "naming": {"core"},
    "losses": {"core"},
    "losses/examples": {"core"},
    "losses/spectra": {"core"},
    "shallow": set(),
    "balancing": {"core", "losses"},
    "evaluation": {"core", "losses"},
    "evaluation/label_free": {"core", "naming", "evaluation"},
    "evaluation/transferability": {"core", "evaluation"},
    # One domain and how it fits another; a format each; a named set each; what a step draws of them.
    "data/files": {"core"},
    "data": {"core", "naming", "data/files"},
    "data/match": {"core", "data", "data/files"},
    "data/readers": {"core", "data", "data/files"},
    "data/corruptions": {"core", "data"},
    "data/embedded": {"core", "data"},
    "data/benchmarks": {"core", "data", "data/files", "data/readers"},
    "data/load": {
        "core",
        "naming",
        "data",
        "data/match",
        "data/readers",
        "data/corruptions",
        "data/embedded",
        "data/benchmarks",
    },
    "data/check": {"core", "data", "data/match", "data/files", "data/readers", "data/benchmarks", "data/load"},
    "data/pipeline": {"core", "data"},
    "data/views": {"core"},
    "models/names": {"core"},
    "models/parts": {"core", "naming"},
    "models/files": {"core", "models/names", "models/parts"},
    "models/images": {"core", "models/files", "models/parts"},
    "models/sequences": {"core", "models/files", "models/parts"},
    "models/sound": {"core", "models/files", "models/parts"},
    "models/pairs": {"core", "models/files", "models/parts"},
    "models": {"core", "naming", "models/names", *NETWORKS},
    "methods": {"core", "naming", "losses", "losses/examples", "losses/spectra", "balancing"},
    # Batches are drawn and augmented on the device, inside the step. Networks come as core.types.Network.
    "training": {"core", "losses", "balancing", "data/pipeline", "data/views", "methods"},
    "fine_tuning": {"core", "methods", "training"},
    # Nothing below asks for the name of a kind of transfer.
    "run/settings": BELOW_RUN,
    "run/plan": BELOW_RUN | {"data/pipeline", "data/views", "run/settings"},
    "run/store": PLANNED,
    "run/report": PLANNED,
    "run/execute": PLANNED | {"run/store"},
    "run": PLANNED | {"run/store", "run/report", "run/execute"},
    "kinds/predicting": RUN,
    "kinds/transductive": RUN | {"kinds/predicting", "shallow"},
    "kinds/inductive": RUN | {"kinds/predicting"},
    "kinds/unsupervised": RUN | {"kinds/predicting", "data/views"},
    "kinds/multitask": RUN,
    "kinds/generalisation": RUN | {"kinds/predicting"},
    "kinds/test_time": RUN | {"kinds/predicting", "data/corruptions"},
    "kinds": {"core", "data", "run", "run/settings", "run/plan", *(f"kinds/{name}" for name in KINDS)},
    "programs/trained": RUN | {"kinds", "kinds/predicting", "kinds/multitask", "kinds/test_time"},
    "programs": RUN
    | {"kinds", "kinds/predicting", "kinds/inductive", "evaluation/transferability", "programs/trained"},
    "programs/analyze/measured": RUN | {"kinds", "kinds/predicting", "programs", "programs/trained"},
    "programs/analyze": RUN | {"kinds/predicting", "programs", "programs/trained", "programs/analyze/measured"},
    "sweep/asked": RUN | {"data/benchmarks"},
    "sweep": RUN | {"kinds", "sweep/asked"},
    "sweep/clusters": RUN | {"sweep", "data/check"},
    "sweep/tables": RUN | {"sweep", "sweep/asked", "kinds", "data/benchmarks"},
    "sweep/pictures": {"core", "sweep/tables"},
    "sweep/exporters": {"core", "run/store", "sweep/tables"},
    "benchmark": RUN
    | {"kinds", "kinds/predicting", "kinds/unsupervised", "data/views", "programs", "sweep", "sweep/tables"},
}
"""What each room may import besides itself, lower rooms first. A file of one line, `data/load`, is a room of its own.
What is on top (`api`, launch scripts, experiments) may import all of them."""
ROOMS["launch"] = set(ROOMS)
FILES = sorted(path for room in ("tl_jax", "launch", "experiments") for path in (ROOT / room).rglob("*.py"))
TFDS_FILES = ("tl_jax/data/readers/tfds.py", "tl_jax/data/check/tfds_builders.py")
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


def room_of(module):
    """The room of a module: 'tl_jax.run.plan.config' -> 'run/plan'; '' for what is on top."""
    parts = module.split(".")[1:]
    found = ["/".join(parts[:n]) for n in range(len(parts), 0, -1)]
    return next((room for room in found if room in ROOMS), "")


def test_the_table_has_every_room_and_no_circle():
    folders = {str(path.parent.relative_to(ROOT / "tl_jax")) for path in FILES if path.is_relative_to(ROOT / "tl_jax")}
    assert folders - {"."} == set(ROOMS) - {"data/load"}
    below = set()
    for room, allowed in ROOMS.items():
        assert allowed <= below, f"{room} imports a room above it"
        below.add(room)


def test_a_room_is_no_drawer():
    for room in set(ROOMS) - {"methods", "launch"}:  # one file each of what they are called after
        files = [path for path in (ROOT / "tl_jax" / room).glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= 12, f"{room}: {len(files)} files"


@pytest.mark.parametrize("name", NAMES)
def test_imports_point_down(name):
    top, here = name.split("/")[0], room_of(name.removesuffix(".py").replace("/", "."))
    for module, line in imports(read(name)):
        where = f"{name}:{line} imports {module}"
        if top == "experiments":
            assert not module.startswith("launch."), where
        elif top == "tl_jax" and here:
            assert module.split(".")[0] not in ("launch", "experiments"), where
            if module.startswith("tl_jax."):
                assert room_of(module) in ROOMS[here] | {here}, where


def test_nothing_but_the_table_asks_which_kind_of_transfer_a_run_is_of():
    asked = re.compile(r"\bkind (==|!=)|\.kind\]")
    for name in NAMES:
        for number, text in enumerate((ROOT / name).read_text().splitlines(), 1):
            assert name == "tl_jax/kinds/table.py" or not asked.search(text), f"{name}:{number}: {text.strip()}"


def test_a_kind_of_transfer_knows_no_other():
    for kind in KINDS:
        assert (ROOT / "tl_jax" / "kinds" / kind / "kind.py").exists()
        assert not any(other in ROOMS[f"kinds/{kind}"] for other in ROOMS if other in {f"kinds/{k}" for k in KINDS})


@pytest.mark.parametrize("name", NAMES)
def test_libraries_stay_in_their_rooms(name):
    for module, line in imports(read(name)):
        library, where = module.split(".")[0], f"{name}:{line} imports {module}"
        assert library not in ("torch", "torchvision", "tensorflow", "transformers"), where
        assert library != "flax" or name.startswith("tl_jax/models/"), where
        assert library not in ("tensorboardX", "mlflow", "wandb", "optuna"), (
            where
        )  # imported by name, where they are asked for
        assert library != "tensorflow_datasets" or name in TFDS_FILES, where


@pytest.mark.parametrize("name", TFDS_FILES)
def test_tensorflow_datasets_is_imported_where_it_is_used(name):
    top = ast.Module([node for node in read(name).body if not isinstance(node, ast.FunctionDef)], [])
    assert not any(module.startswith("tensorflow_datasets") for module, _ in imports(top))


def test_no_method_imports_another_but_for_one_that_goes_on_where_another_ends():
    for name in (name for name in NAMES if name.startswith("tl_jax/methods/") and not name.endswith("__init__.py")):
        siblings = {module for module, _ in imports(read(name)) if module.startswith("tl_jax.methods")}
        below = ("tl_jax.methods.hooks.",) if name.endswith("/contract.py") else ("tl_jax.methods.contract.",)
        below += ("tl_jax.methods.vada.",) if name.endswith("/dirt_t.py") else ()
        assert all(module.startswith(below) for module in siblings), name


def test_a_launch_script_loads_neither_torch_nor_tensorflow():
    code = (
        "import sys, tl_jax, tl_jax.launch.transductive\n"
        "print([m for m in ('torch', 'tensorflow', 'tensorflow_datasets') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_test_files_have_names_of_their_own():
    """Two of one name cannot be collected together."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
