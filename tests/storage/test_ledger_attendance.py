"""What every ledger promises of an event's attendance: the sessions that reach into it, and its audits."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.domain.attendance import Piece, Stay
from engine.domain.effects import SaveSession, SaveSpan, Status
from engine.domain.event_effects import SaveEvent
from engine.domain.events import EventStatus, Policy
from engine.domain.inputs import VoiceFlags
from engine.domain.sessions import Session
from engine.storage.protocols import Attendance, StorageError
from engine.storage.rows import ROWS_PER_STATEMENT
from tests.actors.rows import Rows, stay_of
from tests.storage.ledgers import CHANNEL, EVENT, GUILD, Contract, OnSqlite, T, Writer, participant, saved

STRICT, GENEROUS = Policy(), Policy(generous=True)
WINDOW = replace(EVENT, started_at=T + 10, ended_at=T + 20)
ENDLESS = T * 2


def opened(user_id=1, joined_at=T, channel_id=CHANNEL, *, guild_id=GUILD, **facts):
    facts = {"flags": 0, "span_at": joined_at, "chain_at": joined_at} | facts
    return SaveSession(guild_id, Session(user_id, channel_id, joined_at, **facts), at=joined_at)


def closed(joined_at, left_at, *, left_slack_ms=0, **facts):
    it = opened(joined_at=joined_at, **facts)
    return SaveSession(it.guild_id, it.session, left_at, left_at, left_slack_ms, Status.COMPLETED)


def key_of(it):
    return it.guild_id, it.session.user_id, it.session.joined_at


def reaches_into(event, it):
    """Say so of a session's last save, as the issue words it."""
    generous = event.policy.generous
    begin = it.session.joined_at - generous * it.session.joined_slack_ms
    end = ENDLESS
    if it.left_at is not None:
        end = max(it.left_at + generous * it.left_slack_ms, it.session.joined_at + 1)
    if it.session.flags & VoiceFlags.BOT:
        return False
    in_it = it.guild_id == event.guild_id and it.session.channel_id in event.channel_ids
    return in_it and begin < (event.ended_at or ENDLESS) and event.started_at < end


