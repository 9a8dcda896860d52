"""Discord's own scheduled events, mirrored in time and status (Discord, "Guild Scheduled Event")."""

from collections.abc import Iterable

from msgspec.structs import replace

from engine.domain.event_inputs import (
    ScheduledEvent,
    ScheduledEventChanged,
    ScheduledEventGone,
    ScheduledStatus,
)
from engine.domain.events import Event, EventStatus
from engine.domain.inputs import GuildSnapshot
from engine.domain.lifecycle import DISCORD, begun, cancelled, ended, touched
from engine.domain.rules import EventRules


def changed(event: Event | None, what: ScheduledEventChanged, rules: EventRules) -> Event | None:
    """Follow what Discord tells of an event. One that was over before we heard of it is none of ours."""
    told = what.event
    if event is None:
        over = told.status not in (ScheduledStatus.SCHEDULED, ScheduledStatus.ACTIVE)
        if over or not rules.discord_events:
            return None
        event = _mirrored(what, rules)
    if not event.is_open:
        return event
    if _differs(event, told):
        times = {"starts_at": told.starts_at, "ends_at": told.ends_at}
        event = touched(event, what.at, name=told.name, channel_ids=(told.channel_id,), **times)
    return _in_status(event, told.status, what)


def _mirrored(what: ScheduledEventChanged, rules: EventRules) -> Event:
    told = what.event
    return Event(
        event_id=what.event_id,
        guild_id=what.guild_id,
        name=told.name,
        channel_ids=(told.channel_id,),
        starts_at=told.starts_at,
        ends_at=told.ends_at,
        match_all=rules.match_all,
        min_duration_ms=rules.min_duration_ms,
        min_share=rules.min_share,
        policy=rules.policy,
        source=DISCORD,
        discord_event_id=told.event_id,
        created_at=what.at,
        updated_at=what.at,
    )


def _differs(event: Event, told: ScheduledEvent) -> bool:
    mine = (event.name, event.channel_ids, event.starts_at, event.ends_at)
    return mine != (told.name, (told.channel_id,), told.starts_at, told.ends_at)


News = ScheduledEventChanged | ScheduledEventGone


def shown(snapshot: GuildSnapshot, known: Iterable[Event]) -> list[News]:
    """Return what a guild's snapshot tells that is news. ``known``: its events that may still go on."""
    mine = {event.event_id: event for event in known if event.source == DISCORD}
    at, guild_id = snapshot.at, snapshot.guild_id
    told = [ScheduledEventChanged(at, guild_id, it) for it in snapshot.scheduled_events or ()]
    news: list[News] = [
        replace(it, replayed_from=_began(mine.get(it.event_id), it.event, at))
        for it in told
        if it.event_id not in mine or not says_nothing_new(mine[it.event_id], it.event)
    ]
    gone = mine.keys() - {it.event_id for it in told}
    return news + [ScheduledEventGone(at, guild_id, event_id) for event_id in sorted(gone)]


def routed(what: News, known: Iterable[Event]) -> list[News]:
    """Return what is told of Discord's event to each of ours: a recurring one has one for each occurrence.

    When an occurrence is over, Discord tells of the next one under the same id, and of nothing else.
    """
    discord_id = what.event.event_id if isinstance(what, ScheduledEventChanged) else what.event_id
    ours = sorted(event.event_id for event in known if event.discord_event_id == discord_id)
    if isinstance(what, ScheduledEventGone):
        return [replace(what, event_id=event_id) for event_id in ours or [discord_id]]
    over = [event_id for event_id in ours if event_id != what.event_id]
    gone = [ScheduledEventGone(what.at, what.guild_id, event_id, what.replayed_from) for event_id in over]
    return [*gone, what]


def _began(known: Event | None, told: ScheduledEvent, at: int) -> int | None:
    """Return when an event began that was to begin while nobody watched: when it was to."""
    was_due = known is not None and known.status is EventStatus.SCHEDULED and told.starts_at <= at
    return max(told.starts_at, known.created_at) if was_due and known is not None else None


def says_nothing_new(event: Event, told: ScheduledEvent) -> bool:
    """Say whether an event that may still go on is already as Discord tells."""
    status = EventStatus.SCHEDULED if told.status == ScheduledStatus.SCHEDULED else EventStatus.ACTIVE
    return told.status <= ScheduledStatus.ACTIVE and event.status is status and not _differs(event, told)


def _in_status(event: Event, status: int, what: ScheduledEventChanged | ScheduledEventGone) -> Event:
    """Follow Discord's status. What a RESUME replays happened before: members are given that time."""
    if status == ScheduledStatus.SCHEDULED:
        return event
    if status == ScheduledStatus.CANCELED:
        return cancelled(event, what.at)
    if event.status is EventStatus.SCHEDULED:
        if status == ScheduledStatus.COMPLETED:
            return cancelled(event, what.at)
        return begun(event, what.at if what.replayed_from is None else min(what.at, what.replayed_from))
    return ended(event, what.at) if status == ScheduledStatus.COMPLETED else event


def channel_deleted(event: Event, channel_id: int, at: int) -> Event:
    """End an event with its channel: Discord tells nothing else of it (discord-api-docs issue 4581)."""
    if event.source != DISCORD or not event.is_open or channel_id not in event.channel_ids:
        return event
    return cancelled(event, at) if event.status is EventStatus.SCHEDULED else ended(event, at)


def gone(event: Event | None, what: ScheduledEventGone, _: EventRules) -> Event | None:
    """End an event that Discord lists no more; one that never started is cancelled."""
    if event is None or not event.is_open:
        return event
    return _in_status(event, ScheduledStatus.COMPLETED, what)
