"""Where files lie that outlive a run."""

import os
import subprocess
import sys
import time

import pytest

from tl_jax.core import files as places
from tl_jax.core.errors import MachineError, machine_faults
from tl_jax.core.files import keep_in_cache, sweep, temporary_beside, user_cache, write_atomically
from tl_jax.core.sealed import opened, seal


@pytest.fixture(autouse=True)
def _nothing_was_said_yet():
    places.say_once.cache_clear()


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_files_have_the_rights_that_the_umask_says(mask, tmp_path):
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~mask


def test_long_names_are_written(tmp_path):
    write_atomically(tmp_path / ("x" * 255), b"x")
    write_atomically(tmp_path / ("é" * 127), b"x")
    assert len(list(tmp_path.iterdir())) == 2


def test_what_a_kill_left_half_written_is_swept(tmp_path):
    (tmp_path / "records").mkdir()
    for folder in (tmp_path, tmp_path / "records"):
        handle, _ = temporary_beside(folder / "results.json")
        os.close(handle)
        (folder / "kept").write_text("")
    sweep(tmp_path, older=3600)
    assert len(list(tmp_path.rglob(".*"))) == 2
    sweep(tmp_path)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["kept", "kept"]


@pytest.mark.parametrize("fault", ["a file in its place", "a full disk"])
def test_a_cache_that_cannot_be_written_is_said_once(fault, tmp_path, monkeypatch, capsys):
    if fault == "a full disk":
        monkeypatch.setattr("os.fsync", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    else:
        (tmp_path / "cache").write_text("")
    for _ in range(2):
        assert not keep_in_cache(tmp_path / "cache" / "trials.json", b"{}")
    assert capsys.readouterr().err.count("nothing is kept between runs") == 1


def test_without_a_home_the_cache_lasts_as_long_as_the_process(monkeypatch, capsys):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.expanduser", lambda self: (_ for _ in ()).throw(RuntimeError("no home")))
    found = user_cache()
    assert found == user_cache()
    assert keep_in_cache(found / "trials.json", b"{}")
    assert "no home directory" in capsys.readouterr().err


def test_temporary_folders_go_with_the_process():
    code = "from tl_jax.core.files import temporary_folder; print(temporary_folder('tl_jax-'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not os.path.exists(done.stdout.strip())


def test_every_flipped_bit_of_sealed_json_is_found():
    value = {"domains": [{"name": "near", "x": 1.5}], "n": None}
    text = seal(value).encode()
    assert opened(text) == value
    for i in range(8 * len(text)):
        flipped = bytearray(text)
        flipped[i // 8] ^= 1 << i % 8
        try:
            assert opened(bytes(flipped)) == value
        except ValueError:
            continue


def test_a_full_disk_is_one_message():
    with (
        pytest.raises(MachineError, match="/data/x: No space left on device") as raised,
        machine_faults("run"),
    ):
        raise OSError(28, "No space left on device", "/data/x")
    assert raised.value.code == 1
    with pytest.raises(MachineError, match="run: not enough memory"), machine_faults("run"):
        raise MemoryError


def test_sweeping_spares_what_another_process_is_writing(tmp_path):
    handle, name = temporary_beside(tmp_path / "trials.json")
    os.close(handle)
    os.utime(name, (time.time() - 60,) * 2)
    keep_in_cache(tmp_path / "trials.json", b"{}")
    assert name.exists()
