import csv
import json
import os
import sys
from contextlib import closing

import pytest

from tests.api.running import LOUNGE, MINUTE, NOON, update


@pytest.fixture
def attended(rollcall, running):
    """An event of an hour that users 1 and 2 attended; user 1 was elsewhere before."""
    running.tell(update(NOON, 1, LOUNGE), update(NOON + 5000, 1, None), at=NOON + MINUTE)
    assert rollcall("events", "create", "--guild", "10", "--channel", "20", "--name", "x", "--start")[0] == 0
    running.tell(update(NOON + MINUTE, 1, LOUNGE), update(NOON + MINUTE, 2, LOUNGE), at=NOON + 61 * MINUTE)
    assert rollcall("events", "stop", "last")[0] == 0
    running.tell(update(NOON + 62 * MINUTE, 1, None), at=NOON + 63 * MINUTE)
    running.tell(at=NOON + 64 * MINUTE)


@pytest.fixture
def typed(monkeypatch):
    """Type a line at a terminal."""
    master, slave = os.openpty()
    with open(slave) as terminal, closing(os.fdopen(master, "wb", buffering=0)) as keyboard:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", terminal)
        yield lambda line: keyboard.write(line.encode())


@pytest.mark.usefixtures("attended")
def test_a_person_is_forgotten_and_the_command_says_what_that_took(rollcall):
    code, out, err = rollcall("forget", "1", "--yes")
    assert (code, err) == (0, "")
    told = out.splitlines()[0]
    assert told == "user 1 is forgotten: sessions 1, anonymized sessions 1, participants 1, badges 1"
    told = rollcall("forget", "1", "--yes")[1].splitlines()[0]
    assert told == "user 1 is forgotten: nothing was kept of them"
    assert json.loads(rollcall("stats", "event", "last", "--json")[1])["countedSeconds"] == 7200.0


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(("every_h", "becomes"), [(6, "go within minutes"), (0, "stay as they are")])
def test_the_command_says_in_a_line_what_becomes_of_backups(rollcall, folder, config, every_h, becomes):
    with (folder / "config.toml").open("a") as file:
        file.write(f"[backup]\nevery_h = {every_h}\n")
    _, told = rollcall("forget", "1", "--yes")[1].splitlines()
    assert told.startswith("backups ")
    assert becomes in told
    assert str(config.backup_dir) in told
    assert set(json.loads(rollcall("forget", "1", "--yes", "--json")[1])) == {"userId", "forgotten"}


@pytest.mark.usefixtures("attended")
def test_an_export_keeps_badges_with_those_who_have_them(rollcall):
    assert json.loads(rollcall("forget", "1", "--yes", "--json")[1])["forgotten"]["badges"] == 1
    rows = list(csv.DictReader(rollcall("export", "participants", "--event", "last")[1].splitlines()))
    assert [(row["user_id"].rstrip("0123456789"), bool(row["badge"])) for row in rows] == [
        ("forgotten-", True),
        ("", True),
    ]
    assert "forgotten-" in rollcall("events", "report", "last")[1]


@pytest.mark.usefixtures("attended")
@pytest.mark.parametrize(("line", "code"), [("yes\n", 0), ("YES \n", 0), ("y\n", 1), ("\n", 1)])
def test_at_a_terminal_only_yes_is_a_yes(rollcall, typed, line, code):
    typed(line)
    ended, out, err = rollcall("forget", "2")
    assert ended == code
    assert "Type yes: " in err
    assert (
        out.startswith("user 2 is forgotten")
        if code == 0
        else err.endswith("rollcall: nothing was forgotten\n")
    )


def test_nobody_is_asked_where_no_engine_could_do_it(rollcall, ledger, typed):
    code, out, err = rollcall("forget", "2")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "no engine answers at" in err
