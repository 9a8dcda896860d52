"""One daemon a data directory."""

import os
import subprocess
import sys

import pytest

from engine.storage.lock import DataDirLock
from engine.storage.protocols import StorageError


def test_a_second_daemon_is_told_the_pid_of_the_first(tmp_path):
    code = (
        "import sys; from pathlib import Path; from engine.storage.lock import DataDirLock\n"
        f"with DataDirLock(Path({str(tmp_path)!r})): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(StorageError, match=f"{tmp_path} is in use by pid {first.pid}"):
            DataDirLock(tmp_path).__enter__()
        with DataDirLock(tmp_path, "engine"):
            pass
        first.kill()
        first.wait()
        with DataDirLock(tmp_path):
            pass


def test_a_lock_names_its_holder_and_lets_go(tmp_path):
    with DataDirLock(tmp_path):
        assert (tmp_path / "rollcall.lock").read_text() == f"{os.getpid()}\n"
    with DataDirLock(tmp_path):
        pass


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(StorageError, match="cannot write to the data directory"):
        DataDirLock(tmp_path / "nowhere").__enter__()
