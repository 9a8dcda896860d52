"""What members are called, beside their ids in all that is read."""

from contextlib import closing

import pytest

from engine.domain.effects import SaveMember
from engine.domain.event_effects import SaveEvent
from engine.storage.database import open_readonly
from engine.storage.ledger import SqlLedger
from engine.storage.member_queries import member_names
from engine.storage.queries import SessionFilter, SqlReads
from tests.storage.ledgers import EVENT, GUILD, T, Writer, awarded, participant, saved, session

NAMES = SaveMember(GUILD, 1, "Ann"), SaveMember(GUILD + 1, 2, "Elsewhere")


@pytest.fixture
def write(path):
    with closing(SqlLedger(path, 0)) as ledger:
        yield Writer(ledger).write


@pytest.fixture
def names(path, write):
    def read(*members):
        with closing(open_readonly(path)) as database:
            return member_names(database, members)

    return read


def test_the_last_name_told_stands_in_one_commit_and_over_several(write, names):
    write(SaveMember(GUILD, 1, "Ann"), SaveMember(GUILD, 2, "Bob"), SaveMember(GUILD, 1, "Anna"))
    assert names((GUILD, 1), (GUILD, 2)) == {(GUILD, 1): "Anna", (GUILD, 2): "Bob"}
    write(SaveMember(GUILD, 1, "\x07 🚢"), SaveMember(GUILD, 2, "Bob"))
    assert names((GUILD, 1), (GUILD, 2)) == {(GUILD, 1): "\x07 🚢", (GUILD, 2): "Bob"}


def test_a_name_is_of_one_guild_and_of_who_has_one(write, names):
    write(*NAMES)
    assert names((GUILD, 1), (GUILD, 2), (GUILD, 1)) == {(GUILD, 1): "Ann"}
    assert names() == {}


def test_sessions_participants_and_badges_show_names_where_they_are_known(path, write):
    rows = participant(1), participant(2)
    write(*NAMES, SaveEvent(EVENT), session(0, 5), session(1, 5, 2), saved(*rows), awarded(1, 2))
    reads = SqlReads(path)
    pages = reads.badges(EVENT.event_id), reads.sessions(SessionFilter()), reads.participants(EVENT.event_id)
    for page in pages:
        assert {it["userId"]: it["userName"] for it in page.items} == {"1": "Ann", "2": None}
        assert all(list(it).index("userName") == list(it).index("userId") + 1 for it in page.items)
    assert reads.session(f"{GUILD}-1-{T}")["userName"] == "Ann"
