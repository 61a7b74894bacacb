"""Checkpoints: complete with their digests, and the one before where the last is damaged."""

import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.run.store.checkpoints import DIGESTS, Checkpoints


@pytest.fixture
def saved(tmp_path):
    """Two states of one job, as a run that has ended leaves them."""
    kept = Checkpoints(tmp_path, "job")
    for step in (1, 2):
        kept.save(step, {"x": jnp.full(64, float(step))})
    kept.close()
    return tmp_path


def restored(root):
    kept = Checkpoints(root, "job", read_only=True)
    try:
        step = kept.last_whole()
        return step, None if step is None else float(kept.restore(step, {"x": jnp.zeros(64)})["x"][0])
    finally:
        kept.close()


def test_every_checkpoint_has_its_digests_as_soon_as_it_is_there(saved):
    assert all((saved / "checkpoints" / "job" / step / DIGESTS).exists() for step in "12")
    assert restored(saved) == (2, 2.0)


def test_one_flipped_bit_in_any_file_is_seen_and_the_one_before_is_used(saved, monkeypatch):
    said = []
    monkeypatch.setattr("tl_jax.run.store.checkpoints.say", said.append)
    folder = saved / "checkpoints" / "job" / "2"
    checked = 0
    marks = ("commit_success.txt",)  # nothing reads what stands in it
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size and p.name not in marks):
        content = path.read_bytes()
        where = np.random.default_rng(0).integers(len(content))
        path.write_bytes(content[:where] + bytes([content[where] ^ 0x80]) + content[where + 1 :])
        assert restored(saved) == (1, 1.0), path
        path.write_bytes(content)
        checked += 1
    assert checked > 5
    assert len(said) == checked
    assert "the checkpoint of step 2 is damaged" in said[0]
    assert restored(saved) == (2, 2.0)
