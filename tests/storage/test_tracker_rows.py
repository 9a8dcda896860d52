"""Players, other bots and subjects in the ledger: what was saved last is what comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.partition import PartitionState
from engine.domain.tracker_effects import (
    AbandonEvent,
    DisconnectPlayer,
    DropSubject,
    SavePlayer,
    SavePresence,
    SaveSubject,
    TellListeners,
    TransitionKind,
    WakeAt,
)
from engine.domain.tracking import (
    Mark,
    Override,
    Player,
    PlayerState,
    Presence,
    Subject,
    SubjectKind,
    SubjectState,
)
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import Commit

GUILD, BOT = 1 << 22, 77
PLAYER = Player(5, 1_000, PlayerState.PLAYING, paused_by_us=True)
SUBJECT = Subject(
    SubjectKind.PLAYER,
    GUILD,
    SubjectState.EXPIRING,
    {"users": Mark(1_000, 30_000), "idle": Mark(2_000)},
    31_000,
    7,
    ignored=True,
    asked_at=31_000,
    override=Override(60_000, ("users",), exempt=True),
    silent={"mixer": 1_500, "users": 2_500},
)


@pytest.fixture
def ledger(tmp_path):
    it = SqlLedger(tmp_path / "rollcall.db", 0)
    yield it
    it.close()


def write(ledger, *effects):
    before = ledger.load_partition()
    cursor = f"{int(before.cursor[:-2]) + 1}-0"
    ledger.commit(Commit(before.cursor, PartitionState(cursor, before.now), list(effects)))


def test_a_guild_comes_back_with_its_player_its_bots_and_its_subject(ledger):
    bot = Presence(BOT, 5, 3, (1, 2))
    write(ledger, SavePlayer(GUILD, PLAYER), SavePresence(GUILD, BOT, bot), SaveSubject(GUILD, SUBJECT))
    state = ledger.load_guild(GUILD, 0)
    assert (state.player, state.bots, state.subject) == (PLAYER, {BOT: bot}, SUBJECT)
    assert ledger.players() == [GUILD]
    assert ledger.subjects() == [(GUILD, SUBJECT)]


def test_what_ended_is_gone(ledger):
    write(
        ledger,
        SavePlayer(GUILD, PLAYER),
        SavePresence(GUILD, BOT, Presence(BOT, 5)),
        SaveSubject(GUILD, SUBJECT),
    )
    write(
        ledger,
        SavePlayer(GUILD, None),
        SavePresence(GUILD, BOT, None),
        DropSubject(GUILD, SubjectKind.PLAYER, GUILD),
    )
    state = ledger.load_guild(GUILD, 0)
    assert (state.player, state.bots, state.subject) == (None, {}, None)
    assert ledger.players() == []


def test_a_player_and_an_event_of_the_same_id_are_two_subjects(ledger):
    event = Subject(SubjectKind.EVENT, GUILD, SubjectState.INACTIVE, {"abandoned": Mark(5)}, 9)
    write(ledger, SaveSubject(GUILD, SUBJECT), SaveSubject(GUILD, event))
    assert ledger.load_subject(SubjectKind.PLAYER, GUILD) == SUBJECT
    assert ledger.load_subject(SubjectKind.EVENT, GUILD) == event
    write(ledger, DropSubject(GUILD, SubjectKind.PLAYER, GUILD))
    assert ledger.load_subject(SubjectKind.PLAYER, GUILD) is None
    assert ledger.load_subject(SubjectKind.EVENT, GUILD) == event


def test_of_one_commit_the_last_word_counts(ledger):
    write(
        ledger,
        SavePlayer(GUILD, PLAYER),
        SavePlayer(GUILD, None),
        SaveSubject(GUILD, SUBJECT),
        DropSubject(GUILD, SubjectKind.PLAYER, GUILD),
        SavePlayer(GUILD, Player(6, 2_000)),
    )
    state = ledger.load_guild(GUILD, 0)
    assert (state.player, state.subject) == (Player(6, 2_000), None)


def test_a_disconnection_waits_in_the_outbox_and_what_is_told_to_others_leaves_no_row(ledger):
    disconnect = DisconnectPlayer("disconnect-1", GUILD, 5, 31_000)
    told = TellListeners(
        GUILD, SubjectKind.PLAYER, GUILD, TransitionKind.INACTIVE, 31_000, SubjectState.EXPIRED
    )
    write(ledger, disconnect, told, AbandonEvent(GUILD, 900, 5, 9), WakeAt(GUILD, 9))
    assert ledger.pending_outbox(10) == [disconnect]


def test_subjects_and_players_belong_to_one_partition(tmp_path):
    path, other = tmp_path / "rollcall.db", 2 << 22
    ledgers = [SqlLedger(path, number, 2) for number in range(2)]
    write(ledgers[1], SavePlayer(GUILD, PLAYER), SaveSubject(GUILD, SUBJECT), SavePlayer(other, PLAYER))
    assert [it.players() for it in ledgers] == [[other], [GUILD]]
    assert [it.subjects() for it in ledgers] == [[], [(GUILD, SUBJECT)]]
    for it in ledgers:
        it.close()


MARKS = st.dictionaries(
    st.text(max_size=8), st.builds(Mark, st.integers(0, 2**52), st.none() | st.integers(1, 2**52)), max_size=4
)
OVERRIDES = st.builds(
    Override,
    st.none() | st.integers(1, 2**52),
    st.none() | st.lists(st.text(max_size=5), max_size=3).map(tuple),
    st.booleans(),
)
SUBJECTS = st.builds(
    Subject,
    st.sampled_from(SubjectKind),
    st.integers(1, 2**63 - 1),
    st.sampled_from(SubjectState),
    MARKS,
    st.none() | st.integers(0, 2**52),
    st.integers(0, 2**52),
    st.booleans(),
    st.none() | st.integers(0, 2**52),
    st.none() | OVERRIDES,
)


@given(subjects=st.lists(SUBJECTS, max_size=6))
def test_any_subject_comes_back_as_it_was(tmp_path_factory, subjects):
    ledger = SqlLedger(tmp_path_factory.mktemp("ledger") / "rollcall.db", 0)
    write(ledger, *(SaveSubject(GUILD, it) for it in subjects))
    expected = {(it.kind, it.subject_id): it for it in subjects}
    assert {(it.kind, it.subject_id): it for _, it in ledger.subjects()} == expected
    ledger.close()
