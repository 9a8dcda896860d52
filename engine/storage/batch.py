"""A commit's effects as rows: what the ledger writes, and the SQL it writes it with.

The hot path. One dictionary look-up and one tuple for each effect, no model instance; a session that changes
several times in one commit is written once.
"""

from collections.abc import Callable, Iterable, Sequence
from sqlite3 import Connection
from typing import Any, TypeAlias

import msgspec.json

from engine.domain.effects import (
    DropChannel,
    DropSession,
    DropSpans,
    Effect,
    ForgetMember,
    GrantRole,
    PostMessage,
    SaveChannel,
    SaveGuild,
    SaveMember,
    SaveSession,
    SaveSpan,
    SettleOutbox,
    ToDiscord,
)
from engine.domain.event_effects import Answer, AwardBadges, FollowParticipants
from engine.domain.tracker_effects import AbandonEvent, DisconnectPlayer, NotifyExpiry, TellListeners, WakeAt
from engine.storage.event_batch import TAKEN, EventBatch, badge_statements
from engine.storage.rows import Row, pack_roles, write_rows
from engine.storage.tracker_rows import TAKEN as TRACKED
from engine.storage.tracker_rows import TrackerBatch

Key: TypeAlias = tuple[int, int, int]

_INSERT_SESSION = """
    INSERT INTO session (guild_id, user_id, joined_at, channel_id, joined_slack_ms, left_at, left_slack_ms,
        status, flags, span_at, chain_at, previous_at, via_channel_creation, bridged,
        gateway_session_id, updated_at, roles)
    VALUES {rows}
    ON CONFLICT DO UPDATE SET channel_id = excluded.channel_id, joined_slack_ms = excluded.joined_slack_ms,
        flags = excluded.flags, span_at = excluded.span_at, chain_at = excluded.chain_at,
        previous_at = excluded.previous_at, via_channel_creation = excluded.via_channel_creation,
        bridged = excluded.bridged, gateway_session_id = excluded.gateway_session_id,
        updated_at = excluded.updated_at, roles = excluded.roles
"""
# Two statements, since SQLite writes an index anew when its column is named, though the value be the same:
# an open session stays where it is in the index on left_at. One that was closed is never open again.
_SAVE_OPEN = _INSERT_SESSION
_SAVE_CLOSED = (
    _INSERT_SESSION
    + ", left_at = excluded.left_at, left_slack_ms = excluded.left_slack_ms, status = excluded.status"
)
# One at a time: for a list of rows SQLite would look through the whole table.
_DROP_SESSION = "DELETE FROM session WHERE guild_id = ? AND user_id = ? AND joined_at = ?"
_DROP_SPANS = "DELETE FROM span WHERE guild_id = ? AND user_id = ? AND joined_at = ?"
_SAVE_SPAN = """
    INSERT OR REPLACE INTO span (guild_id, user_id, joined_at, started_at, ended_at, flags, roles)
    VALUES {rows}
"""
_DROP_SPANS_SINCE = f"{_DROP_SPANS} AND started_at >= ?"
_END_SPANS = """
    UPDATE span SET ended_at = ? WHERE guild_id = ? AND user_id = ? AND joined_at = ? AND ended_at > ?
"""
_SAVE_GUILD = """
    INSERT OR REPLACE INTO guild (guild_id, name, afk_channel_id, connection, confirmed_at, lost_at, present,
        own_user_id, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SAVE_CHANNEL = """
    INSERT INTO channel (guild_id, channel_id, name, kind, created_at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET name = excluded.name, kind = excluded.kind, deleted_at = NULL,
        created_at = coalesce(excluded.created_at, created_at)
"""
# After a restart of the ingest nearly all come again as they were: those touch no page.
_SAVE_MEMBER = """
    INSERT INTO member (guild_id, user_id, name) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET name = excluded.name WHERE name <> excluded.name
"""
_DROP_CHANNEL = """
    INSERT INTO channel (guild_id, channel_id, name, kind, deleted_at) VALUES (?, ?, '', 2, ?)
    ON CONFLICT DO UPDATE SET deleted_at = excluded.deleted_at
"""
_SEND = """
    INSERT OR IGNORE INTO outbox (outbox_id, guild_id, kind, payload, status, created_at, detail)
    VALUES (?, ?, ?, ?, 'pending', ?, '')
"""
_SETTLE_OUTBOX = """
    UPDATE outbox SET status = ?, detail = ?, settled_at = ? WHERE outbox_id = ? AND status = 'pending'
"""


class Batch:
    """Collects the rows of one commit's effects; ``write`` puts them into an open transaction."""

    def __init__(self, effects: Iterable[Effect]) -> None:
        self._open: dict[Key, Row] = {}
        self._closed: dict[Key, Row] = {}
        self._dropped: dict[Key, int] = {}  # by key: how many spans had been taken when it was dropped
        self._spans: list[Row] = []
        self._guilds: dict[int, Row] = {}
        self._members: dict[tuple[int, int], Row] = {}
        self.forgets: list[ForgetMember] = []  # the ledger's to do, behind all others
        self._of_events, self._of_trackers = EventBatch(), TrackerBatch()
        self._statements: list[tuple[str, Sequence[Any]]] = []  # the rare ones, in order
        self._outcomes: list[Row] = []  # of the outbox; what they settle may come after them in the effects
        takers = _TAKERS
        for effect in effects:
            takers[type(effect)](self, effect)

    def write(self, connection: Connection) -> None:
        """Write the rows. Deletions first: a dropped session's key may have been taken again since."""
        connection.executemany(_DROP_SESSION, self._dropped)
        connection.executemany(_DROP_SPANS, self._dropped)
        write_rows(connection, _SAVE_OPEN, self._open.values())
        write_rows(connection, _SAVE_CLOSED, self._closed.values())
        write_rows(connection, _SAVE_SPAN, self._kept_spans())
        connection.executemany(_SAVE_GUILD, self._guilds.values())
        connection.executemany(_SAVE_MEMBER, self._members.values())
        self._of_events.write(connection)
        self._of_trackers.write(connection)
        for sql, row in self._statements:
            connection.execute(sql, row)
        connection.executemany(_SETTLE_OUTBOX, self._outcomes)

    def _kept_spans(self) -> list[Row]:
        if not self._dropped:
            return self._spans
        dropped = self._dropped
        return [row for index, row in enumerate(self._spans) if index >= dropped.get(row[:3], 0)]

    def _save_session(self, effect: SaveSession) -> None:
        session = effect.session
        key = (effect.guild_id, session.user_id, session.joined_at)
        row = (
            *key,
            session.channel_id,
            session.joined_slack_ms,
            effect.left_at,
            effect.left_slack_ms,
            effect.status.value,
            session.flags,
            session.span_at,
            session.chain_at,
            session.previous_at,
            # Plain ints, since the driver looks up an adapter for anything else, bool included.
            1 if session.via_channel_creation else 0,
            1 if session.bridged else 0,
            session.gateway_session_id,
            effect.at,
            pack_roles(session.roles) if session.roles else None,
        )
        if effect.left_at is None:
            self._open[key] = row
        else:
            self._open.pop(key, None)
            self._closed[key] = row

    def _drop_session(self, effect: DropSession) -> None:
        key = (effect.guild_id, effect.user_id, effect.joined_at)
        self._open.pop(key, None)
        self._closed.pop(key, None)
        self._dropped[key] = len(self._spans)

    def _save_span(self, it: SaveSpan) -> None:
        roles = pack_roles(it.roles) if it.roles else None
        self._spans.append(
            (it.guild_id, it.user_id, it.joined_at, it.started_at, it.ended_at, it.flags, roles)
        )

    def _drop_spans(self, it: DropSpans) -> None:
        # Among the last statements: its session is closed by now, no span of it follows.
        row = (it.guild_id, it.user_id, it.joined_at, it.since)
        self._statements += [(_DROP_SPANS_SINCE, row), (_END_SPANS, (it.since, *row))]

    def _save_guild(self, it: SaveGuild) -> None:
        self._guilds[it.guild_id] = (
            it.guild_id,
            it.name,
            it.afk_channel_id,
            it.connection,
            it.confirmed_at,
            it.lost_at,
            it.present,
            it.own_user_id,
            it.at,
        )

    def _save_channel(self, it: SaveChannel) -> None:
        row = (it.guild_id, it.channel_id, it.name, it.kind, it.created_at)
        self._statements.append((_SAVE_CHANNEL, row))

    def _save_member(self, it: SaveMember) -> None:
        self._members[it.guild_id, it.user_id] = (it.guild_id, it.user_id, it.name)

    def _drop_channel(self, it: DropChannel) -> None:
        self._statements.append((_DROP_CHANNEL, (it.guild_id, it.channel_id, it.at)))

    def _post_message(self, it: PostMessage) -> None:
        self._send(it, "message")

    def _grant_role(self, it: GrantRole) -> None:
        self._send(it, "role")

    def _send(self, it: ToDiscord | NotifyExpiry, kind: str) -> None:
        row = (it.outbox_id, it.guild_id, kind, msgspec.json.encode(it).decode(), it.at)
        self._statements.append((_SEND, row))

    def _award_badges(self, it: AwardBadges) -> None:
        self._statements += badge_statements(it)

    def _settle_outbox(self, it: SettleOutbox) -> None:
        self._outcomes.append(("done" if it.ok else "failed", it.detail, it.at, it.outbox_id))

    def _forget_member(self, it: ForgetMember) -> None:
        self.forgets.append(it)

    def _disconnect_player(self, it: DisconnectPlayer) -> None:
        self._send(it, "disconnect")

    def _notify_expiry(self, it: NotifyExpiry) -> None:
        self._send(it, "notice")

    def _take_of_trackers(self, effect: Effect) -> None:
        self._of_trackers.take(effect)

    def _take_of_event(self, effect: Effect) -> None:
        self._of_events.take(effect)

    def _pass(self, effect: Effect) -> None:
        """Leave what is not the ledger's to do."""


_TAKERS: dict[type[Effect], Callable[[Batch, Any], None]] = {
    SaveSession: Batch._save_session,  # noqa: SLF001 - the class's own table
    DropSession: Batch._drop_session,  # noqa: SLF001
    SaveSpan: Batch._save_span,  # noqa: SLF001
    DropSpans: Batch._drop_spans,  # noqa: SLF001
    SaveGuild: Batch._save_guild,  # noqa: SLF001
    SaveChannel: Batch._save_channel,  # noqa: SLF001
    SaveMember: Batch._save_member,  # noqa: SLF001
    DropChannel: Batch._drop_channel,  # noqa: SLF001
    PostMessage: Batch._post_message,  # noqa: SLF001
    GrantRole: Batch._grant_role,  # noqa: SLF001
    AwardBadges: Batch._award_badges,  # noqa: SLF001
    SettleOutbox: Batch._settle_outbox,  # noqa: SLF001
    ForgetMember: Batch._forget_member,  # noqa: SLF001
    FollowParticipants: Batch._pass,  # noqa: SLF001
    Answer: Batch._pass,  # noqa: SLF001
    TellListeners: Batch._pass,  # noqa: SLF001
    AbandonEvent: Batch._pass,  # noqa: SLF001
    WakeAt: Batch._pass,  # noqa: SLF001
    DisconnectPlayer: Batch._disconnect_player,  # noqa: SLF001
    NotifyExpiry: Batch._notify_expiry,  # noqa: SLF001
    **dict.fromkeys(TRACKED, Batch._take_of_trackers),  # noqa: SLF001
    **dict.fromkeys(TAKEN, Batch._take_of_event),  # noqa: SLF001
}
