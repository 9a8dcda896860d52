"""Statistics are what counting by hand comes to."""

from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.domain.attendance import Participant, Stay
from engine.domain.effects import SaveChannel, SaveGuild, SettleOutbox
from engine.domain.event_effects import AwardBadges, SaveEvent, SaveParticipants
from engine.domain.event_views import REASON_NAMES, participant_json
from engine.domain.events import EventStatus
from engine.domain.rules import BadgeRules
from engine.domain.views import iso
from engine.storage.ledger import SqlLedger
from engine.storage.queries import SqlReads
from tests.storage.held import ELSEWHERE, EVENT, EVENT_ID, USERS, Held, held, saved, stays_of
from tests.storage.ledgers import GUILD, T, Writer

SCHEDULED, ACTIVE, ENDED, CANCELLED = EventStatus
OTHER_GUILD, LOST_GUILD = 2 << 22, 3 << 22
ON_FILES = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@ON_FILES
@given(it=held())
def test_an_events_statistics_are_the_sums_of_its_participants(files, it):
    path = files()
    it.write(path)
    rows = [participant_json(it.event, row, it.now) for row in it.result]
    stats = SqlReads(path).event_stats(EVENT_ID)
    lost = {name: total(row["reasons"].get(name, 0) for row in rows) for name in REASON_NAMES.values()}
    length = ((it.event.ended_at or it.now) - it.event.started_at) / 1000
    assert stats["length"] == length
    assert (stats["participants"], stats["eligible"]) == (len(rows), sum(row["eligible"] for row in rows))
    assert stats["countedSeconds"] == total(row["duration"] for row in rows)
    assert stats["reasons"] == {name: seconds for name, seconds in lost.items() if seconds}
    assert stats["presentSeconds"] == total([stats["countedSeconds"], *lost.values()])
    assert stats["averageConcurrency"] == (round(stats["presentSeconds"] / length, 3) if length else 0)


def total(seconds):
    return round(sum(seconds), 3)


@ON_FILES
@given(it=held())
def test_the_peak_is_the_moment_with_most_people(files, it):
    if it.event.policy.generous:
        it.event = replace(it.event, policy=replace(it.event.policy, generous=False))
    path = files()
    it.write(path)
    stats = SqlReads(path).event_stats(EVENT_ID)
    ended_at = it.event.ended_at or T + 1_000
    there = {at: present(it.here, at) for at in range(it.event.started_at, ended_at)}
    most = max(there.values(), default=0)
    assert stats["peakConcurrency"] == most
    first = next((at for at, count in there.items() if count == most), None) if most else None
    assert stats["peakAt"] == (None if first is None else iso(first))


def present(stays, at):
    """Count who was there at a moment; a stay of no length was one."""
    times = ((it.joined_at, T + 1_000 if it.left_at is None else it.left_at) for it in stays)
    return sum(joined_at <= at < max(left_at, joined_at + 1) for joined_at, left_at in times)


def test_an_ended_events_statistics_read_as_the_contract_says(path, write, reads):
    event = replace(EVENT, status=ENDED, ended_at=T + 200, min_share=0.5, settled=True)
    stays = [
        Stay(1, 70, T, T, 0, left_at=T + 400),
        Stay(2, 71, T + 110, T + 110, 0, left_at=T + 150),
        Stay(3, 70, T + 140, T + 140, 1, left_at=T + 150),
        Stay(4, ELSEWHERE, T + 140, T + 140, 0),
    ]
    badges = BadgeRules("webhook")
    write(AwardBadges(GUILD, EVENT_ID, (1, 2, 3), badges, T + 200), SettleOutbox("x", True, "", T))
    write(SettleOutbox(f"badge-{EVENT_ID}-1", True, "", T + 210), AwardBadges(GUILD, 1, (1,), badges, T))
    write(SettleOutbox(f"badge-{EVENT_ID}-2", False, "410 Gone", T + 210))
    write(AwardBadges(GUILD, EVENT_ID, (4,), BadgeRules(), T + 200))
    Held(event, stays, [Participant(9, T + 130, T + 130, T + 130)], T + 500).write(path)
    assert reads.event_stats(EVENT_ID) == {
        "eventId": str(EVENT_ID),
        "startedAt": iso(T + 100),
        "endedAt": iso(T + 200),
        "length": 0.1,
        "participants": 4,
        "eligible": 1,
        "countedSeconds": 0.14,
        "presentSeconds": 0.15,
        "reasons": {"deafened": 0.01},
        "peakConcurrency": 3,
        "peakAt": iso(T + 140),
        "averageConcurrency": 1.5,
        "badges": {"awarded": 4, "recorded": 1, "delivered": 1, "failed": 1, "pending": 1},
    }


def test_of_an_event_that_has_not_begun_everything_is_none_or_zero(write, reads):
    write(SaveEvent(replace(EVENT, status=SCHEDULED, started_at=None)))
    stats = reads.event_stats(EVENT_ID)
    names = ("length", "participants", "peakConcurrency", "peakAt", "averageConcurrency")
    assert [stats[name] for name in names] == [0, 0, 0, None, 0]
    assert reads.event_stats(1) is None


