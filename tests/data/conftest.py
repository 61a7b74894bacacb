"""A cache of its own for every test, and writers of small files."""

import numpy as np
import pytest
from pictures import encoded


@pytest.fixture(autouse=True)
def cache_home(tmp_path_factory, monkeypatch):
    """No test reads what another run decoded, nor finds the user's data."""
    home = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.setenv("TFDS_DATA_DIR", str(home / "tfds"))
    monkeypatch.delenv("TL_JAX_DATA", raising=False)
    return home


@pytest.fixture
def picture():
    """picture(seed, h, w) -> bytes of a PNG of noise."""
    return lambda seed=0, h=12, w=10, form="PNG": encoded(
        np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8), form
    )


@pytest.fixture
def write():
    """write(path, bytes or text): with the folders above it."""

    def put(path, content):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


@pytest.fixture
def shop(tmp_path, picture, write):
    """A folder of two classes, twelve images each."""
    for c, name in enumerate(("mug", "bike")):
        for i in range(12):
            write(tmp_path / "shop" / name / f"{i:02d}.png", picture(100 * c + i))
    return tmp_path / "shop"
