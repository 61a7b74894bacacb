"""python -m launch.data: what it prints, and one message with exit code 2."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


def surroundings(cwd):
    """The environment with a cache of its own and without data."""
    env = {"XDG_CACHE_HOME": str(cwd / "cache"), "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    return {name: value for name, value in os.environ.items() if name != "TL_JAX_DATA"} | env


def run(*words, cwd, **env):
    command = [sys.executable, "-m", "launch.data", *words]
    return subprocess.run(command, cwd=cwd, env=surroundings(cwd) | env, capture_output=True, text=True)


@pytest.fixture
def shops(tmp_path):
    """Two folders of two classes; one picture is in both."""
    for d, shop in enumerate(("shop", "home")):
        for c, name in enumerate(("mug", "bike")):
            (tmp_path / shop / name).mkdir(parents=True)
            for i in range(12):
                rng = np.random.default_rng(0 if i == 0 and c == 0 else 1 + 100 * d + 20 * c + i)
                image = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
                image.save(tmp_path / shop / name / f"{i}.png")
    return tmp_path


def test_check_prints_findings_and_writes_a_sheet(shops):
    done = run("check", "folder:shop?size=8", "folder:home?size=8", "--sheet=out/sheet.png", cwd=shops)
    assert done.returncode == 0, done.stderr
    assert "2 and 2, 2 in common" in done.stdout
    assert "! 1 examples are in both domains" in done.stdout
    assert (shops / "out" / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_check_lists_every_broken_picture_and_writes_nothing(shops):
    (shops / "shop" / "mug" / "3.png").write_bytes(b"\x89PNG broken")
    (shops / "shop" / "bike" / "4.png").write_bytes(b"")
    done = run("check", "folder:shop", cwd=shops)
    assert done.returncode == 2
    assert "2 of 24 images cannot be decoded" in done.stderr
    assert "mug/3.png" in done.stderr
    assert "bike/4.png" in done.stderr
    assert not (shops / "samples.png").exists()
    assert not (shops / "cache" / "tl_jax").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("chek", "mnist"), "Unknown command 'chek'. Did you mean 'check'?"),
        (("check",), "check takes 1 or 2 specs, not 0"),
        (("list", "mnist"), "list takes no spec, not 1"),
        ((), "Available: check, where, prefetch, list"),
        (("where", "ofice31/amazon"), "Did you mean 'office31'?"),
        (("prefetch", "folder:nowhere"), "there is no"),
    ],
)
def test_mistakes_end_with_code_2_and_one_line(tmp_path, words, message):
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough_is_no_mistake(shops):
    for words in ("list", "--help"):
        command = f"{sys.executable} -m launch.data {words} | head -1; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", command], cwd=shops, env=surroundings(shops), capture_output=True, text=True
        )
        assert len(done.stdout.splitlines()) == 1
        assert done.stderr == ""
        assert done.returncode in (0, 141)  # all was written before the reader left, or not


def test_where_list_and_prefetch(shops):
    done = run("where", "office31/amazon", cwd=shops, TL_JAX_DATA=str(shops))
    assert done.returncode == 0
    assert "judy/domainadapt" in done.stdout
    assert "absent" in done.stdout
    listed = run("list", cwd=shops).stdout
    assert "fsdd/{george" in listed
    assert "digits:printed_angle" in listed
    done = run("prefetch", "folder:shop?size=8", cwd=shops)
    assert "is ready: 17 train, 2 validation, 5 test" in done.stdout
    assert len(list((shops / "cache" / "tl_jax" / "decoded").glob("*.npy"))) == 1