@ON_FILES
@given(st.data())
def test_voice_time_is_summed_by_user_by_guild_and_by_channel(files, data):
    path, now = files(), T + data.draw(st.integers(0, 150))
    stays = {
        guild: [stay for user_id in USERS for stay in data.draw(stays_of(user_id))]
        for guild in (GUILD, OTHER_GUILD)
    }
    with closing(SqlLedger(path, 0)) as ledger:
        Writer(ledger).write(
            *(effect for guild, some in stays.items() for stay in some for effect in saved(stay, guild)),
            *(SaveGuild(guild, "A guild", None, "c", T, None, True, 3, T) for guild in stays),
            SaveChannel(GUILD, 70, "Lounge", 2),
            now=now,
        )
    reads, everything = SqlReads(path), [stay for some in stays.values() for stay in some]
    for user_id in USERS:
        mine = [stay for stay in everything if stay.user_id == user_id]
        here = [stay for stay in stays[GUILD] if stay.user_id == user_id]
        assert voice(reads.user_stats(user_id)) == counted(mine, now)
        assert voice(reads.user_stats(user_id, GUILD)) == counted(here, now)
    for guild, some in stays.items():
        stats = reads.guild_stats(guild)
        assert (*voice(stats), stats["members"]) == (*counted(some, now), len({it.user_id for it in some}))
    inside = [stay for stay in stays[GUILD] if stay.channel_id == 70]
    stats = reads.channel_stats(70)
    assert (*voice(stats), stats["members"]) == (*counted(inside, now), len({it.user_id for it in inside}))


def voice(stats):
    return stats["voiceSessions"], stats["voiceSeconds"]


def counted(stays, now):
    """Count sessions and seconds; of one that is open, those so far."""
    ends = [now if stay.left_at is None else stay.left_at for stay in stays]
    durations = [max(0, end - stay.joined_at) for stay, end in zip(stays, ends, strict=True)]
    return len(stays), sum(durations) / 1000


def participant(user_id, counted_ms, *, eligible):
    return Participant(user_id, T, T, T, (counted_ms, 1, 0, 0, 0, 0, 0, 0), eligible)


@pytest.fixture
def season(write):
    """Four events in two guilds, the second in two channels, the third still going on."""
    ended = replace(EVENT, status=ENDED, ended_at=T + 200)
    write(
        SaveGuild(GUILD, "Here", None, "c", T, None, True, 3, T),
        SaveGuild(OTHER_GUILD, "There", None, "c", T, None, True, 3, T),
        SaveChannel(GUILD, 70, "Lounge", 2),
        SaveChannel(GUILD, 71, "Hall", 13),
        SaveChannel(GUILD, 72, "Attic", 2),
        SaveEvent(replace(ended, event_id=1, channel_ids=(70,))),
        SaveEvent(replace(ended, event_id=2)),
        SaveEvent(replace(EVENT, event_id=3, channel_ids=(71,))),
        SaveEvent(replace(ended, event_id=4, guild_id=OTHER_GUILD, channel_ids=(80,))),
        SaveParticipants(GUILD, 1, (participant(1, 10, eligible=True), participant(2, 20, eligible=True))),
        SaveParticipants(GUILD, 2, (participant(1, 5, eligible=False),)),
        SaveParticipants(GUILD, 3, (participant(1, 0, eligible=None),)),
        SaveParticipants(OTHER_GUILD, 4, (participant(1, 7, eligible=True),)),
        AwardBadges(GUILD, 1, (1, 2), BadgeRules(), T + 200),
        AwardBadges(OTHER_GUILD, 4, (1,), BadgeRules(), T + 200),
    )


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ((1,), (4, 2, 2, 0.022)),
        ((1, GUILD), (3, 1, 1, 0.015)),
        ((2,), (1, 1, 1, 0.02)),
        ((2, OTHER_GUILD), (0, 0, 0, 0)),
        ((99,), (0, 0, 0, 0)),
    ],
)
def test_a_user_has_what_they_attended(season, reads, who, expected):
    stats = reads.user_stats(*who)
    names = ("eventsAttended", "eventsEligible", "badges", "countedSeconds")
    assert tuple(stats[name] for name in names) == expected
    assert stats["userId"] == str(who[0])
    assert stats["guildId"] == (str(who[1]) if len(who) > 1 else None)


def test_a_guild_has_what_was_held_in_it(season, reads):
    assert reads.guild_stats(GUILD) == {
        "guildId": str(GUILD),
        "name": "Here",
        "members": 0,
        "voiceSessions": 0,
        "voiceSeconds": 0,
        "events": {"scheduled": 0, "active": 1, "ended": 2, "cancelled": 0},
        "participants": 2,
        "countedSeconds": 0.035,
    }
    assert reads.guild_stats(LOST_GUILD) is None


def test_a_channel_has_what_was_held_in_it(season, reads):
    stats = reads.channel_stats(71)
    assert (stats["channelId"], stats["guildId"], stats["name"]) == ("71", str(GUILD), "Hall")
    assert stats["events"] == {"scheduled": 0, "active": 1, "ended": 1, "cancelled": 0}
    assert (stats["participants"], stats["countedSeconds"]) == (1, 0.005)
    assert reads.channel_stats(72)["events"] == {"scheduled": 0, "active": 0, "ended": 0, "cancelled": 0}
    assert reads.channel_stats(80) is None
