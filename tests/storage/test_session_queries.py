"""What a session looks like from outside, and that pages of them miss and repeat nothing."""

from contextlib import closing
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.effects import SaveSession, SaveSpan, Status
from engine.domain.event_effects import LinkSessions
from engine.domain.inputs import VoiceFlags
from engine.domain.sessions import Session
from engine.storage.ledger import SqlLedger
from engine.storage.queries import InvalidCursor, SessionFilter, SqlReads
from tests.storage.ledgers import CHANNEL, GUILD, USER, T, Writer
from tests.storage.pages import all_pages

NOW = T + 60_000


def opened(joined_at=T, *, user=USER, channel=CHANNEL, guild=GUILD, **facts) -> SaveSession:
    facts = {"flags": 0, "span_at": joined_at, "chain_at": joined_at} | facts
    return SaveSession(guild, Session(user, channel, joined_at, **facts), at=joined_at)


def closed(joined_at, left_at, *, slack_ms=0, status=Status.COMPLETED, **facts) -> SaveSession:
    it = opened(joined_at, **facts)
    return SaveSession(it.guild_id, it.session, left_at, left_at, slack_ms, status)


@pytest.fixture
def write(write):
    return partial(write, now=NOW)


@pytest.fixture
def read(reads):
    def read(*, limit=100, cursor=None, spans=False, **wanted):
        return reads.sessions(SessionFilter(**wanted), limit=limit, cursor=cursor, spans=spans)

    return read


def test_a_closed_session_reads_as_the_contract_says(write, read):
    write(
        closed(
            T,
            T + 61_001,
            slack_ms=250,
            chain_at=T - 5_000,
            previous_at=T - 5_000,
            joined_slack_ms=1_500,
            via_channel_creation=True,
        )
    )
    assert read().items == [
        {
            "sessionId": f"{GUILD}-{USER}-{T}",
            "guildId": str(GUILD),
            "userId": str(USER),
            "userName": None,
            "channelId": str(CHANNEL),
            "joinTime": "2023-11-14T22:13:20.000Z",
            "leaveTime": "2023-11-14T22:14:21.001Z",
            "duration": 61.001,
            "status": "completed",
            "isEventLinked": False,
            "eventIds": [],
            "chainId": f"{GUILD}-{USER}-{T - 5_000}",
            "previousId": f"{GUILD}-{USER}-{T - 5_000}",
            "relatedSessions": [],
            "viaChannelCreation": True,
            "joinedSlack": 1.5,
            "leftSlack": 0.25,
            "confidence": "inferred",
            "createdAt": "2023-11-14T22:13:20.000Z",
            "updatedAt": "2023-11-14T22:14:21.001Z",
        }
    ]


def test_an_active_session_lasts_up_to_the_partitions_time(write, read):
    write(opened(NOW - 2_500))
    (item,) = read().items
    assert (item["status"], item["leaveTime"], item["duration"]) == ("active", None, 2.5)
    assert (item["confidence"], item["previousId"]) == ("observed", None)


def test_related_sessions_are_the_others_of_the_chain_and_only_those(write, read):
    write(
        closed(T, T + 10),
        closed(T + 10, T + 20, chain_at=T, previous_at=T, channel=71),
        opened(T + 30, chain_at=T, previous_at=T + 10, channel=72),
        closed(T, T + 9, user=8),  # the same moment, somebody else
        closed(T - 90, T - 50, chain_at=T - 90),  # the chain before
    )
    items = {item["sessionId"]: item for item in read().items}
    ids = [f"{GUILD}-{USER}-{at}" for at in (T, T + 10, T + 30)]
    for own in ids:
        related = items[own]["relatedSessions"]
        assert [it["sessionId"] for it in related] == [it for it in ids if it != own]
    assert items[ids[0]]["relatedSessions"][1] == {
        "sessionId": ids[2],
        "channelId": "72",
        "joinTime": "2023-11-14T22:13:20.030Z",
        "leaveTime": None,
        "duration": 59.97,
    }
    assert items[f"{GUILD}-8-{T}"]["relatedSessions"] == []
    assert items[f"{GUILD}-{USER}-{T - 90}"]["relatedSessions"] == []


def test_a_chain_reaches_beyond_the_page(write, read):
    write(closed(T, T + 10), closed(T + 10, T + 20, chain_at=T, previous_at=T))
    (item,) = read(limit=1).items
    assert [it["sessionId"] for it in item["relatedSessions"]] == [f"{GUILD}-{USER}-{T}"]


