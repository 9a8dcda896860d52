"""What is read of an event's participants and badges: the same as all of it scored at once."""

from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.domain.attendance import Participant, Piece, Stay
from engine.domain.effects import SettleOutbox
from engine.domain.event_effects import AwardBadges, SaveEvent, SaveParticipants
from engine.domain.event_views import participant_json
from engine.domain.events import EventStatus, Policy
from engine.domain.ids import person
from engine.domain.rules import BadgeRules
from engine.domain.views import iso
from engine.storage.queries import InvalidCursor, SqlReads
from tests.storage.held import CHANNELS, ELSEWHERE, EVENT, EVENT_ID, Held, held, saved
from tests.storage.ledgers import GUILD, T
from tests.storage.pages import all_pages

SCHEDULED, ACTIVE, ENDED, CANCELLED = EventStatus
ON_FILES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@ON_FILES
@given(it=held(), limit=st.integers(1, 4), eligible=st.sampled_from((None, True, False)))
def test_participants_come_as_scored_all_at_once(files, it, limit, eligible):
    path = files()
    it.write(path)
    expected = [participant_json(it.event, row, it.now) for row in it.result]
    if eligible is not None:
        expected = [row for row in expected if row["eligible"] == eligible]
    found = all_pages(partial(SqlReads(path).participants, EVENT_ID, eligible=eligible), limit)
    assert [{name: row[name] for name in expected[0]} for row in found] == expected


@ON_FILES
@given(it=held())
def test_intervals_cover_presence_and_come_to_the_time_counted(files, it):
    path = files()
    it.write(path)
    for row in all_pages(partial(SqlReads(path).participants, EVENT_ID, intervals=True), 2):
        there = times_of(it, row["userId"])
        found = row["intervals"]
        lasting = [time for time in found if time["duration"]]
        assert [(time["joinTime"], time["channelId"], time["duration"]) for time in lasting] == [
            (iso(at), str(channel_id), (until - at) / 1000) for at, until, channel_id in there
        ]
        assert total(found, "counted") == row["duration"]
        assert total(found, "duration") == round(row["duration"] + sum(row["reasons"].values()), 3)
        assert row["joinTime"] == min([row["enteredAt"], *(time["joinTime"] for time in found)])
        assert row["leaveTime"] == (found[-1]["leaveTime"] if found else row["endDate"])
        is_there = it.event.status is ACTIVE and any(
            stay.left_at is None for stay in it.here if person(stay.user_id) == row["userId"]
        )
        assert (row["leaveTime"] is None) == is_there


def total(rows, name):
    return round(sum(row[name] for row in rows), 3)


def times_of(it, user_id):
    """Look at every ms: in which channel was this user? Where readings overlap, the earlier stay's holds."""
    policy, started_at, times = it.event.policy, it.event.started_at, []
    edge = None
    for stay in (stay for stay in it.here if person(stay.user_id) == user_id):
        begins_at = stay.joined_at - policy.generous * stay.joined_slack_ms
        left_at = it.now if stay.left_at is None else stay.left_at + policy.generous * stay.left_slack_ms
        ends_at = left_at if it.event.ended_at is None else min(left_at, it.event.ended_at)
        goes_on = it.event.ended_at is None or begins_at < it.event.ended_at
        if edge is None and goes_on and max(left_at, stay.joined_at + 1) > started_at:
            edge = max(begins_at, started_at)  # seen for a moment even: nobody was there before
        if edge is None:
            continue
        if moments := [at for at in range(begins_at, ends_at) if edge <= at]:
            times.append((moments[0], moments[-1] + 1, stay.channel_id))
            edge = moments[-1] + 1
    return times


def stay(user_id, joined_at, left_at=None, *, flags=0, pieces=(), channel=CHANNELS[0], **facts):
    span_at = pieces[-1].ended_at if pieces else joined_at
    return Stay(user_id, channel, joined_at, span_at, flags, left_at=left_at, pieces=pieces, **facts)


def test_a_participant_of_an_active_event_reads_as_an_attendance_report(path, reads):
    deaf = stay(1, T + 160, flags=1, pieces=(Piece(T + 160, T + 190, 0),), channel=CHANNELS[1])
    stays = [stay(1, T + 50, T + 150), deaf, stay(1, T + 155, T + 160, channel=ELSEWHERE)]
    Held(replace(EVENT, min_duration_ms=60_000), stays, [], T + 200).write(path)
    (found,) = reads.participants(EVENT_ID, intervals=True).items
    assert found == {
        "userId": "1",
        "userName": None,
        "startDate": iso(T + 160),
        "endDate": iso(T + 190),
        "duration": 0.08,
        "reasons": {"deafened": 0.01},
        "eligible": False,
        "why": "0.08 s counted, 1 min needed; not counted: deafened 0.01 s",
        "enteredAt": iso(T + 100),
        "joinTime": iso(T + 100),
        "leaveTime": None,
        "intervals": [
            {
                "joinTime": iso(T + 100),
                "leaveTime": iso(T + 150),
                "duration": 0.05,
                "channelId": "70",
                "counted": 0.05,
            },
            {
                "joinTime": iso(T + 160),
                "leaveTime": None,
                "duration": 0.04,
                "channelId": "71",
                "counted": 0.03,
            },
        ],
    }


