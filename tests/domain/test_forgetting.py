"""Who asked to be forgotten: what the journal still tells of them is left out. Times are ms."""

import msgspec.msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain import forgetting
from engine.domain.attendance import Stay, overlaps
from engine.domain.effects import ForgetMember
from engine.domain.event_effects import Answer
from engine.domain.events import Event, EventStatus, Policy
from engine.domain.inputs import (
    Entry,
    GuildSnapshot,
    Heartbeat,
    MemberForgotten,
    MemberNamed,
    MemberRemoved,
    OutboxOutcome,
    RolesChanged,
    VoiceState,
    VoiceStateChanged,
)
from engine.domain.partition import START, PartitionState, admit
from engine.domain.rules import MEMORY_MS, Rules

GUILD, GONE, OTHER = 1 << 22, 5, 6
RULES = Rules(forgotten_ms=2_000_000)


class Door:
    """Lets one input in after the other, as a partition does."""

    def __init__(self) -> None:
        self.state, self.seq = PartitionState(), 0

    def take(self, *inputs):
        entries = [(Entry("life", self.seq + number, it), None) for number, it in enumerate(inputs)]
        self.seq += len(inputs)
        admission = admit(self.state, START, entries, (), RULES)
        self.state = admission.state
        return admission

    def let_in(self, *inputs):
        return [what for share in self.take(*inputs).shares.values() for what, *_ in share]


@pytest.fixture
def door():
    """A partition at 100 that has been asked to forget somebody."""
    it = Door()
    it.take(MemberForgotten(100, GONE, "asked"))
    return it


FACTS = {
    "voice": lambda at, user_id: VoiceStateChanged(at, GUILD, user_id, 7),
    "roles": lambda at, user_id: RolesChanged(at, GUILD, user_id, (1,)),
    "name": lambda at, user_id: MemberNamed(at, GUILD, user_id, "Ann"),
    "removed": lambda at, user_id: MemberRemoved(at, GUILD, user_id),
}


@pytest.mark.parametrize("fact", FACTS.values(), ids=FACTS)
def test_what_was_told_up_to_then_has_no_effect(door, fact):
    assert door.let_in(fact(99, GONE), fact(100, GONE)) == []
    assert door.let_in(fact(100, OTHER)) == [fact(100, OTHER)]


@pytest.mark.parametrize("fact", FACTS.values(), ids=FACTS)
def test_who_comes_back_is_taken_anew(door, fact):
    assert door.let_in(fact(101, GONE)) == [fact(101, GONE)]


def test_an_old_snapshot_is_taken_without_them_and_a_new_one_with_them(door):
    both = tuple(VoiceState(it, 7) for it in (GONE, OTHER))
    (old, new) = door.let_in(GuildSnapshot(100, GUILD, "c1", both), GuildSnapshot(101, GUILD, "c2", both))
    assert [it.user_id for it in old.voice_states] == [OTHER]
    assert new.voice_states == both


def test_what_is_left_out_lets_time_pass_and_is_known_by_its_source(door):
    told = VoiceStateChanged(90, GUILD, GONE, 7)
    admission = door.take(told, told)
    assert admission.state.sources["life"] == (2, 90)
    assert door.take(Heartbeat(500)).state.now == 500


def test_a_late_fact_is_left_out_by_its_own_time(door):
    """At the edge of memory, where it would take effect, it looks younger than it is."""
    door.take(Heartbeat(100 + 2 * MEMORY_MS - 1))
    assert door.let_in(VoiceStateChanged(100, GUILD, GONE, 7)) == []


def test_forgetting_reaches_up_to_the_partitions_time():
    door = Door()
    door.take(Heartbeat(150))
    admission = door.take(MemberForgotten(100, GONE, "asked"))
    assert admission.forgets == [ForgetMember(GONE, 150, RULES.min_session_ms, "asked")]
    assert admission.state.forgotten == {GONE: 150}


def test_a_request_read_again_forgets_nothing_that_came_after_it(door):
    door.take(VoiceStateChanged(200, GUILD, GONE, 7))
    admission = door.take(MemberForgotten(100, GONE, "asked"))
    assert admission.forgets == [Answer("asked")]
    assert admission.state.forgotten == {GONE: 100}


def test_a_second_request_forgets_what_came_since(door):
    admission = door.take(MemberForgotten(300, GONE, "again"))
    assert admission.forgets == [ForgetMember(GONE, 300, RULES.min_session_ms, "again")]
    assert admission.state.forgotten == {GONE: 300}


