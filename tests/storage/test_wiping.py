"""Nothing of someone forgotten is left in the ledger's files, wherever SQLite had moved it."""

import random
from contextlib import closing

import pytest
from msgspec.structs import replace

from engine.domain.effects import ForgetMember, SaveSession, SaveSpan, Status
from engine.domain.event_effects import SaveEvent
from engine.domain.sessions import Session
from engine.storage import wiping
from engine.storage.database import driver, open_database, open_readonly
from tests.storage.ledgers import EVENT, T, Writer, awarded, participant, saved

GONE = 175_928_847_299_117_063
GUILDS = [(1_000 + number) << 22 for number in range(40)]


@pytest.fixture
def writer(ledger):
    return Writer(ledger)


def crowd(number):
    """Return sessions of many, each with a span; every twentieth of the one who is to be forgotten."""
    chance = random.Random(number)
    users = [chance.getrandbits(59) | 1 << 58 for _ in range(800)]
    for index in range(20_000):
        at = T + (number * 20_000 + index) * 50
        user_id = GONE if index % 20 == 0 else chance.choice(users)
        guild_id = chance.choice(GUILDS)
        session = Session(user_id, 70, at, 0, at, at, gateway_session_id=f"{chance.getrandbits(128):032x}")
        yield SaveSpan(guild_id, user_id, at, at, at + 10, 0, (3, 4))
        yield SaveSession(guild_id, session, at, at + 40, status=Status.COMPLETED)


def forget(writer, user_id=GONE):
    it = ForgetMember(user_id, T + 10**9)
    commit = writer.prepare(it, forgotten={user_id: it.at}, forgotten_changed=True)
    writer.ledger.commit(commit)
    writer.state = commit.state


def traces(path, user_id=GONE):
    """Count where an id stands in the ledger's files, in all forms in which anybody might have written it."""
    marks = {
        user_id.to_bytes(8, "big"),
        user_id.to_bytes(8, "little"),
        str(user_id).encode(),
    }
    files = [it for it in path.parent.iterdir() if it.name.startswith(path.name)]
    return sum(it.read_bytes().count(mark) for it in files for mark in marks)


def test_only_that_they_are_forgotten_is_left_and_in_the_end_not_even_that(ledger, writer, path):
    # Half of it is kept by an event, under a pseudonym.
    writer.write(SaveEvent(replace(EVENT, guild_id=GUILDS[0])))
    for number in range(4):
        writer.write(*crowd(number))
    writer.write(saved(participant(GONE)), awarded(GONE))
    assert traces(path) > 4_000
    forget(writer)
    assert ledger.wipe([GONE])
    assert traces(path) == 1
    assert path.with_name("rollcall.db-wal").stat().st_size == 0
    writer.write(forgotten={}, forgotten_changed=True)
    assert ledger.wipe([])
    assert traces(path) == 0


def test_the_rewritten_ledger_is_the_same(ledger, writer, path):
    writer.write(*crowd(0))
    forget(writer)
    before = contents(path)
    wiping.rewrite(driver(ledger._writer))
    assert contents(path) == before
    with closing(open_database(path)) as database:  # still ours, by its header
        assert database.pragma("integrity_check") == "ok"


def contents(path):
    with closing(open_readonly(path)) as database:
        tables = sorted(database.get_tables())
        return {
            it: database.execute_sql(f'SELECT * FROM "{it}" ORDER BY 1, 2, 3').fetchall() for it in tables
        }


def test_a_reader_in_the_way_is_not_waited_for(ledger, writer, path, monkeypatch):
    monkeypatch.setattr(wiping, "PATIENCE_MS", 1)
    writer.write(*crowd(0))
    with closing(open_readonly(path)) as database:
        reader = driver(database)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM session").fetchone()
        forget(writer)
        assert not ledger.wipe([GONE])
    assert ledger.wipe([GONE])
    assert traces(path) == 1


@pytest.fixture
def rewrites(monkeypatch):
    """How often the file was written anew."""
    made, really = [], wiping.rewrite

    def rewrite(connection):
        made.append(1)
        really(connection)

    monkeypatch.setattr(wiping, "rewrite", rewrite)
    return made


def test_a_file_without_a_trace_is_left_as_it_is(ledger, writer, rewrites):
    writer.write(*crowd(0))
    assert ledger.wipe([GONE + 1])
    assert rewrites == []


def test_who_came_back_is_not_looked_for(ledger, writer, rewrites):
    forget(writer)
    writer.write(*crowd(0))
    assert ledger.wipe([GONE])
    assert rewrites == []


@pytest.mark.parametrize("chunk_bytes", [8, 9, 64, 1 << 20])
def test_an_id_is_found_wherever_the_portions_end(tmp_path, monkeypatch, chunk_bytes):
    monkeypatch.setattr(wiping, "CHUNK_BYTES", chunk_bytes)
    mark, file = GONE.to_bytes(8, "big"), tmp_path / "file"
    file.write_bytes(b"".join(mark + bytes(length) for length in range(30)))
    assert wiping.occurrences(file, mark) == 30


def test_what_is_deleted_is_overwritten(ledger):
    assert ledger._writer.pragma("secure_delete") == 1
