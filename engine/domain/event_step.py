"""The event's step: requests, time and its guild's facts in; a new state and effects out. Pure, as ``step``.

Two parts, since what a request changes may need sessions that the event has not followed: ``plan`` says what
the event is to be and whether its attendance must be read from the ledger, ``carry_out`` does the rest.
Whatever comes in one share could as well come in several: the rows end up the same.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from engine.domain import lifecycle, requests, scheduled
from engine.domain.abandonment import Trackers, TrackerWord
from engine.domain.attendance import Participant, Stay
from engine.domain.effects import DropChannel, Effect, SaveGuild
from engine.domain.event_effects import Answer, AwardBadges, SaveEvent
from engine.domain.event_inputs import EventInput
from engine.domain.event_writes import rows_with, whole, written
from engine.domain.events import Event, EventStatus
from engine.domain.following import Following
from engine.domain.gateway import Connections
from engine.domain.inactivity import next_at
from engine.domain.lifecycle import Standing
from engine.domain.participation import Attendee, Attendees, attendees, score
from engine.domain.rescoring import difference, result
from engine.domain.rules import Rules
from engine.domain.tracking import Subject


class Facts(Struct, frozen=True, gc=False):
    """What an event's guild did in a batch."""

    effects: list[Effect]


class Time(Struct, frozen=True, gc=False):
    """That time has passed, and how the gateway's connections are."""

    connections: Connections


# With the partition's time as of then.
Happening: TypeAlias = tuple[EventInput | TrackerWord | Facts | Time, int]


class EventState(Struct, frozen=True):
    """An event and its attendance: a function of the ledger's rows. Both None and empty before it exists.

    ``attendees`` of an event that has begun. ``written``: the rows of one that is over, by user. ``subject``:
    what trackers say of one that is active.
    """

    event: Event | None = None
    standing: Standing = Standing()
    attendees: Attendees = {}
    written: dict[int, Participant] = {}
    subject: Subject | None = None


class Plan(Struct, frozen=True):
    """What an event is to be after a share. ``read``: its attendance must be read from the ledger for that.

    ``rescored_at``: when a request asked for a new score, if one did. ``subject``: what trackers say of the
    event then, and ``told`` what comes of it.
    """

    event: Event | None
    answers: tuple[Answer, ...] = ()
    read: bool = False
    rescored_at: int | None = None
    subject: Subject | None = None
    told: tuple[Effect, ...] = ()


def loaded(
    event: Event | None,
    standing: Standing,
    stays: Iterable[Stay],
    rows: Iterable[Participant],
    subject: Subject | None = None,
) -> EventState:
    """Return the state of an event as the ledger has it."""
    if event is None or event.started_at is None:
        return EventState(event, standing)
    rows = list(rows)
    known = attendees(event, stays, rows)
    written = {} if event.is_open else {row.user_id: row for row in rows}
    return EventState(event, standing, known, written, subject)


def event_deadline(state: EventState, rules: Rules) -> int | None:
    """Return when time alone will next change an event: its own begin or end, or what trackers have set."""
    own = None if state.event is None else lifecycle.deadline(state.event)
    theirs = None if state.subject is None else next_at(state.subject, rules.tracking)
    return min((at for at in (own, theirs) if at is not None), default=None)


def plan(state: EventState, share: Sequence[Happening], rules: Rules) -> Plan:
    """Decide what the event is to be: deadlines at their own time, each before what came after it."""
    event, answers, rescored_at = state.event, [], None
    trackers = Trackers(state.subject, rules.tracking)
    for what, now in share:
        if isinstance(what, Facts):
            event = _followed_guild(event, what, trackers)
        event = trackers.pass_time(event, now)
        if isinstance(what, TrackerWord):
            event = trackers.pass_time(trackers.take(event, what), now)
        elif not isinstance(what, Facts | Time):
            is_new = event is None
            decision = requests.decide(event, what, rules.events, rules.kept(now))
            event = trackers.pass_time(decision.event, now)
            rescored_at = now if decision.rescore else rescored_at
            answers += [] if decision.answer is None else [decision.answer]
            if is_new and event is not None:
                event = replace(event, afk_channel_id=state.standing.afk_channel_id)
    asked = rescored_at is not None
    must_read = event is not None and event.started_at is not None and (asked or _moved(state, event))
    return Plan(event, tuple(answers), must_read, rescored_at, trackers.subject, trackers.done())


def _followed_guild(event: Event | None, facts: Facts, trackers: Trackers) -> Event | None:
    """Follow the guild as long as the event goes on: its AFK channel, the end of a channel, or of all."""
    for it in facts.effects if event is not None and event.is_open else ():
        if type(it) is SaveGuild or type(it) is DropChannel:
            event = trackers.pass_time(event, it.at)
            event = event if event is None else _of_guild(event, it)
    return event


