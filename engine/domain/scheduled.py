"""Discord's own scheduled events, mirrored in time and status (Discord, "Guild Scheduled Event")."""

from collections.abc import Iterable

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
        event_id=told.event_id,
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


def shown(
    snapshot: GuildSnapshot, known: Iterable[Event]
) -> list[ScheduledEventChanged | ScheduledEventGone]:
    """Return what a guild's snapshot tells that is news. ``known``: its events that may still go on."""
    mine = {event.event_id: event for event in known if event.source == DISCORD}
    told = {it.event_id: it for it in snapshot.scheduled_events or ()}
    at, guild_id = snapshot.at, snapshot.guild_id
    news: list[ScheduledEventChanged | ScheduledEventGone] = [
        ScheduledEventChanged(at, guild_id, it, _began(mine.get(it.event_id), it, at))
        for it in told.values()
        if it.event_id not in mine or not says_nothing_new(mine[it.event_id], it)
    ]
    return news + [ScheduledEventGone(at, guild_id, event_id) for event_id in mine if event_id not in told]


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


def gone(event: Event | None, what: ScheduledEventGone, _: EventRules) -> Event | None:
    """End an event that Discord lists no more; one that never started is cancelled."""
    if event is None or not event.is_open:
        return event
    return _in_status(event, ScheduledStatus.COMPLETED, what)
