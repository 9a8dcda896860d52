"""Which backups go once somebody is forgotten: those with something of theirs, and no others."""

import pytest

from engine.domain.effects import ForgetMember, SaveMember
from engine.domain.event_effects import SaveEvent
from engine.domain.forgetting import marks
from engine.storage.backup import backups_in
from engine.storage.backups import Backups
from engine.storage.protocols import DeadLetter, Quarantine
from tests.storage.ledger_files import clock
from tests.storage.ledgers import EVENT, GUILD, T, Writer, awarded, participant, saved, session

GONE, OTHER, NOBODY = (10**17 + it for it in (1, 2, 999))
LETTER = DeadLetter("1-0", None, b"?" + marks(GONE)[1], "cannot be read", T)
STUCK = Quarantine("guild:1", 1, f"KeyError: {GONE}", "1-0", T)
KNOWN = {
    "a session": {"effects": [session(0, 10_000, GONE)]},
    "a name": {"effects": [SaveMember(GUILD, GONE, "Ann")]},
    "a result": {"effects": [saved(participant(GONE))]},
    "a badge": {"effects": [awarded(GONE)]},
    "a dead letter": {"dead_letters": [LETTER]},
    "why an actor takes nothing any more": {"quarantined": [STUCK]},
}


@pytest.fixture
def writer(ledger):
    writer = Writer(ledger)
    writer.write(SaveEvent(EVENT), session(0, 10_000, OTHER), SaveMember(GUILD, OTHER, "Bob"))
    return writer


@pytest.fixture
def backups(path, folder):
    return Backups(path, folder, every_s=3600, keep=9, now=clock())


@pytest.fixture
def forget(writer):
    def forget(*user_ids, at=T + 60_000):
        state = {**writer.state.forgotten, **dict.fromkeys(user_ids, at)}
        writer.write(*[ForgetMember(it, at) for it in user_ids], forgotten=state, forgotten_changed=True)

    return forget


def made_when_due(backups):
    """Return the one backup that is made because one is due, and is then due no more."""
    assert backups.due()
    made = backups.make().path
    assert not backups.due()
    return made


@pytest.mark.usefixtures("writer")
def test_who_is_in_no_backup_costs_none(backups, folder, forget):
    older = [backups.make().path for _ in range(3)]
    forget(NOBODY)
    assert not backups.due()
    newest = backups.make().path
    assert backups_in(folder) == [newest, *older[::-1]]


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_whatever_one_holds_of_them_it_goes_and_those_without_stay(writer, backups, folder, forget, known):
    without = backups.make().path
    facts = dict(known)
    writer.write(*facts.pop("effects", ()), **facts)
    for _ in range(2):
        backups.make()
    forget(GONE)
    made = made_when_due(backups)
    assert backups_in(folder) == [made, without]


def test_each_who_is_forgotten_later_is_looked_for(writer, backups, folder, forget):
    first = backups.make().path
    writer.write(session(0, 10_000, GONE))
    backups.make()
    forget(NOBODY)
    assert not backups.due()
    forget(GONE)
    made = made_when_due(backups)
    assert backups_in(folder) == [made, first]
    forget(OTHER)
    made = made_when_due(backups)
    assert backups_in(folder) == [made]


def test_who_came_back_stays_in_those_made_since_until_they_are_forgotten_again(
    writer, backups, folder, forget
):
    forget(GONE)
    writer.write(session(70_000, 80_000, GONE))
    backups.make()
    assert not backups.due()
    forget(GONE, at=T + 90_000)
    made = made_when_due(backups)
    assert backups_in(folder) == [made]


def test_one_that_cannot_be_read_goes_when_somebody_is_forgotten(backups, folder, forget):
    unreadable = backups.make().path
    unreadable.write_bytes(b"SQLite format 3\0" + bytes(4080))
    assert not backups.due()
    forget(NOBODY)
    assert backups_in(folder) == [unreadable]
    made = made_when_due(backups)
    assert backups_in(folder) == [made]
