"""Whatever became of a ledger's file or its log: it is found, or what is read is as it was once committed."""

import os
import random
import shutil
from contextlib import closing

import pytest

from engine.storage.backup import reading
from engine.storage.ledger import SqlLedger
from engine.storage.recovery import recover
from tests.storage.ledger_files import GUILDS, commit_of, make_ledger, rows_of
from tests.storage.recovering import AT, backed_up, go_on, no_gaps, put_aside

MUTATIONS = int(os.environ.get("ROLLCALL_MUTATIONS", "25"))


@pytest.fixture
def ledger(tmp_path):
    return make_ledger(tmp_path / "rollcall.db", commits=12)


@pytest.fixture
def whole(ledger):
    return rows_of(ledger)


def read_all(ledger):
    """Read what an engine reads."""
    with closing(SqlLedger(ledger, 0)) as reader:
        reader.load_partition()
        assert sum(len(reader.load_guild(guild_id, 12).sessions) for guild_id in range(GUILDS + 1)) > 0
        assert (reader.open_events(), reader.subjects(), reader.players()) == ([], [], [])
        reader.pending_outbox(10)


@pytest.mark.parametrize("seed", range(MUTATIONS))
def test_bytes_that_were_changed_anywhere_are_found_or_change_no_more_than_a_value(
    ledger, folder, whole, seed
):
    """Whatever becomes of a file, its start ends with a ledger that can be read and that goes on."""
    chance = random.Random(seed)
    backed_up(ledger, folder, AT - 1)
    data = bytearray(ledger.read_bytes())
    length = chance.choice([1, 1, 1, 4, 512, 4096])
    # The first page, of which every byte counts, as often as all others.
    at = chance.randrange(chance.choice([4096, len(data)]) - length + 1)
    data[at : at + length] = chance.randbytes(length)
    ledger.write_bytes(data)
    rebuilt = recover(ledger, folder, no_gaps, AT)
    rows = rows_of(ledger)
    if rebuilt:
        assert rows == whole
        assert bytes(data) in {it.read_bytes() for it in put_aside(ledger)}
    else:
        assert {table: len(found) for table, found in rows.items()} == {k: len(it) for k, it in whole.items()}
        assert sum(row not in whole[table] for table, found in rows.items() for row in found) <= length
    read_all(ledger)
    go_on(ledger, 13, 14)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """What a killed writer left, its log copied back half-way; and the rows as of each of its commits."""
    path = tmp_path_factory.mktemp("killed") / "rollcall.db"
    copy, rows = path.with_name("left.db"), {}
    with closing(SqlLedger(path, 0)) as writer:
        for number in range(1, 13):
            writer.commit(commit_of(number))
            rows[f"{number}-0"] = rows_of(path)
            if number == 4:
                reader = reading(path)
                reader.execute("BEGIN")
                reader.execute("SELECT 1 FROM session").fetchone()
        writer._writer.execute_sql("PRAGMA wal_checkpoint(PASSIVE)")
        for number in range(13, 16):
            writer.commit(commit_of(number))
            rows[f"{number}-0"] = rows_of(path)
        for ending in ("", "-wal", "-shm"):
            shutil.copy(f"{path}{ending}", f"{copy}{ending}")
        reader.close()
    return copy, rows


@pytest.mark.parametrize("seed", range(MUTATIONS))
def test_a_log_that_was_changed_is_found_or_gives_an_older_commit_whole(killed, tmp_path, folder, seed):
    left, rows = killed
    ledger, chance = tmp_path / "rollcall.db", random.Random(seed)
    shutil.copy(left, ledger)
    log = ledger.with_name("rollcall.db-wal")
    data = bytearray(left.with_name("left.db-wal").read_bytes())
    length = chance.choice([1, 1, 4096])
    at = chance.randrange(len(data) - length + 1)
    data[at : at + length] = chance.randbytes(length)
    log.write_bytes(data)
    if recover(ledger, folder, no_gaps, AT):
        assert log.with_name(f"{put_aside(ledger)[0].name}-wal").read_bytes() == data
        return
    found = rows_of(ledger)
    cursor = found["partition"][0][1]
    assert found == rows[cursor]
    go_on(ledger, int(cursor.partition("-")[0]) + 1, 16)


def test_a_log_that_was_torn_is_an_older_commit_and_no_damage(killed, tmp_path, folder):
    left, rows = killed
    for cut in (1, 24, 4096, 4120):
        ledger = tmp_path / f"{cut}.db"
        shutil.copy(left, ledger)
        data = left.with_name("left.db-wal").read_bytes()
        ledger.with_name(f"{ledger.name}-wal").write_bytes(data[:-cut])
        assert not recover(ledger, folder, no_gaps, AT)
        assert rows_of(ledger) == rows["14-0"]


def test_a_log_cut_short_of_what_was_copied_from_it_is_damage(killed, tmp_path, folder):
    left, rows = killed
    data = left.with_name("left.db-wal").read_bytes()
    outcomes = set()
    for part in range(1, 20):
        ledger = tmp_path / f"{part}.db"
        for ending in ("", "-shm"):
            shutil.copy(f"{left}{ending}", f"{ledger}{ending}")
        ledger.with_name(f"{ledger.name}-wal").write_bytes(data[: len(data) * part // 20])
        rebuilt = recover(ledger, folder, no_gaps, AT)
        outcomes.add(rebuilt)
        assert rebuilt or rows_of(ledger) in rows.values()
    assert outcomes == {True, False}
