"""Session rows in the words of the HTTP API: with their chain, and with their spans where asked for."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeAlias

from peewee import ModelSelect, SqliteDatabase, ValuesList, fn

from engine.domain import views
from engine.domain.effects import Status
from engine.domain.ids import SessionKey, partition_of
from engine.storage.models import Partition, Session, Span

Row: TypeAlias = dict[str, Any]

_END_OF_TIME = 2**63 - 1


def fetched(database: SqliteDatabase, query: "ModelSelect[Any]") -> list[Row]:
    """Return a query's rows as dictionaries by column."""
    return list(query.dicts().execute(database))


def described(database: SqliteDatabase, rows: Sequence[Row], *, spans: bool) -> list[Row]:
    """Return each session as the API gives it. The whole page costs three queries, however long it is."""
    if not rows:
        return []
    nows = _nows(database)
    chains = _chains(database, rows)
    ended = _ended_spans(database, rows) if spans else {}
    return [
        _session(row, chains[_chain_of(row)], ended.get(_key(row), []) if spans else None, _now(nows, row))
        for row in rows
    ]


def _session(row: Row, chain: Sequence[Row], spans: Sequence[Row] | None, now: int) -> Row:
    guild_id, user_id, previous_at = row["guild_id"], row["user_id"], row["previous_at"]
    item = {
        **_boundaries(row, now),
        "guildId": str(guild_id),
        "userId": str(user_id),
        "status": views.STATUS_NAMES[Status(row["status"])],
        "isEventLinked": False,
        "eventIds": [],
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
    if spans is not None:
        last = {"started_at": row["span_at"], "ended_at": row["left_at"], "flags": row["flags"]}
        item["spans"] = [_span(span, now) for span in _merged([*spans, last])]
    return item


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


def _chain_of(row: Row) -> SessionKey:
    return SessionKey(row["guild_id"], row["user_id"], row["chain_at"])


def _nows(database: SqliteDatabase) -> list[int]:
    query = Partition.select(Partition.now).order_by(Partition.number)
    return [now for (now,) in query.tuples().execute(database)]


def _now(nows: Sequence[int], row: Row) -> int:
    if not nows:
        return int(row["updated_at"])
    return nows[partition_of(row["guild_id"], len(nows))]


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
