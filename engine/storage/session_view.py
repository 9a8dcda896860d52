"""Session rows in the words of the HTTP API: with their chain, and with their spans where asked for."""

from collections import defaultdict
from collections.abc import Sequence

from peewee import SqliteDatabase, ValuesList, fn

from engine.domain import views
from engine.domain.effects import Status
from engine.domain.ids import SessionKey, person
from engine.storage.event_models import EventSession
from engine.storage.member_queries import member_names
from engine.storage.models import Session, Span
from engine.storage.pages import Row, Times, fetched

_END_OF_TIME = 2**63 - 1


def described(database: SqliteDatabase, rows: Sequence[Row], *, spans: bool) -> list[Row]:
    """Return each session as the API gives it. The whole page costs five queries, however long it is."""
    if not rows:
        return []
    times = Times.read(database)
    chains = _chains(database, rows)
    linked = _linked_events(database, rows)
    names = member_names(database, (_member(row) for row in rows))
    ended = _ended_spans(database, rows) if spans else {}
    items = []
    for row in rows:
        key, now = _key(row), times.of(row["guild_id"], row["updated_at"])
        name = names.get(_member(row))
        item = _session(row, chains[_chain_of(row)], linked.get(key, []), name, now)
        items.append(item | {"spans": _spans(row, ended.get(key, []), now)} if spans else item)
    return items


def _session(row: Row, chain: Sequence[Row], event_ids: Sequence[int], name: str | None, now: int) -> Row:
    guild_id, user_id, previous_at = row["guild_id"], row["user_id"], row["previous_at"]
    return {
        **_boundaries(row, now),
        "guildId": str(guild_id),
        "userId": person(user_id),
        "userName": name,
        "status": views.STATUS_NAMES[Status(row["status"])],
        "isEventLinked": bool(event_ids),
        "eventIds": [str(it) for it in event_ids],
        "chainId": str(_chain_of(row)),
        "previousId": None if previous_at is None else str(SessionKey(guild_id, user_id, previous_at)),
        "relatedSessions": [_boundaries(it, now) for it in chain if it["joined_at"] != row["joined_at"]],
        "viaChannelCreation": row["via_channel_creation"],
        "joinedSlack": views.seconds(row["joined_slack_ms"]),
        "leftSlack": views.seconds(row["left_slack_ms"]),
        "confidence": views.confidence(
            joined_slack_ms=row["joined_slack_ms"],
            left_slack_ms=row["left_slack_ms"],
            bridged=row["bridged"],
        ),
        "createdAt": views.iso(row["joined_at"]),
        "updatedAt": views.iso(row["updated_at"]),
    }


def _spans(row: Row, ended: Sequence[Row], now: int) -> list[Row]:
    last = {"started_at": row["span_at"], "ended_at": row["left_at"], "flags": row["flags"]}
    return [_span(it, now) for it in _merged([*ended, last])]


def _merged(spans: Sequence[Row]) -> list[Row]:
    """Join neighbours of the same flags, cut where roles changed; one of no length is none."""
    merged: list[Row] = []
    for span in spans:
        if span["ended_at"] == span["started_at"]:
            continue
        if merged and merged[-1]["flags"] == span["flags"] and merged[-1]["ended_at"] == span["started_at"]:
            span = merged.pop() | {"ended_at": span["ended_at"]}  # noqa: PLW2901 - longer, the same span
        merged.append(span)
    return merged


def _boundaries(row: Row, now: int) -> Row:
    left_at = row["left_at"]
    return {
        "sessionId": str(_key(row)),
        "channelId": str(row["channel_id"]),
        "joinTime": views.iso(row["joined_at"]),
        "leaveTime": None if left_at is None else views.iso(left_at),
        "duration": views.seconds(views.duration_ms(row["joined_at"], left_at, now)),
    }


def _span(span: Row, now: int) -> Row:
    started_at, ended_at = span["started_at"], span["ended_at"]
    return {
        "startTime": views.iso(started_at),
        "endTime": None if ended_at is None else views.iso(ended_at),
        "duration": views.seconds(views.duration_ms(started_at, ended_at, now)),
        **views.flag_names(span["flags"]),
    }


def _key(row: Row) -> SessionKey:
    return SessionKey(row["guild_id"], row["user_id"], row["joined_at"])


def _member(row: Row) -> tuple[int, int]:
    return row["guild_id"], row["user_id"]


def _chain_of(row: Row) -> SessionKey:
    return SessionKey(row["guild_id"], row["user_id"], row["chain_at"])


def _chains(database: SqliteDatabase, rows: Sequence[Row]) -> dict[SessionKey, list[Row]]:
    """Fetch all sessions of the chains on a page, each chain in order.

    A chain's sessions follow each other in the key, so the search ends where the user's next chain begins.
    """
    chain = ValuesList(sorted({_chain_of(row) for row in rows}), alias="chain")
    guild_id, user_id, chain_at = chain.c.column1, chain.c.column2, chain.c.column3
    later = Session.alias()
    end_at = later.select(fn.MIN(later.joined_at)).where(
        later.guild_id == guild_id,
        later.user_id == user_id,
        later.joined_at > chain_at,
        later.chain_at != chain_at,
    )
    query = (
        Session.select()
        .join(chain, on=(Session.guild_id == guild_id) & (Session.user_id == user_id))
        .where(
            Session.joined_at >= chain_at,
            Session.joined_at < fn.COALESCE(end_at, _END_OF_TIME),
        )
        .order_by(Session.joined_at)
    )
    chains = defaultdict(list)
    for row in fetched(database, query):
        chains[_chain_of(row)].append(row)
    return chains


def _ended_spans(database: SqliteDatabase, rows: Sequence[Row]) -> dict[SessionKey, list[Row]]:
    wanted = ValuesList([_key(row) for row in rows], alias="wanted")
    same = (
        (Span.guild_id == wanted.c.column1)
        & (Span.user_id == wanted.c.column2)
        & (Span.joined_at == wanted.c.column3)
    )
    spans = defaultdict(list)
    for row in fetched(database, Span.select().join(wanted, on=same).order_by(Span.started_at)):
        spans[_key(row)].append(row)
    return spans


def _linked_events(database: SqliteDatabase, rows: Sequence[Row]) -> dict[SessionKey, list[int]]:
    """Fetch the events that the sessions of a page belong to, in order of their ids."""
    wanted = ValuesList([_key(row) for row in rows], alias="wanted")
    same = (
        (EventSession.guild_id == wanted.c.column1)
        & (EventSession.user_id == wanted.c.column2)
        & (EventSession.joined_at == wanted.c.column3)
    )
    linked = defaultdict(list)
    query = EventSession.select().join(wanted, on=same).order_by(EventSession.event_id)
    for row in fetched(database, query):
        linked[_key(row)].append(row["event_id"])
    return linked
