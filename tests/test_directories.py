import os
import stat

import pytest
import structlog
from structlog.testing import capture_logs

from engine import directories
from engine.config import ConfigError, load
from engine.storage.lock import DataDirLock


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("[storage]\ndata_dir = 'deep/data'\ndatabase = 'elsewhere/x.db'\n")
    return load(path, {})


def test_all_folders_are_made_and_the_sockets_folder_is_for_its_owner_alone(config):
    directories.prepare(config)
    assert config.database.parent.is_dir()
    assert stat.S_IMODE(config.runtime_dir.stat().st_mode) == 0o700
    config.runtime_dir.chmod(0o777)
    directories.prepare(config)
    assert stat.S_IMODE(config.runtime_dir.stat().st_mode) == 0o700


def test_a_data_directory_that_cannot_be_is_named_with_its_key(config):
    (config.folder / "deep").touch()
    with pytest.raises(ConfigError) as caught:
        directories.prepare(config)
    [line] = caught.value.problems
    assert line.startswith(f"{config.source}: storage.data_dir: cannot be used: ")
    assert str(config.folder / "deep") in line


def test_a_ledgers_folder_that_cannot_be_is_named_with_its_own_key(config):
    (config.folder / "file").touch()
    config.source.write_text("[storage]\ndatabase = 'file/ledger.db'\n")
    with pytest.raises(ConfigError, match=r"storage\.database: cannot be used: .*: choose a folder"):
        directories.prepare(load(config.source, {}))


def test_a_sockets_folder_that_somebody_else_prepared_is_refused(config, tmp_path):
    config.data_dir.mkdir(parents=True)
    (tmp_path / "trap").mkdir()
    config.runtime_dir.symlink_to(tmp_path / "trap")
    with pytest.raises(ConfigError, match="belongs to somebody else"):
        directories.prepare(config)


def test_a_second_daemon_is_refused_with_the_pid_of_the_first(config, capsys):
    from engine.cli import call

    directories.prepare(config)
    with DataDirLock(config.data_dir):
        assert call(["run", "--config", str(config.source)]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"is in use by pid {os.getpid()}" in err


@pytest.mark.parametrize("holds", [[], ["rollcall.lock"], ["x.db", "notes"]])
def test_a_data_directory_that_others_may_enter_is_closed_and_that_is_told_once(config, holds, monkeypatch):
    monkeypatch.setattr(directories, "_log", structlog.get_logger())  # another test's may be bound already
    config.data_dir.mkdir(parents=True)
    config.data_dir.chmod(0o755)
    for name in holds:
        (config.data_dir / name).touch()
    with capture_logs() as logs:
        directories.prepare(config)
        directories.prepare(config)
    assert stat.S_IMODE(config.data_dir.stat().st_mode) == 0o700
    assert [(it["event"], it["mode_before"]) for it in logs] == [("data_dir_closed", "755")]


def test_a_folder_of_others_is_refused_as_data_directory_and_left_as_it_is(config):
    config.data_dir.mkdir(parents=True)
    config.data_dir.chmod(0o755)
    (config.data_dir / "holiday.jpg").touch()
    with pytest.raises(ConfigError, match=r"storage\.data_dir: others may enter .* \(mode 755\): choose a "):
        directories.prepare(config)
    assert stat.S_IMODE(config.data_dir.stat().st_mode) == 0o755
