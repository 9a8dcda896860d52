"""What the ledger's tables would hold, in plain memory: effects folded one by one."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from engine.domain import effects as fx
from engine.domain import event_effects as efx
from engine.domain import tracker_effects as tfx
from engine.domain.attendance import Participant, Piece, Stay, overlaps
from engine.domain.events import Event, EventStatus
from engine.domain.guild import GuildState
from engine.domain.lifecycle import Standing
from engine.domain.rules import CREATION_MEMORY_MS, MEMORY_MS
from engine.domain.tracking import Player, Presence, Subject, SubjectKind
from engine.domain.views import iso
from engine.storage.protocols import Attendance

ENDED = EventStatus.ENDED


class Rows:
    """What the ledger's tables would hold: effects, folded."""

    def __init__(self) -> None:
        self.sessions: dict[tuple[int, int, int], fx.SaveSession] = {}
        self.spans: dict[tuple[int, ...], fx.SaveSpan] = {}
        self.guilds: dict[int, fx.SaveGuild] = {}
        self.channels: dict[tuple[int, int], dict[str, Any]] = {}
        self.outbox: dict[str, fx.ToDiscord] = {}
        self.notices: dict[str, tfx.NotifyExpiry] = {}
        self.deliveries: dict[
            str, tuple[str, dict[str, str]]
        ] = {}  # badges that go elsewhere than to Discord
        self.outcomes: dict[str, fx.SettleOutbox] = {}
        self.events: dict[int, Event] = {}
        self.participants: dict[tuple[int, int], Participant] = {}
        self.links: set[tuple[int, int, int, int]] = set()
        self.players: dict[int, Player] = {}
        self.presences: dict[tuple[int, int], Presence] = {}
        self.subjects: dict[tuple[SubjectKind, int], tuple[int, Subject]] = {}
        self.badges: dict[tuple[int, int], tuple[int, str, str | None]] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {rows}" for name, rows in vars(self).items())

    def apply(self, effect: fx.Effect) -> None:
        match effect:
            case fx.SaveSession():
                session = effect.session
                self.sessions[effect.guild_id, session.user_id, session.joined_at] = effect
            case fx.DropSession(guild_id=guild_id, user_id=user_id, joined_at=joined_at):
                del self.sessions[guild_id, user_id, joined_at]
                self.spans = {
                    key: span for key, span in self.spans.items() if key[:3] != (guild_id, user_id, joined_at)
                }
            case fx.SaveSpan():
                self.spans[
                    effect.guild_id, effect.user_id, effect.joined_at, effect.started_at, effect.ended_at
                ] = effect
            case fx.DropSpans(guild_id=guild_id, user_id=user_id, joined_at=joined_at, since=since):
                self._drop_spans((guild_id, user_id, joined_at), since)
            case fx.SaveGuild():
                self.guilds[effect.guild_id] = effect
            case fx.SaveChannel():
                row = self.channels.setdefault((effect.guild_id, effect.channel_id), {"created_at": None})
                row |= {"name": effect.name, "kind": effect.kind, "deleted_at": None}
                row["created_at"] = effect.created_at or row["created_at"]
            case fx.DropChannel():
                row = self.channels.setdefault((effect.guild_id, effect.channel_id), {"created_at": None})
                row["deleted_at"] = effect.at
            case fx.PostMessage() | fx.GrantRole() | fx.SettleOutbox():
                self._apply_to_outbox(effect)
            case tfx.DisconnectPlayer() | tfx.NotifyExpiry():
                self._apply_to_outbox(effect)
            case _:
                self._apply_to_subject(effect)
                self._apply_to_event(effect)

    def _apply_to_subject(self, effect: fx.Effect) -> None:
        match effect:
            case tfx.SavePlayer(guild_id=guild_id, player=None):
                self.players.pop(guild_id, None)
            case tfx.SavePlayer(guild_id=guild_id, player=player):
                self.players[guild_id] = player
            case tfx.SavePresence(guild_id=guild_id, user_id=user_id, presence=None):
                self.presences.pop((guild_id, user_id), None)
            case tfx.SavePresence(guild_id=guild_id, user_id=user_id, presence=presence):
                self.presences[guild_id, user_id] = presence
            case tfx.SaveSubject(guild_id=guild_id, subject=subject):
                self.subjects[subject.kind, subject.subject_id] = guild_id, subject
            case tfx.DropSubject(kind=kind, subject_id=subject_id):
                self.subjects.pop((kind, subject_id), None)

    def _apply_to_outbox(self, effect: fx.ToDiscord | tfx.NotifyExpiry | fx.SettleOutbox) -> None:
        if isinstance(effect, tfx.NotifyExpiry):
            self.notices.setdefault(effect.outbox_id, effect)
        elif not isinstance(effect, fx.SettleOutbox):
            self.outbox.setdefault(effect.outbox_id, effect)
        elif effect.outbox_id in self.outbox.keys() | self.deliveries.keys() | self.notices.keys():
            self.outcomes.setdefault(effect.outbox_id, effect)

    def _apply_to_event(self, effect: fx.Effect) -> None:
        match effect:
            case efx.SaveEvent(event=event):
                self.events[event.event_id] = event
            case efx.SaveParticipants(event_id=event_id, rows=rows, whole=whole):
                if whole:
                    self.participants = {k: v for k, v in self.participants.items() if k[0] != event_id}
                self.participants |= {(event_id, it.user_id): it for it in rows}
            case efx.DropParticipant(event_id=event_id, user_id=user_id):
                self.participants.pop((event_id, user_id), None)
            case efx.LinkSessions(guild_id=guild_id, event_id=event_id, sessions=sessions, whole=whole):
                if whole:
                    self.links = {it for it in self.links if it[0] != event_id}
                self.links |= {(event_id, guild_id, *it) for it in sessions}
            case efx.UnlinkSession():
                link = (effect.event_id, effect.guild_id, effect.user_id, effect.joined_at)
                self.links.discard(link)
            case efx.AwardBadges():
                for user_id in effect.user_ids:
                    self._award(effect, user_id)

    def _award(self, it: efx.AwardBadges, user_id: int) -> None:
        if (it.event_id, user_id) in self.badges:
            return
        distributor, outbox_id = it.badges.distributor, f"badge-{it.event_id}-{user_id}"
        delivered = distributor != "none"
        self.badges[it.event_id, user_id] = (it.at, distributor, outbox_id if delivered else None)
        if distributor == "role":
            grant = fx.GrantRole(outbox_id, it.guild_id, user_id, it.badges.role_id, it.at)
            self.outbox.setdefault(outbox_id, grant)
        elif delivered:
            ids = {"eventId": str(it.event_id), "guildId": str(it.guild_id), "userId": str(user_id)}
            self.deliveries.setdefault(outbox_id, (distributor, ids | {"awardedAt": iso(it.at)}))

    def _drop_spans(self, session: tuple[int, int, int], since: int) -> None:
        for key, span in list(self.spans.items()):
            if key[:3] == session and span.ended_at > since:
                del self.spans[key]
                if span.started_at < since:
                    self.spans[*session, span.started_at, since] = replace(span, ended_at=since)

    def open_sessions(self) -> Iterator[fx.SaveSession]:
        return (it for it in self.sessions.values() if it.left_at is None)

    def present_guilds(self) -> list[int]:
        return sorted(it.guild_id for it in self.guilds.values() if it.present)

    def open_events(self) -> list[Event]:
        return sorted(
            (it for it in self.events.values() if it.is_open or not it.settled),
            key=lambda it: it.event_id,
        )

    def attendance(self, event: Event) -> Attendance:
        here = [
            stay_of(it, [span for key, span in self.spans.items() if key[:3] == session])
            for session, it in self.sessions.items()
            if it.guild_id == event.guild_id and it.session.channel_id in event.channel_ids
        ]
        stays = [] if event.started_at is None else [it for it in here if overlaps(event, it)]
        participants = [row for (event_id, _), row in self.participants.items() if event_id == event.event_id]
        return Attendance(
            event,
            sorted(stays, key=lambda it: (it.joined_at, it.user_id)),
            sorted(participants, key=lambda it: it.user_id),
        )

    def standing(self, guild_id: int) -> Standing:
        it = self.guilds.get(guild_id)
        return (
            Standing() if it is None else Standing(it.connection, it.lost_at, it.present, it.afk_channel_id)
        )

    def guild(self, guild_id: int, now: int) -> GuildState:
        known = self.guilds.get(guild_id)
        facts = (
            {} if known is None else {k: v for k, v in asdict(known).items() if k not in ("guild_id", "at")}
        )
        ended = [it for it in self.sessions.values() if it.guild_id == guild_id and it.left_at is not None]
        left: dict[int, int] = {}
        for it in sorted(ended, key=lambda it: max(it.left_at, it.session.joined_at + 1)):
            left.pop(it.session.user_id, None)
            left[it.session.user_id] = max(it.left_at, it.session.joined_at + 1)
        created = {
            channel_id: row["created_at"]
            for (owner, channel_id), row in self.channels.items()
            if owner == guild_id and row["created_at"] is not None
        }
        return GuildState(
            guild_id,
            {it.session.user_id: it.session for it in self.open_sessions() if it.guild_id == guild_id},
            {user_id: at for user_id, at in left.items() if at >= now - MEMORY_MS},
            {
                it: at
                for it, at in sorted(created.items(), key=lambda it: it[1])
                if at >= now - CREATION_MEMORY_MS
            },
            bots={key[1]: it for key, it in self.presences.items() if key[0] == guild_id},
            player=self.players.get(guild_id),
            subject=self.subjects.get((SubjectKind.PLAYER, guild_id), (0, None))[1],
            **facts,
        )


def stay_of(saved: fx.SaveSession, spans: list[fx.SaveSpan]) -> Stay:
    it = saved.session
    return Stay(
        it.user_id,
        it.channel_id,
        it.joined_at,
        it.span_at,
        it.flags,
        it.roles,
        it.joined_slack_ms,
        saved.left_at,
        saved.left_slack_ms,
        tuple(
            Piece(span.started_at, span.ended_at, span.flags, span.roles)
            for span in sorted(spans, key=lambda span: (span.started_at, span.ended_at))
        ),
    )


def live_value(saved: fx.SaveSession) -> bytes:
    session = saved.session
    return msgspec.msgpack.encode((session.channel_id, session.joined_at, session.flags, session.span_at))
