"""The decoded cache: whole files or none, noticed damage, two builders at once."""

import multiprocessing
import os

import numpy as np
import pytest
from pictures import encoded

from tl_jax.data.files import cache
from tl_jax.data.load import load

SHAPE = (50, 4)


def filler(value, calls=None):
    def fill(out):
        if calls is not None:
            calls.append(value)
        out[:] = value

    return fill


def only_file():
    (path,) = cache.folder().glob("*.npy")
    return path


def test_it_is_built_once_and_then_mapped():
    calls = []
    first, there, _ = cache.kept("k", SHAPE, np.uint8, filler(3, calls))
    assert not there
    again, there, _ = cache.kept("k", SHAPE, np.uint8, filler(4, calls))
    assert there
    assert calls == [3]
    assert isinstance(again, np.memmap)
    np.testing.assert_array_equal(first, again)
    with pytest.raises(ValueError, match="read-only"):
        again[0] = 1


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "other shape", "grow"])
def test_a_damaged_file_is_noticed_and_made_anew(harm):
    cache.kept("k", SHAPE, np.uint8, filler(3))
    data = bytearray(only_file().read_bytes())
    if harm == "flip":
        data[len(data) // 2] ^= 1
    if harm == "other shape":
        cache.kept("k2", (25, 8), np.uint8, filler(3))
        data = (cache.folder() / "k2.npy").read_bytes()
        (cache.folder() / "k2.npy").unlink()
    cut = {"cut": len(data) - 30, "empty": 0}.get(harm, len(data))
    only_file().write_bytes(bytes(data)[:cut] + b"x" * (harm == "grow"))
    array, there, _ = cache.kept("k", SHAPE, np.uint8, filler(7))
    assert not there
    assert (np.asarray(array) == 7).all()
    assert cache.kept("k", SHAPE, np.uint8, filler(8)).there


def test_a_failure_leaves_nothing_behind():
    def fails(out):
        out[:10] = 1
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cache.kept("k", SHAPE, np.uint8, fails)
    assert list(cache.folder().iterdir()) == []


def test_without_a_place_to_write_it_works_in_memory(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    array, there, _ = cache.kept("k", SHAPE, np.uint8, filler(5))
    assert not there
    assert (array == 5).all()
    assert not isinstance(array, np.memmap)


def test_what_a_killed_process_left_a_day_ago_is_removed():
    cache.folder().mkdir(parents=True)
    old, new = cache.folder() / ".building-old", cache.folder() / ".building-new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    cache.kept("k", SHAPE, np.uint8, filler(1))
    assert not old.exists()
    assert new.exists()


def test_a_changed_picture_and_another_size_are_other_arrays(shop, picture, write):
    before = load(f"folder:{shop}?size=8")
    load(f"folder:{shop}?size=6")
    assert len(list(cache.folder().glob("*.npy"))) == 2
    write(shop / "mug" / "00.png", picture(999, 20, 20))
    after = load(f"folder:{shop}?size=8")
    changed = [
        (a != b).any() for s in before.splits for a, b in zip(before.splits[s].x, after.splits[s].x, strict=True)
    ]
    assert sum(changed) == 1


def test_new_content_under_an_old_name_size_and_time_is_another_array(shop, write):
    """As `cp -p` and `rsync -t` leave it."""
    before = load(f"folder:{shop}?size=8")
    path = shop / "mug" / "00.png"
    state = path.stat()
    for way, shade in (("written over", 10), ("renamed over", 200)):
        data = encoded(np.full((12, 10, 3), shade, np.uint8), "BMP")
        write(path if way == "written over" else shop / "new", data)
        if way == "renamed over":
            os.replace(shop / "new", path)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        after = load(f"folder:{shop}?size=8")
        assert any((a.x != b.x).any() for a, b in zip(before.splits.values(), after.splits.values(), strict=True)), way
        before = after


def test_files_of_the_cache_have_the_rights_that_the_umask_gives():
    before = os.umask(0o027)
    try:
        cache.kept("k", SHAPE, np.uint8, filler(3))
    finally:
        os.umask(before)
    assert only_file().stat().st_mode & 0o777 == 0o640


def test_a_full_disk_is_no_reason_to_stop(monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    for _ in range(2):
        array, there, _ = cache.kept("k", SHAPE, np.uint8, filler(5))
        assert not there
        assert (array == 5).all()
    assert list(cache.folder().iterdir()) == []
    assert capsys.readouterr().err.count("nothing is kept between runs") <= 1


def test_a_remark_is_kept_beside_the_array_and_guarded_like_it():
    def fill(out):
        out[:] = 3
        return "three"

    assert cache.kept("k", SHAPE, np.uint8, fill).remark == "three"
    found = cache.kept("k", SHAPE, np.uint8, fill)
    assert (found.there, found.remark) == (True, "three")
    data = bytearray(only_file().read_bytes())
    data[-14] ^= 1
    only_file().write_bytes(data)
    assert not cache.kept("k", SHAPE, np.uint8, fill).there


def _build(barrier, home, results):
    os.environ["XDG_CACHE_HOME"] = home
    from tl_jax.data.files import cache

    def slow(out):
        for row in range(len(out)):
            out[row] = row % 251

    barrier.wait()
    array = cache.kept("big", (4000, 64), np.uint8, slow).array
    results.put(int(np.asarray(array[:, 5]).sum()))


def test_two_processes_that_build_the_same_array_do_no_harm(cache_home):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    jobs = [context.Process(target=_build, args=(barrier, str(cache_home), results)) for _ in range(2)]
    for job in jobs:
        job.start()
    sums = [results.get(timeout=60) for _ in jobs]
    for job in jobs:
        job.join()
    assert sums == [int((np.arange(4000) % 251).sum())] * 2
    assert [path.name for path in cache.folder().iterdir()] == ["big.npy"]
