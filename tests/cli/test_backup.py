"""``rollcall backup``: where it goes, what it prints, what it refuses."""

import json

import pytest

from engine.storage.queries import SessionFilter, SqlReads


def sessions(path):
    return SqlReads(path).sessions(SessionFilter(), limit=100).items


@pytest.mark.usefixtures("ledger")
def test_without_a_path_it_goes_where_the_automatic_ones_are(rollcall, config):
    code, out, err = rollcall("backup", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    (path,) = config.backup_dir.iterdir()
    assert told["path"] == str(path)
    assert told["sizeBytes"] == path.stat().st_size
    assert (told["cursors"], told["moments"]) == ({"0": "1-0"}, {"0": "2026-03-01T12:00:10.000Z"})
    assert path.name == "rollcall-" + told["madeAt"].replace("-", "").replace(":", "") + ".db"
    assert sessions(path) == sessions(config.database)


@pytest.mark.usefixtures("ledger")
def test_a_folder_gets_a_name_in_it_and_a_new_file_is_itself(rollcall, folder):
    (folder / "kept").mkdir()
    code, out, _ = rollcall("backup", "kept")
    (path,) = (folder / "kept").iterdir()
    assert (code, out.splitlines()[0]) == (0, "path: kept/" + path.name)
    assert rollcall("backup", "mine.db")[0] == 0
    assert len(sessions(folder / "mine.db")) == 5


def test_the_ledger_itself_and_any_other_file_keep_their_place(rollcall, ledger):
    whole = ledger.read_bytes()
    code, out, err = rollcall("backup", str(ledger))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "exists: a backup takes no other file's place" in err
    assert ledger.read_bytes() == whole


def test_without_a_ledger_there_is_nothing_to_back_up(rollcall, config):
    code, out, err = rollcall("backup")
    assert (code, out) == (1, "")
    assert "there is no database yet" in err
    assert not list(config.backup_dir.glob("*"))


@pytest.mark.usefixtures("ledger")
def test_a_place_that_cannot_be_written_is_told_in_a_line(rollcall, folder):
    (folder / "file").touch()
    code, _, err = rollcall("backup", "file/mine.db")
    assert (code, err.count("\n")) == (1, 1)
    assert "cannot write the backup file/mine.db: File exists (file)" in err