def test_spans_come_on_request_and_cover_the_session(write, read, reads):
    deaf = int(VoiceFlags.SELF_DEAF | VoiceFlags.SELF_MUTE)
    write(
        SaveSpan(GUILD, USER, T, T + 5, T + 8, deaf),
        SaveSpan(GUILD, USER, T, T, T + 5, 0),
        closed(T, T + 10, flags=int(VoiceFlags.BRIDGED), span_at=T + 8),
    )
    assert "spans" not in read().items[0]
    spans = read(spans=True).items[0]["spans"]
    assert [(it["startTime"][-4:], it["endTime"][-4:], it["duration"]) for it in spans] == [
        ("000Z", "005Z", 0.005),
        ("005Z", "008Z", 0.003),
        ("008Z", "010Z", 0.002),
    ]
    flags = [{name for name, value in it.items() if value is True} for it in spans]
    assert flags == [set(), {"selfDeaf", "selfMute"}, {"bridged"}]
    assert reads.session(f"{GUILD}-{USER}-{T}")["spans"] == spans


def test_the_last_span_of_an_active_session_is_open(write, read):
    write(opened(NOW - 1_000, span_at=NOW - 400, flags=1))
    (span,) = read(spans=True).items[0]["spans"]
    assert (span["endTime"], span["duration"], span["selfDeaf"]) == (None, 0.4, True)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"guild_id": GUILD}, [4, 3, 2, 1]),
        ({"user_id": USER}, [5, 2, 1]),
        ({"guild_id": GUILD, "user_id": USER}, [2, 1]),
        ({"channel_id": 71}, [2]),
        ({"status": "active"}, [5, 4]),
        ({"status": "active", "guild_id": GUILD}, [4]),
        ({"status": "completed"}, [3, 1]),
        ({"status": "cancelled"}, [2]),
        ({"until": T + 2}, [1]),
        ({"since": T + 10}, [5, 4, 3, 2]),  # the first left at that very moment
        ({"since": T + 9, "until": T + 2}, [1]),
        ({"event_id": 9}, [3, 1]),
        ({"event_id": 9, "user_id": 8}, [3]),
        ({"event_id": 9, "guild_id": 2 << 22}, []),
        ({"event_id": 10}, [5]),
        ({"event_id": 11}, []),
        ({"guild_id": 12345}, []),
    ],
)
def test_filters_all_hold(write, read, wanted, found):
    write(
        closed(T + 1, T + 10),
        closed(T + 2, T + 20, channel=71, status=Status.CANCELLED),
        closed(T + 3, T + 30, user=8),
        opened(T + 4, user=9),
        opened(T + 5, guild=2 << 22),
        LinkSessions(GUILD, 9, ((USER, T + 1), (8, T + 3))),
        LinkSessions(2 << 22, 10, ((USER, T + 5),)),
    )
    assert [int(item["sessionId"][-1]) for item in read(**wanted).items] == found


def test_a_session_names_its_events_in_order(write, read, reads):
    write(
        closed(T + 1, T + 10),
        closed(T + 1, T + 10, user=8),
        closed(T + 20, T + 30),
        LinkSessions(GUILD, 12, ((USER, T + 1),)),
        LinkSessions(GUILD, 9, ((USER, T + 1), (8, T + 1))),
    )
    linked = {it["sessionId"]: (it["isEventLinked"], it["eventIds"]) for it in read().items}
    assert linked == {
        f"{GUILD}-{USER}-{T + 1}": (True, ["9", "12"]),
        f"{GUILD}-8-{T + 1}": (True, ["9"]),
        f"{GUILD}-{USER}-{T + 20}": (False, []),
    }
    assert reads.session(f"{GUILD}-{USER}-{T + 1}")["eventIds"] == ["9", "12"]


@settings(max_examples=40, deadline=None)
@given(
    keys=st.sets(st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(0, 3)), max_size=12),
    limit=st.integers(1, 4),
    event_id=st.sampled_from((None, 5)),
)
def test_pages_miss_and_repeat_nothing(files, keys, limit, event_id):
    path = files()
    rows = [opened(T + at, guild=guild, user=user) for guild, user, at in keys]
    linked = {(user, T + at) for guild, user, at in keys if guild == 1}
    links = LinkSessions(1, 5, tuple(sorted(linked)))
    with closing(SqlLedger(path, 0)) as ledger:
        Writer(ledger).write(*rows, links, now=NOW)
    items = all_pages(partial(SqlReads(path).sessions, SessionFilter(event_id=event_id)), limit)
    seen = [(item["joinTime"], item["sessionId"]) for item in items]
    assert len(seen) == len(set(seen)) == (len(keys) if event_id is None else len(linked))
    assert [joined for joined, _ in seen] == sorted((joined for joined, _ in seen), reverse=True)


@pytest.mark.parametrize("text", ["", "x", "1-2", "1-2--3", "1-2-99999999999999999999"])
def test_what_is_no_id_is_no_session_and_no_cursor(write, read, reads, text):
    assert reads.session(text) is None
    with pytest.raises(InvalidCursor):
        read(cursor=text)