class AttendanceContract(Contract):
    def stays(self, ledger, event):
        return ledger.load_attendance(event).stays

    def test_a_stay_has_its_spans_in_order_with_flags_and_roles(self, ledger, writer):
        spans = [
            SaveSpan(GUILD, 1, T, T, T + 12, 1, (5, 6)),
            SaveSpan(GUILD, 1, T, T + 12, T + 15, 0, (5,)),
            SaveSpan(GUILD, 1, T, T + 15, T + 16, 32),
        ]
        facts = {"flags": 4, "span_at": T + 16, "roles": (6,), "joined_slack_ms": 3, "left_slack_ms": 2}
        others = [SaveSpan(GUILD, 2, T, T, T + 3, 9), SaveSpan(GUILD, 1, T - 1, T - 1, T, 9)]
        writer.write(*reversed(spans), *others, closed(T, T + 18, **facts))
        assert ledger.load_attendance(WINDOW) == Attendance(
            WINDOW,
            [
                Stay(
                    user_id=1,
                    channel_id=CHANNEL,
                    joined_at=T,
                    span_at=T + 16,
                    flags=4,
                    roles=(6,),
                    joined_slack_ms=3,
                    left_at=T + 18,
                    left_slack_ms=2,
                    pieces=(
                        Piece(T, T + 12, 1, (5, 6)),
                        Piece(T + 12, T + 15, 0, (5,)),
                        Piece(T + 15, T + 16, 32, ()),
                    ),
                )
            ],
            [],
        )

    def test_the_sessions_of_bots_are_none_of_an_events(self, ledger, writer):
        writer.write(opened(1, T + 2), opened(50, T + 3, flags=VoiceFlags.BOT | VoiceFlags.SELF_DEAF))
        assert [it.user_id for it in self.stays(ledger, WINDOW)] == [1]

    def test_stays_come_in_order_of_joining_then_of_users(self, ledger, writer):
        writer.write(opened(3, T + 2), opened(2, T + 5), opened(1, T + 5), closed(T - 9, T + 11, user_id=9))
        found = [(it.joined_at, it.user_id) for it in self.stays(ledger, WINDOW)]
        assert found == [(T - 9, 9), (T + 2, 3), (T + 5, 1), (T + 5, 2)]

    @pytest.mark.parametrize(
        ("session", "strict", "generous"),
        [
            (closed(T, T + 10), False, False),  # left as it began
            (closed(T, T + 11), True, True),
            (closed(T + 10, T + 10), True, True),  # of no length: a moment
            (closed(T + 9, T + 9), False, False),
            (closed(T + 20, T + 25), False, False),  # came as it ended
            (closed(T + 19, T + 25), True, True),
            (closed(T, T + 9, left_slack_ms=1), False, False),
            (closed(T, T + 9, left_slack_ms=2), False, True),
            (closed(T, T + 10, left_slack_ms=1), False, True),
            (closed(T + 20, T + 25, joined_slack_ms=1), False, True),
            (opened(joined_at=T + 20, joined_slack_ms=1), False, True),
            (opened(joined_at=T + 19), True, True),
            (opened(joined_at=T + 20), False, False),
            (closed(T, T + 99), True, True),
            (opened(channel_id=CHANNEL + 1), False, False),
            (opened(guild_id=GUILD * 2), False, False),
        ],
    )
    def test_a_stay_is_one_that_reaches_into_the_window(self, ledger, writer, session, strict, generous):
        writer.write(session)
        assert [bool(self.stays(ledger, replace(WINDOW, policy=it))) for it in (STRICT, GENEROUS)] == [
            strict,
            generous,
        ]

    def test_an_active_events_window_is_open_at_its_end(self, ledger, writer):
        writer.write(opened(1, T + 1_000_000), closed(T + 500_000, T + 600_000, user_id=2))
        assert [it.user_id for it in self.stays(ledger, replace(WINDOW, ended_at=None))] == [2, 1]

    def test_an_event_that_has_not_begun_has_participants_at_most(self, ledger, writer):
        writer.write(opened(), saved(participant(1)))
        scheduled = replace(EVENT, status=EventStatus.SCHEDULED, started_at=None)
        assert ledger.load_attendance(scheduled) == Attendance(scheduled, [], [participant(1)])

    def test_several_channels_are_one_attendance(self, ledger, writer):
        writer.write(*(opened(n, T, 70 + n) for n in range(1, 5)))
        event = replace(WINDOW, channel_ids=(73, 71, 99))
        assert [it.user_id for it in self.stays(ledger, event)] == [1, 3]
        assert self.stays(ledger, replace(WINDOW, channel_ids=())) == []

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_the_sessions_found_are_those_that_a_plain_look_finds(self, open_ledger, data):
        histories = st.lists(sessions(), max_size=12, unique_by=lambda it: key_of(it[-1]))
        effects = data.draw(histories, label="sessions")
        writer, apart = Writer(open_ledger(fresh=True)), Rows()
        writer.write(*(it for some in effects for it in some))
        for effect in (it for some in effects for it in some):
            apart.apply(effect)
        for event in data.draw(st.lists(events, min_size=1, max_size=4), label="events"):
            found = writer.ledger.load_attendance(event)
            assert found == apart.attendance(event)  # by the domain's own rule
            plain = [
                stay_of(it, [span for at, span in apart.spans.items() if at[:3] == key])
                for key, it in apart.sessions.items()
                if reaches_into(event, it)
            ]
            assert found.stays == sorted(plain, key=lambda it: (it.joined_at, it.user_id))
        writer.ledger.close()

    def test_an_audit_tells_of_the_moment_it_was_made_at(self, ledger, writer):
        writer.write(SaveEvent(WINDOW), opened(), saved(participant(1)))
        audit = ledger.audit(WINDOW.event_id)
        expected = ledger.load_attendance(WINDOW)
        writer.write(SaveEvent(EVENT), closed(T, T + 12), opened(2), saved(participant(2), whole=True))
        assert audit() == expected
        assert ledger.audit(WINDOW.event_id)() == ledger.load_attendance(EVENT) != expected

    def test_audits_are_read_on_any_thread_and_once(self, ledger, writer):
        writer.write(SaveEvent(WINDOW), opened())
        audits = [ledger.audit(WINDOW.event_id) for _ in range(8)]
        with ThreadPoolExecutor(4) as others:
            found = list(others.map(lambda it: it(), audits))
        assert found == [ledger.load_attendance(WINDOW)] * 8
        for audit in audits:
            with pytest.raises(StorageError, match="read already"):
                audit()

    def test_there_is_no_audit_of_an_event_that_is_not_there(self, ledger):
        with pytest.raises(StorageError, match="no event 900") as refused:
            ledger.audit(900)
        assert "\n" not in str(refused.value)

    def test_a_ledger_that_closes_takes_its_audits_with_it(self, ledger, writer):
        writer.write(SaveEvent(WINDOW))
        read, unread = ledger.audit(WINDOW.event_id), ledger.audit(WINDOW.event_id)
        read()
        ledger.close()
        with pytest.raises(StorageError, match="its ledger was closed"):
            unread()