def test_who_was_there_too_shortly_for_a_session_is_a_participant_all_the_same(path, reads):
    glimpsed = Participant(10, T + 120, T + 120, T + 120)
    Held(EVENT, [stay(1, T + 100)], [glimpsed], T + 200).write(path)
    _, found = reads.participants(EVENT_ID, intervals=True).items
    assert (found["userId"], found["duration"], found["intervals"]) == ("10", 0, [])
    assert found["joinTime"] == found["leaveTime"] == iso(T + 120)


def test_an_ended_event_keeps_its_result_when_its_sessions_are_gone(write, reads):
    ended = replace(EVENT, status=ENDED, ended_at=T + 200)
    row = Participant(1, T + 110, T + 130, T + 180, (60, 5, 0, 0, 0, 0, 0, 0), True)
    write(SaveEvent(ended), SaveParticipants(GUILD, EVENT_ID, (row,)))
    (found,) = reads.participants(EVENT_ID, intervals=True).items
    assert (found["duration"], found["eligible"], found["intervals"]) == (0.06, True, [])
    assert (found["joinTime"], found["leaveTime"]) == (iso(T + 110), iso(T + 180))


def test_a_session_that_began_long_before_the_event_counts_from_its_start(path, reads):
    history = [stay(1, T - 1_000 + at, T - 998 + at) for at in range(0, 1_000, 2)]
    Held(EVENT, [*history, stay(1, T, T + 150)], [], T + 200).write(path)
    (found,) = reads.participants(EVENT_ID, intervals=True).items
    assert [(it["joinTime"], it["duration"]) for it in found["intervals"]] == [(iso(T + 100), 0.05)]


def test_read_generously_a_session_reaches_into_the_event_by_its_slack(path, reads):
    event = replace(EVENT, status=ENDED, ended_at=T + 200, policy=Policy(generous=True))
    before = stay(1, T + 50, T + 90, left_slack_ms=20)
    after = stay(1, T + 210, T + 300, joined_slack_ms=30)
    Held(event, [before, after], [], T + 400).write(path)
    (found,) = reads.participants(EVENT_ID, intervals=True).items
    assert [(it["joinTime"], it["leaveTime"]) for it in found["intervals"]] == [
        (iso(T + 100), iso(T + 110)),
        (iso(T + 180), iso(T + 200)),
    ]


def test_who_was_alone_is_found_among_those_of_other_pages_too(path, reads):
    event = replace(EVENT, policy=Policy(count_alone=False))
    Held(event, [stay(1, T + 100), stay(2, T + 150, T + 170)], [], T + 200).write(path)
    first = reads.participants(EVENT_ID, limit=1, intervals=True)
    (second,) = reads.participants(EVENT_ID, limit=1, cursor=first.next).items
    assert (first.items[0]["duration"], first.items[0]["reasons"]) == (0.02, {"alone": 0.08})
    assert first.items[0]["intervals"][0]["counted"] == 0.02
    assert (second["duration"], second["reasons"]) == (0.02, {})


def test_of_an_event_that_has_not_begun_there_is_nobody(write, reads):
    write(SaveEvent(replace(EVENT, status=SCHEDULED, started_at=None)), *saved(stay(1, T)))
    assert reads.participants(EVENT_ID) == ([], None)
    assert reads.badges(EVENT_ID) == ([], None)


def test_of_no_event_there_is_no_page(write, reads):
    assert reads.participants(1) is None
    assert reads.badges(1) is None


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "٣", str(2**63), "forgotten-x", "1" * 5_000])
def test_what_is_no_id_is_no_cursor(write, reads, cursor):
    write(SaveEvent(EVENT))
    for read in (reads.participants, reads.badges):
        with pytest.raises(InvalidCursor):
            read(EVENT_ID, cursor=cursor)


def test_badges_say_what_became_of_them(write, reads):
    write(
        SaveEvent(replace(EVENT, status=ENDED, ended_at=T + 150)),
        AwardBadges(GUILD, EVENT_ID, (1, 2, 3), BadgeRules("webhook"), T + 150),
        AwardBadges(GUILD, EVENT_ID, (4,), BadgeRules(), T + 151),
        SettleOutbox(f"badge-{EVENT_ID}-1", True, "", T + 160),
        SettleOutbox(f"badge-{EVENT_ID}-2", False, "410 Gone", T + 160),
    )
    first = reads.badges(EVENT_ID, limit=2)
    assert first.items == [
        badge("1", "delivered"),
        badge("2", "failed", detail="410 Gone"),
    ]
    assert reads.badges(EVENT_ID, limit=2, cursor=first.next) == (
        [badge("3", "pending"), badge("4", "recorded", distributor="none", at=T + 151)],
        None,
    )


def test_who_asked_to_be_forgotten_has_a_place_in_the_lists(write, reads):
    rows = [Participant(user_id, T + 110, T + 110, T + 130, eligible=True) for user_id in (-2, -1, 1)]
    write(
        SaveEvent(replace(EVENT, status=ENDED, ended_at=T + 200)),
        SaveParticipants(GUILD, EVENT_ID, tuple(rows)),
        AwardBadges(GUILD, EVENT_ID, (-2, -1, 1), BadgeRules(), T + 200),
    )
    for read in (reads.participants, reads.badges):
        found = all_pages(partial(read, EVENT_ID), 1)
        assert [it["userId"] for it in found] == ["forgotten-2", "forgotten-1", "1"]


def badge(user_id, status, *, distributor="webhook", detail=None, at=T + 150):
    return {
        "userId": user_id,
        "userName": None,
        "awardedAt": iso(at),
        "distributor": distributor,
        "status": status,
        "detail": detail,
    }
