"""What is read of the ledger as a whole, of names, and of dead letters."""

from contextlib import closing

import pytest

from engine.domain.effects import DropChannel, PostMessage, SaveChannel, SaveGuild
from engine.storage import queries
from engine.storage.database import open_readonly
from engine.storage.protocols import DeadLetter, StorageError
from engine.storage.queries import SqlReads
from tests.storage.ledgers import CHANNEL, GUILD, T, session


def test_the_overview_counts(write, reads):
    write(
        session(0),
        session(0, guild_id=2 << 22),
        session(-9, -5),
        SaveGuild(GUILD, "Here", None, "c", T, None, True, 3, T),
        SaveGuild(2 << 22, "Lost", None, "c", T, T, False, 3, T),
        PostMessage("o", GUILD, CHANNEL, "text", T),
        dead_letters=[DeadLetter("1-0", GUILD, b"x", "checksum", T)],
    )
    assert reads.overview() == {
        "openSessions": 2,
        "closedSessions": 1,
        "guilds": 1,
        "deadLetters": 1,
        "outboxPending": 1,
    }
    assert reads.open_by_guild() == {GUILD: 1, 2 << 22: 1}


def test_names_outlive_their_channels(write, path):
    write(
        SaveGuild(GUILD, "Here", None, "c", T, None, True, 3, T),
        SaveChannel(GUILD, CHANNEL, "Lounge", 2, T),
        SaveChannel(GUILD, 71, "Stage", 13),
        DropChannel(GUILD, CHANNEL, T + 5),
    )
    with closing(open_readonly(path)) as database:
        assert queries.guild_names(database, [GUILD, 99]) == {GUILD: "Here"}
        wanted = [(GUILD, CHANNEL), (GUILD, 71), (GUILD, 99)]
        assert queries.channel_names(database, wanted) == {CHANNEL: "Lounge", 71: "Stage"}
        assert queries.channel_names(database, []) == {}


def test_without_a_ledger_reading_says_what_to_do(tmp_path):
    with pytest.raises(StorageError, match="rollcall run"):
        SqlReads(tmp_path / "none.db").overview()