@st.composite
def sessions(draw):
    """A session with its ended spans, as effects."""
    joined_at = T + draw(st.integers(0, 30))
    length = draw(st.none() | st.integers(0, 30))
    until = joined_at + (30 if length is None else length)
    cuts = [joined_at + it for it in sorted({0} | draw(st.sets(st.integers(1, 30), max_size=3)))]
    cuts = [it for it in cuts if it <= until]
    guild_id, user_id = draw(st.sampled_from([GUILD, GUILD * 2])), draw(st.integers(1, 3))
    facts = {
        "user_id": user_id,
        "guild_id": guild_id,
        "channel_id": draw(st.sampled_from([CHANNEL, CHANNEL + 1])),
        "span_at": cuts[-1],
        "roles": draw(roles),
        "joined_slack_ms": draw(slacks),
    }
    if length is None:
        last = opened(joined_at=joined_at, **facts)
    else:
        last = closed(joined_at, joined_at + length, left_slack_ms=draw(slacks), **facts)
    key = (guild_id, user_id, joined_at)
    spans = [SaveSpan(*key, *it, draw(st.integers(0, 3)), draw(roles)) for it in pairwise(cuts)]
    return [*spans, last]


roles = st.sampled_from([(), (5,), (5, 6)])
slacks = st.sampled_from([0, 0, 1, 2, 15])
events = st.builds(
    lambda start, length, channels, policy: replace(
        EVENT,
        started_at=T + start,
        ended_at=None if length is None else T + start + length,
        channel_ids=channels,
        policy=policy,
    ),
    st.integers(5, 40),
    st.none() | st.integers(0, 20),
    st.sampled_from([(CHANNEL,), (CHANNEL + 1, CHANNEL)]),
    st.sampled_from([STRICT, GENEROUS]),
)


class TestSqlLedger(OnSqlite, AttendanceContract):
    def test_spans_of_many_sessions_are_read_some_hundreds_at_a_time(self, ledger, writer):
        many = 4 * ROWS_PER_STATEMENT
        spans = [SaveSpan(GUILD, n, T, T + k, T + k + 1, k) for n in range(many) for k in range(3)]
        writer.write(*(opened(n, span_at=T + 3) for n in range(many)), *spans)
        told = []
        ledger._reader.connection().set_trace_callback(told.append)
        stays = self.stays(ledger, WINDOW)
        ledger._reader.connection().set_trace_callback(None)
        assert Counter(len(it.pieces) for it in stays) == {3: many}
        assert sum("SELECT" in it for it in told) <= 6 + 2

    @pytest.mark.parametrize("policy", [STRICT, GENEROUS])
    def test_the_sessions_of_long_ago_are_not_looked_at(self, ledger, writer, policy):
        event = replace(WINDOW, policy=policy)

        def steps():
            count = []
            connection = ledger._reader.connection()
            connection.set_progress_handler(lambda: count.append(1), 1)
            self.stays(ledger, event)
            connection.set_progress_handler(None, 1)
            return len(count)

        writer.write(opened(), closed(T, T + 15, user_id=2))
        few = steps()
        writer.write(*(closed(T - 100 * n, T - 50 * n, user_id=3) for n in range(2, 1_000)))
        assert steps() <= few + 20

    def test_audits_leave_nothing_behind(self, ledger, writer, tmp_path):
        writer.write(SaveEvent(WINDOW))
        ledger.audit(WINDOW.event_id)
        ledger.audit(WINDOW.event_id)()
        ledger.close()
        assert [it.name for it in tmp_path.iterdir()] == ["rollcall.db"]

    def test_an_audit_that_is_being_read_ends_before_its_ledger_closes(self, ledger, writer):
        writer.write(SaveEvent(WINDOW), *(opened(n) for n in range(500)))
        audit, reading, closing = ledger.audit(WINDOW.event_id), threading.Event(), threading.Event()
        close = audit.close

        def wait(_):
            reading.set()
            closing.wait(10)

        def tell():
            closing.set()
            close()

        audit.close = tell
        audit._database.connection().set_trace_callback(wait)
        with ThreadPoolExecutor(1) as other:
            found = other.submit(audit)
            assert reading.wait(10)
            ledger.close()
            assert len(found.result(10).stays) == 500
