"""The ledger's part for events in plain dicts, and the live state beside it."""

from collections import Counter, defaultdict

from engine.domain.attendance import END_OF_TIME, Participant, Piece, Stay
from engine.domain.effects import Effect
from engine.domain.event_effects import (
    Answer,
    AwardBadges,
    DropParticipant,
    EventEffect,
    FollowParticipants,
    LinkSessions,
    SaveEvent,
    SaveParticipants,
    UnlinkSession,
)
from engine.domain.event_step import EventState, loaded
from engine.domain.events import Event, EventStatus
from engine.domain.inputs import VoiceFlags
from engine.domain.lifecycle import Standing
from engine.domain.tracking import SubjectKind
from tests.domain.book import Book, Row


class EventBook:
    """What the ledger and the live state would hold of events. ``book`` has the sessions.

    ``writes`` counts how often each kind of row was written, by event.
    """

    def __init__(self, book: Book) -> None:
        self.book = book
        self.events: dict[int, Event] = {}
        self.participants: dict[int, dict[int, Participant]] = defaultdict(dict)
        self.links: dict[int, set[tuple[int, int]]] = defaultdict(set)
        self.badges: dict[tuple[int, int], AwardBadges] = {}
        self.live: dict[int, dict[int, Participant]] = defaultdict(dict)
        self.answers: dict[str, Answer] = {}
        self.writes: dict[int, Counter[str]] = defaultdict(Counter)

    def take(self, effects: list[Effect]) -> None:
        """Fold an event's effects in, in order."""
        for effect in effects:
            self._take(effect)

    def _take(self, effect: EventEffect) -> None:
        match effect:
            case SaveEvent(event=event):
                self.events[event.event_id] = event
            case SaveParticipants(event_id=event_id, rows=rows, whole=whole):
                self._save_participants(event_id, rows, whole=whole)
            case DropParticipant(event_id=event_id, user_id=user_id):
                del self.participants[event_id][user_id]
                self.live[event_id].pop(user_id, None)
            case FollowParticipants(event_id=event_id, rows=rows):
                self.live[event_id].update({row.user_id: row for row in rows})
            case LinkSessions(event_id=event_id, sessions=sessions, whole=whole):
                self.links[event_id] = set(sessions) | (set() if whole else self.links[event_id])
            case UnlinkSession(event_id=event_id, user_id=user_id, joined_at=joined_at):
                self.links[event_id].remove((user_id, joined_at))
            case AwardBadges(event_id=event_id, user_ids=user_ids):
                for user_id in user_ids:
                    self.badges.setdefault((event_id, user_id), effect)
            case Answer():
                assert effect.request_id not in self.answers, "a request was answered twice"
                self.answers[effect.request_id] = effect
            case _:
                self.book.trackers.take(effect)
        self.writes[getattr(effect, "event_id", 0)][type(effect).__name__] += 1
        self._clear_live()

    def _save_participants(self, event_id: int, rows: tuple[Participant, ...], *, whole: bool) -> None:
        assert len({row.user_id for row in rows}) == len(rows), "one participant, one row"
        kept = {} if whole else self.participants[event_id]
        self.participants[event_id] = kept | {row.user_id: row for row in rows}
        if whole:
            self.live[event_id].clear()

    def _clear_live(self) -> None:
        """The cache is cleared when an event is over (seed 002)."""
        for event_id, event in self.events.items():
            if event.status is not EventStatus.ACTIVE:
                self.live.pop(event_id, None)

    def attendance(self, event: Event) -> tuple[list[Stay], list[Participant]]:
        """Return what ``Ledger.load_attendance`` would."""
        rows = self.participants.get(event.event_id, {})
        return self.stays(event), [rows[user_id] for user_id in sorted(rows)]

    def stays(self, event: Event) -> list[Stay]:
        """Return the sessions in an event's channels that may reach into its window, each user's in order."""
        if event.started_at is None:
            return []
        ends_at = END_OF_TIME if event.ended_at is None else event.ended_at
        found = []
        for (guild_id, _, _), row in sorted(self.book.rows.items()):
            stay = stay_of(row)
            early, late = (stay.joined_slack_ms, stay.left_slack_ms) if event.policy.generous else (0, 0)
            left_at = END_OF_TIME if stay.left_at is None else max(stay.left_at + late, stay.joined_at + 1)
            if (
                guild_id == event.guild_id
                and not stay.flags & VoiceFlags.BOT
                and stay.channel_id in event.channel_ids
                and stay.joined_at - early < ends_at
                and left_at > event.started_at
            ):
                found.append(stay)
        return sorted(found, key=lambda it: (it.joined_at, it.user_id))

    def standing(self, guild_id: int) -> Standing:
        """Return how a guild is watched."""
        known = self.book.guilds.get(guild_id)
        if known is None:
            return Standing()
        return Standing(known.connection, known.lost_at, known.present, known.afk_channel_id)

    def load(self, event_id: int, guild_id: int) -> EventState:
        """Return an event's state as a restarted engine would load it."""
        event = self.events.get(event_id)
        stays, rows = ([], []) if event is None else self.attendance(event)
        subject = self.book.trackers.subjects.get((SubjectKind.EVENT, event_id))
        return loaded(event, self.standing(guild_id), stays, rows, subject)

    def active_events(self) -> list[Event]:
        """Return the events that are active."""
        return [it for it in self.open_events() if it.status is EventStatus.ACTIVE]

    def open_events(self) -> list[Event]:
        """Return the events that are scheduled, active, or over and not settled."""
        events = (self.events[event_id] for event_id in sorted(self.events))
        return [it for it in events if it.is_open or not it.settled]


def stay_of(row: Row) -> Stay:
    """Return a session's row as attendance reads it."""
    saved, session = row.saved, row.saved.session
    return Stay(
        user_id=session.user_id,
        channel_id=session.channel_id,
        joined_at=session.joined_at,
        span_at=session.span_at,
        flags=int(session.flags),
        roles=session.roles,
        joined_slack_ms=session.joined_slack_ms,
        left_at=saved.left_at,
        left_slack_ms=saved.left_slack_ms,
        pieces=tuple(Piece(*span) for span in row.ended_spans),
    )