def test_in_the_end_not_even_that_remains(door):
    last = 100 + RULES.forgotten_ms
    assert door.take(Heartbeat(last)).state.forgotten == {GONE: 100}
    assert door.take(Heartbeat(last + 1)).state.forgotten == {}


BIG = 175_928_847_299_117_063
ENTRIES = [
    (VoiceStateChanged(1, GUILD, BIG, 7), True),
    (VoiceStateChanged(1, GUILD, BIG + 1, 7), False),
    (GuildSnapshot(1, GUILD, "c", (VoiceState(3, 7), VoiceState(BIG, 7))), True),
    (GuildSnapshot(1, GUILD, "c", (VoiceState(3, 7),)), False),
    (OutboxOutcome(1, GUILD, f"badge-9-{BIG}", ok=True), True),
    (OutboxOutcome(1, GUILD, "badge-9-8", ok=False, detail=f"no member {BIG}"), True),
    (OutboxOutcome(1, GUILD, "badge-9-8", ok=True), False),
    (Heartbeat(1), False),
]


@pytest.mark.parametrize(("what", "named"), ENTRIES)
def test_an_entry_tells_of_a_person_readable_or_not(what, named):
    entry = Entry("life", 0, what)
    raw = msgspec.msgpack.encode(entry)
    assert forgetting.tells_of(entry, raw, BIG) is named
    assert forgetting.tells_of(None, raw, BIG) is named


def test_a_dead_letter_keeps_nothing_of_the_forgotten(door):
    old, new = (Entry("life", 0, VoiceStateChanged(at, GUILD, BIG, 7)) for at in (100, 101))
    forgotten = {BIG: 100}
    assert forgetting.blotted(old, b"raw", forgotten) == b""
    assert forgetting.blotted(new, b"raw", forgotten) == b"raw"
    assert forgetting.blotted(None, str(BIG).encode(), forgotten) == b""
    assert forgetting.blotted(None, b"raw", forgotten) == b"raw"


def event(started_at, ended_at=None, *channels, roles=(), **policy):
    status = EventStatus.ACTIVE if ended_at is None else EventStatus.ENDED
    return Event(
        1, GUILD, "watch", channels or (7,), status, started_at=started_at, ended_at=ended_at,
        required_role_ids=roles, policy=Policy(**policy),
    )  # fmt: skip


def stay(joined_at, left_at, channel_id=7, **slacks):
    return Stay(GONE, channel_id, joined_at, joined_at, 0, left_at=left_at, **slacks)


def test_a_stay_is_kept_for_the_events_that_read_it_and_with_their_roles_alone():
    stays = [stay(0, 100), stay(100, 200), stay(200, 300, 8), stay(300, 400), stay(400, 500)]
    events = [event(150, 350, roles=(1, 2)), event(380, None, roles=(3,))]
    assert forgetting.read_by_events(stays, events) == {100: {1, 2}, 300: {1, 2, 3}, 400: {3}}


def test_a_stay_without_the_roles_is_kept_too():
    """It is no session of the event, but who was there without them is among its participants."""
    assert forgetting.read_by_events([stay(0, 100)], [event(50, 60, roles=(9,))]) == {0: {9}}


def test_a_stay_that_only_may_have_reached_into_an_event_is_kept_where_it_reads_generously():
    stays = [stay(0, 100, left_slack_ms=50), stay(400, 500, joined_slack_ms=100)]
    assert forgetting.read_by_events(stays, [event(120, 350)]) == {}
    assert forgetting.read_by_events(stays, [event(120, 350, generous=True)]) == {0: set(), 400: set()}


moments = st.integers(0, 60)


@given(
    st.lists(st.tuples(moments, moments, st.sampled_from([7, 8]), moments, moments), max_size=8),
    st.lists(st.tuples(moments, st.none() | moments, st.booleans()), max_size=4),
)
def test_it_finds_what_each_event_would_find_for_itself(given_stays, given_events):
    given_stays = {it[0]: it for it in given_stays}.values()
    stays = [
        stay(it[0], it[0] + it[1], it[2], joined_slack_ms=it[3], left_slack_ms=it[4])
        for it in sorted(given_stays)
    ]
    events = [
        event(started_at, None if length is None else started_at + length, generous=generous)
        for started_at, length, generous in given_events
    ]
    expected = {it.joined_at for it in stays for one in events if it.channel_id == 7 and overlaps(one, it)}
    assert forgetting.read_by_events(stays, events).keys() == expected
