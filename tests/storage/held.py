"""Events with their attendance for hypothesis to draw, and the ledger that holds them."""

from contextlib import closing
from dataclasses import dataclass

import hypothesis.strategies as st
from msgspec.structs import replace

from engine.domain.attendance import Participant, Piece, Stay, is_linked
from engine.domain.effects import SaveSession, SaveSpan, Status
from engine.domain.event_effects import LinkSessions, SaveEvent, SaveParticipants
from engine.domain.events import Event, EventStatus, Policy
from engine.domain.inputs import VoiceFlags
from engine.domain.participation import attendees, entries, score
from engine.domain.sessions import Session
from engine.storage.ledger import SqlLedger
from tests.storage.ledgers import GUILD, T, Writer

EVENT_ID = 900
CHANNELS = (70, 71)
ELSEWHERE = 79
USERS = (-2, 1, 3, 12)  # the first asked to be forgotten
ROLES = ((), (5,), (5, 6))
FLAGS = tuple(int(it) for it in (0, 0, *VoiceFlags) if it is not VoiceFlags.BOT)
SCHEDULED, ACTIVE, ENDED, CANCELLED = EventStatus
EVENT = Event(EVENT_ID, GUILD, "Watch", CHANNELS, ACTIVE, started_at=T + 100, created_at=T, updated_at=T)


@dataclass
class Held:
    """An event, all sessions of its guild, those of whom only a row is left, and the partition's time."""

    event: Event
    stays: list[Stay]
    glimpsed: list[Participant]
    now: int

    @property
    def here(self) -> list[Stay]:
        """Return the stays in the event's channels, each user's in order."""
        found = [it for it in self.stays if it.channel_id in self.event.channel_ids]
        return sorted(found, key=lambda it: (it.joined_at, it.user_id))

    @property
    def result(self) -> list[Participant]:
        """Return what all participants come to, by their ids."""
        known = attendees(self.event, self.here, self.glimpsed)
        scores = score(self.event, known, self.now)
        return [scores[user_id] for user_id in sorted(scores)]

    def write(self, path) -> None:
        """Make a ledger of it, with a row of each participant as the event's actor would write it."""
        event = self.event
        known = attendees(event, self.here, self.glimpsed)
        rows = entries(known) if event.is_open else tuple(self.result)
        linked = tuple(sorted((it.user_id, it.joined_at) for it in self.here if is_linked(event, it)))
        with closing(SqlLedger(path, 0)) as ledger:
            Writer(ledger).write(
                *(effect for stay in self.stays for effect in saved(stay)),
                SaveEvent(event),
                SaveParticipants(event.guild_id, event.event_id, rows, whole=True),
                LinkSessions(event.guild_id, event.event_id, linked, whole=True),
                now=self.now,
            )


def saved(stay, guild=GUILD):
    """Return the effects that write a session with its spans."""
    session = Session(
        stay.user_id,
        stay.channel_id,
        stay.joined_at,
        stay.flags,
        stay.span_at,
        chain_at=stay.joined_at,
        joined_slack_ms=stay.joined_slack_ms,
        roles=stay.roles,
    )
    yield from (SaveSpan(guild, stay.user_id, stay.joined_at, *it) for it in stay.pieces)
    status = Status.ACTIVE if stay.left_at is None else Status.COMPLETED
    yield SaveSession(guild, session, T, stay.left_at, stay.left_slack_ms, status)


lengths = st.integers(1, 15)
spans = st.tuples(lengths, st.sampled_from(FLAGS), st.sampled_from(ROLES))
slacks = st.sampled_from((0, 0, 0, 3, 20))


@st.composite
def stays_of(draw, user_id):
    """Draw a user's sessions: they never overlap, though with their slack they may; the last may be open."""
    at, found = T + draw(st.integers(0, 20)), []
    for _ in range(draw(st.integers(0, 4))):
        joined_at, pieces = at, []
        for length, flags, roles in draw(st.lists(spans, max_size=3)):
            pieces.append(Piece(at, at + length, flags, roles))
            at += length
        left_at = at + draw(st.integers(0, 10))
        _, flags, roles = draw(spans)
        found.append(
            Stay(
                user_id,
                draw(st.sampled_from((*CHANNELS, *CHANNELS, ELSEWHERE))),
                joined_at,
                at,
                flags,
                roles,
                draw(slacks),
                left_at,
                draw(slacks),
                tuple(pieces),
            )
        )
        at = max(left_at, joined_at + 1) + draw(st.sampled_from((0, 0, 1, 7)))
    if found and draw(st.booleans()):
        found[-1] = replace(found[-1], left_at=None, left_slack_ms=0)
    return found


@st.composite
def events(draw, boundaries, statuses):
    """Draw an event that begins and ends about where sessions do: there is most to be mistaken."""
    about = st.builds(int.__add__, st.sampled_from(boundaries), st.sampled_from((0, 0, -1, 1, -4, 4)))
    started_at, status = draw(about), draw(st.sampled_from(statuses))
    return Event(
        EVENT_ID,
        GUILD,
        "Night watch",
        draw(st.sampled_from((CHANNELS, CHANNELS[:1]))),
        status,
        started_at=started_at,
        ended_at=None if status is ACTIVE else max(started_at, draw(about)),
        required_role_ids=draw(st.sampled_from(ROLES)),
        match_all=draw(st.booleans()),
        min_duration_ms=draw(st.sampled_from((0, 5, 20))),
        min_share=draw(st.sampled_from((0.0, 0.3, 1.0))),
        policy=draw(st.builds(Policy, *[st.booleans()] * 6)),
        created_at=T,
        updated_at=started_at,
    )


@st.composite
def held(draw, statuses=(ACTIVE, ENDED, CANCELLED)):
    stays = [stay for user_id in USERS for stay in draw(stays_of(user_id))]
    boundaries = {at for it in stays for at in (it.joined_at, it.left_at) if at is not None}
    event = draw(events(sorted(boundaries) or [T], statuses))
    at = event.started_at
    few = st.sets(st.integers(10, 14), max_size=2)  # one of whom may have come back for longer
    glimpsed = [Participant(user_id, at, at, at) for user_id in draw(few)]
    now = max(event.ended_at or 0, at + draw(st.integers(0, 100)))
    return Held(event, stays, glimpsed, now)
