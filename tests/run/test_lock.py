"""One process a run directory."""

import os
import subprocess
import sys
import time

import pytest

from tl_jax.core.errors import BusyError, UserError
from tl_jax.run.store.lock import locked

HOLD = "import sys, time\nfrom pathlib import Path\nfrom tl_jax.run.store.lock import locked\n"
HOLD += "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"


def test_a_second_start_says_who_has_it_and_asks_to_come_again(tmp_path):
    root = tmp_path / "runs" / "new"
    with locked(root):
        with pytest.raises(BusyError) as raised, locked(root):
            pass
        assert f"process {os.getpid()} on " in str(raised.value)
        assert "remove" not in str(raised.value)
    assert raised.value.code == 75
    with locked(root):
        pass


def test_a_killed_process_leaves_it_free(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(BusyError, match=f"process {holder.pid} "), locked(tmp_path):
        pass
    holder.kill()
    holder.communicate()
    for _ in range(50):
        try:
            with locked(tmp_path):
                return
        except BusyError:
            time.sleep(0.1)
    raise AssertionError("still locked")


def test_a_file_system_without_locks_is_said_and_used(tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    with locked(tmp_path):
        pass
    assert "cannot be locked" in capsys.readouterr().err


def test_what_cannot_be_made_is_a_message(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "at all")
    for root in (tmp_path / "file" / "run", tmp_path / "link", tmp_path / "a\0b", tmp_path / ("x" * 300)):
        with pytest.raises(UserError, match="cannot be made"), locked(root):
            pass