def _of_guild(event: Event, it: SaveGuild | DropChannel) -> Event:
    """Take what became of the guild. Once the bot is in it no more, nobody can be seen attending."""
    if isinstance(it, DropChannel):
        return scheduled.channel_deleted(event, it.channel_id, it.at)
    event = lifecycle.due(event, it.at) or event
    if not event.is_open:
        return event
    if it.present:
        return replace(event, afk_channel_id=it.afk_channel_id)
    lost_at = it.at if it.lost_at is None else it.lost_at
    if event.status is EventStatus.ACTIVE:
        return lifecycle.ended(event, lost_at)
    return lifecycle.cancelled(event, lost_at) if event.source == lifecycle.DISCORD else event


def _moved(state: EventState, event: Event) -> bool:
    """Say whether what was read so far does not do for the event as it is to be."""
    before = state.event
    if before is None or _terms(before) != _terms(event):
        return True
    if event.ended_at is None or before.ended_at is not None:
        return False
    # The end may lie before what was read already: two writers' entries need not come in order of time.
    return any(_read_up_to(it) >= event.ended_at for it in state.attendees.values())


def _read_up_to(it: Attendee) -> int:
    return it.done.edge if it.stay is None else max(it.done.edge, it.stay.span_at)


def _terms(event: Event) -> tuple[object, ...]:
    """Return what decides how a time reads, but for the end."""
    return (
        event.started_at,
        event.channel_ids,
        event.required_role_ids,
        event.match_all,
        event.policy,
        event.policy.count_afk or event.afk_channel_id,
    )


def carry_out(
    state: EventState,
    planned: Plan,
    read: tuple[Sequence[Stay], Sequence[Participant]] | None,
    share: Sequence[Happening],
    rules: Rules,
) -> tuple[EventState, list[Effect]]:
    """Bring an event to where it is planned to be, and let it follow its guild's facts.

    ``read``: the stays and rows of the planned event, as of before the share, if the plan asks for them.
    """
    event = planned.event
    if event is None:
        return state, [*planned.told, *planned.answers]
    known = state.attendees if read is None else _read_anew(state, event, *read)
    following = Following(event, known, state.standing)
    if read is not None or state.event is None or not state.event.settled:
        for what, _ in share:
            if isinstance(what, Facts):
                following.take(what.effects)
    following.finish()
    was_over = state.event is not None and not state.event.is_open
    effects = written(following, None if read is None else read[0], state.written if was_over else None)
    rows = {} if event.is_open else rows_with(state.written, effects)
    after = EventState(event, following.standing, following.known, rows, planned.subject)
    after, settling = _settled(after, share, rules)
    if after.event != state.event:
        effects.insert(0, SaveEvent(after.event))  # type: ignore[arg-type]  # not None here
    return after, [*effects, *settling, *planned.told, *_answers(state, known, planned)]


def _read_anew(
    state: EventState, event: Event, stays: Sequence[Stay], rows: Sequence[Participant]
) -> Attendees:
    """Read the attendance of an event as it is to be: of its rows, only who was there without a session."""
    seen = (state.attendees.get(row.user_id) for row in rows)
    return attendees(event, stays, [it.entry for it in seen if it is not None and it.entered_in is None])


def _settled(state: EventState, share: Sequence[Happening], rules: Rules) -> tuple[EventState, list[Effect]]:
    """Close the book of an event that is over, if nothing new can be learned: the badges are given."""
    event = state.event
    connections = [what.connections for what, _ in share if isinstance(what, Time)]
    if event is None or event.is_open or event.settled or not connections:
        return state, []
    if not lifecycle.is_settled(event, state.standing, connections[-1], rules.min_session_ms):
        return state, []
    assert event.ended_at is not None
    names, rows = (event.guild_id, event.event_id), score(event, state.attendees)
    effects: list[Effect] = [] if rows == state.written else [whole(event, rows)]
    if earned := tuple(sorted(user_id for user_id, row in rows.items() if row.eligible)):
        effects.append(AwardBadges(*names, earned, rules.events.badges_of(event.guild_id), event.ended_at))
    return replace(state, event=replace(event, settled=True), written=rows), effects


def _answers(before: EventState, known: Attendees, planned: Plan) -> list[Effect]:
    at = planned.rescored_at
    if at is None:
        return list(planned.answers)
    old = result(before.event, before.attendees, before.written, at)
    detail = difference(old, result(planned.event, known, {}, at))
    return [replace(it, detail=detail) if it.code == "ok" else it for it in planned.answers]
