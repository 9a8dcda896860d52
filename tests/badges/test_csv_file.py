"""Badges in a CSV file: each exactly once, whatever ended between two steps."""

import csv
import os
import resource
import subprocess
import sys

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from engine.badges.csv_file import CsvFile
from engine.badges.delivery import Outcome
from engine.domain.deliveries import Badge
from engine.storage.protocols import StorageError
from tests.badges.awards import GUILD, T

HEADER = "event_id,event_name,guild_id,user_id,awarded_at,badge_id\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "handed out" / "badges.csv"


@pytest.fixture
def existing(path):
    path.parent.mkdir()
    return path


def badge(user_id, name="Night watch"):
    return Badge(f"badge-1-{user_id}", 1, name, GUILD, user_id, T)


def take(file, *badges):
    """Have a distributor take badges, and return whose delivery it told of."""
    settled = {}
    file.take(badges, settled.__setitem__)
    assert all(it == Outcome(ok=True) for it in settled.values())
    return list(settled)


def rows(path):
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def ids(path):
    return [it["badge_id"] for it in rows(path)]


def test_a_badge_is_a_row_for_its_owner_alone_to_read(path):
    assert take(CsvFile(path), badge(5)) == ["badge-1-5"]
    assert path.read_text() == f"{HEADER}1,Night watch,{GUILD},5,2023-11-14T22:13:20.000Z,badge-1-5\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_an_event_that_nobody_knows_any_more_has_no_name(path):
    take(CsvFile(path), badge(5, None))
    assert rows(path)[0]["event_name"] == ""


def test_a_badge_that_comes_again_is_settled_and_not_written_again(path):
    file = CsvFile(path)
    take(file, badge(5))
    assert take(file, badge(5), badge(6)) == ["badge-1-5", "badge-1-6"]
    assert ids(path) == ["badge-1-5", "badge-1-6"]


def test_a_crash_before_the_outcome_was_journaled_writes_no_second_row(path):
    def crash(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        CsvFile(path).take([badge(5)], crash)
    assert take(CsvFile(path), badge(5), badge(6)) == ["badge-1-5", "badge-1-6"]
    assert ids(path) == ["badge-1-5", "badge-1-6"]


def test_wherever_a_crash_tore_the_last_line_the_next_life_makes_the_file_whole(path):
    badges = [badge(5), badge(123_456, "a, b"), badge(12_345, 'the "last"')]
    take(CsvFile(path), *badges)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with capture_logs() as logs:
            take(CsvFile(path), *badges)
        assert path.read_bytes() == whole
        torn = length > 0 and not whole[:length].endswith(b"\n")
        assert [it["event"] for it in logs] == ["badge_file_repaired"] * torn


@pytest.mark.parametrize("damage", [b"\0" * 500, b"\0" * 40 + b"ht watch,4194304,6,x,badge-1-6\n", b"1,Ni\n"])
def test_what_a_power_loss_left_of_a_row_counts_for_nothing(path, damage):
    take(CsvFile(path), badge(5))
    path.write_bytes(path.read_bytes() + damage)
    take(CsvFile(path), badge(5), badge(6))
    good = [it for it in path.read_bytes().split(b"\n") if it.startswith(b"1,Night watch,")]
    assert [it.rpartition(b",")[2] for it in good] == [b"badge-1-5", b"badge-1-6"]


KILLED = """
import os, signal, sys
from pathlib import Path
from engine.badges import csv_file
from engine.domain.deliveries import Badge

step, write, fsync = sys.argv[2], os.write, os.fsync

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def tear(file, data):
    write(file, data[:len(data) // 2])
    die()

if step == "write":
    csv_file.os.write = tear
if step == "sync":
    csv_file.os.fsync = die
badges = [Badge(f"badge-1-{it}", 1, "Night watch", 4194304, it, 1700000000000) for it in range(50)]
csv_file.CsvFile(Path(sys.argv[1])).take(badges, die)
"""


@pytest.mark.parametrize("step", ["write", "sync", "settle"])
def test_a_process_killed_at_any_step_leaves_each_badge_to_be_written_once(path, step):
    ended = subprocess.run([sys.executable, "-c", KILLED, path, step], check=False, timeout=60)
    assert ended.returncode == -9
    badges = [badge(it) for it in range(60)]
    assert take(CsvFile(path), *badges) == [it.badge_id for it in badges]
    assert ids(path) == [it.badge_id for it in badges]


def test_a_row_is_on_the_disk_before_its_delivery_is_told(path, monkeypatch):
    steps, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (steps.append("fsync"), fsync(file)))
    CsvFile(path).take([badge(5)], lambda *_: steps.append("settled"))
    assert steps == ["fsync", "fsync", "settled"]  # the file, and its folder, since it is new


@pytest.fixture
def no_room():
    """Let no file grow beyond a size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_no_half_row_and_the_badges_wait(path, no_room):
    file = CsvFile(path)
    take(file, badge(5))
    before, settled = path.read_bytes(), {}
    no_room(len(before) + 10)
    with pytest.raises(OSError):
        file.take([badge(6)], settled.__setitem__)
    assert (path.read_bytes(), settled) == (before, {})
    no_room(1 << 30)
    take(file, badge(6))
    assert ids(path) == ["badge-1-5", "badge-1-6"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("=HYPERLINK(0)", "'=HYPERLINK(0)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" \t=1", "'  =1"),
        ("\uff1d1", "'\uff1d1"),
        ("\r\n=1", "' =1"),
        ("Tea - at five", "Tea - at five"),
        ('Tea,\n"late"', 'Tea, "late"'),
        ("a\0b\x1b[2J", "a b [2J"),
    ],
)
def test_no_name_is_a_formula_or_breaks_its_line(path, name, shown):
    take(CsvFile(path), badge(5, name))
    (row,) = rows(path)
    assert (row["event_name"], row["badge_id"]) == (shown, "badge-1-5")
    assert path.read_text().count("\n") == 2


def test_a_file_that_is_moved_away_is_begun_anew(path):
    file = CsvFile(path)
    take(file, badge(5))
    path.rename(path.with_name("older.csv"))
    take(file, badge(6))
    assert ids(path) == ["badge-1-6"]


def test_what_others_wrote_meanwhile_is_seen(path):
    file = CsvFile(path)
    take(file, badge(5))
    take(CsvFile(path), badge(6))
    take(file, badge(6), badge(7))
    assert ids(path) == ["badge-1-5", "badge-1-6", "badge-1-7"]


def test_a_file_that_a_spreadsheet_saved_is_still_known(path):
    take(CsvFile(path), badge(5, 'the "first"'))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    take(CsvFile(path), badge(5), badge(6))
    assert path.read_text("utf-8-sig").count("badge-1-5") == 1
    assert "badge-1-6" in path.read_text()


@pytest.mark.parametrize("content", ["name,place\nada,Pier\n", "event_id;event_name\n", "\n"])
def test_a_file_of_somebody_else_is_left_as_it_is(existing, content):
    existing.write_text(content)
    with pytest.raises(StorageError, match="move it away"):
        take(CsvFile(existing), badge(5))
    assert existing.read_text() == content


def test_a_pipe_in_its_place_is_refused(existing):
    os.mkfifo(existing)
    with pytest.raises(StorageError, match="badge_file"):
        take(CsvFile(existing), badge(5))


def test_thousands_arrive_whole(path):
    badges = [replace(badge(it), event_name="n" * 80) for it in range(5_000)]
    take(CsvFile(path), *badges)
    assert ids(path) == [it.badge_id for it in badges]
