"""An event's story, told entry by entry, and what the ledger says of it."""

from collections.abc import Iterable
from typing import Any

from engine.domain.attendance import Participant, Reason
from engine.domain.event_effects import Answer
from engine.domain.event_inputs import (
    CancelEvent,
    ChangeEvent,
    CreateEvent,
    EventFields,
    EventInput,
    PolicyFields,
    RescoreEvent,
    StartEvent,
    StopEvent,
)
from engine.domain.events import Event, EventStatus
from engine.domain.inputs import (
    ChannelDeleted,
    Entry,
    GuildChanged,
    GuildLost,
    GuildSnapshot,
    GuildUnavailable,
    Heartbeat,
    Input,
    MemberRemoved,
    RolesChanged,
    ShardBeat,
    VoiceState,
    VoiceStateChanged,
)
from engine.domain.participation import followed, score
from engine.domain.rules import Rules
from tests.domain.event_replay import EventReplay
from tests.domain.story import GUILD, channel_of, letter_of, ms, s

EVENT = 500
REASONS = {reason.name.lower(): reason for reason in Reason}


class EventStory(EventReplay):
    """Times are seconds since the story's start, channels letters; every telling is a batch of its own.

    The guild is watched on connection "c1" from the start. ``journal`` keeps all that was told.
    """

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self.journal: list[Entry] = []
        self._asked = 0

    def check_retelling(self) -> None:
        """See that nothing depends on how the journal was cut, nor on when the engine was killed."""
        crashing = EventReplay(self.rules)
        for number, entry in enumerate(self.journal):
            crashing.take([entry])
            crashing.crash()
            twice = EventReplay(self.rules)
            twice.take(self.journal[:number])
            twice.take(self.journal[number:])
            twice._take([])  # alarms ring with the next batch
            assert twice.outcome() == self.outcome(), f"cut before {entry.input}"
        crashing._take([])
        assert crashing.outcome() == self.outcome(), "killed after each entry"

    def tell(self, what: Input) -> None:
        self.journal.append(Entry("story", len(self.journal), what))
        self.take(self.journal[-1:])

    def snapshot(self, at: float, *states: VoiceState, connection: str = "c1", **more: Any) -> None:
        self.tell(GuildSnapshot(ms(at), GUILD, connection, states, **more))

    def voice(
        self,
        at: float,
        channel: str | None,
        flags: int = 0,
        *,
        user: int = 1,
        lost: float | None = None,
        **more: Any,
    ) -> None:
        """A voice state update; ``lost``: a RESUME replays it after a loss at that time."""
        channel_id = None if channel is None else channel_of(channel)
        fields = {"gateway_session_id": f"s{user}", "replayed_from": ms(lost)} | more
        self.tell(VoiceStateChanged(ms(at), GUILD, user, channel_id, flags, **fields))

    def roles(self, at: float, *roles: int, user: int = 1) -> None:
        self.tell(RolesChanged(ms(at), GUILD, user, roles))

    def afk(self, at: float, channel: str | None) -> None:
        self.tell(GuildChanged(ms(at), GUILD, "Guild", None if channel is None else channel_of(channel)))

    def deleted(self, at: float, channel: str) -> None:
        self.tell(ChannelDeleted(ms(at), GUILD, channel_of(channel)))

    def removed(self, at: float, user: int = 1) -> None:
        self.tell(MemberRemoved(ms(at), GUILD, user))

    def lost(self, at: float) -> None:
        self.tell(GuildLost(ms(at), GUILD))

    def unavailable(self, at: float) -> None:
        self.tell(GuildUnavailable(ms(at), GUILD))

    def beat(
        self, at: float, alive: float | None = None, *, connection: str = "c1", connected: bool = True
    ) -> None:
        alive_at = ms(at if alive is None else alive)
        self.tell(Heartbeat(ms(at), (ShardBeat(0, connection, connected, alive_at),)))

    def ask(self, kind: type[EventInput], at: float, event: int = EVENT, **more: Any) -> Answer:
        """Ask something of an event; return the answer."""
        self._asked += 1
        request_id = f"r{self._asked}"
        self.tell(kind(ms(at), GUILD, event, request_id=request_id, **more))
        return self.events.answers[request_id]

    def make(self, at: float, channels: str = "A", event: int = EVENT, **fields: Any) -> Answer:
        fields = {"name": "Raid"} | fields
        return self.ask(CreateEvent, at, event, fields=_fields(channels=channels, **fields))

    def change(self, at: float, event: int = EVENT, **fields: Any) -> Answer:
        return self.ask(ChangeEvent, at, event, fields=_fields(**fields))

    def start(self, at: float, event: int = EVENT) -> Answer:
        return self.ask(StartEvent, at, event)

    def stop(self, at: float, event: int = EVENT) -> Answer:
        return self.ask(StopEvent, at, event)

    def cancel(self, at: float, event: int = EVENT) -> Answer:
        return self.ask(CancelEvent, at, event)

    def rescore(self, at: float, event: int = EVENT) -> Answer:
        return self.ask(RescoreEvent, at, event)

    def held(self, at: float, channels: str = "A", event: int = EVENT, **fields: Any) -> None:
        """Make an event and start it."""
        self.make(at, channels, event, **fields)
        self.start(at, event)

    def event(self, event: int = EVENT) -> Event:
        return self.events.events[event]

    def status(self, event: int = EVENT) -> str:
        return self.event(event).status.name.lower()

    def window(self, event: int = EVENT) -> tuple[float | None, float | None]:
        return s(self.event(event).started_at), s(self.event(event).ended_at)

    def participants(self, event: int = EVENT) -> set[int]:
        """Return who has a row."""
        return set(self.events.participants[event])

    def row(self, user: int = 1, event: int = EVENT) -> Participant:
        """Return a participant's row."""
        return self.events.participants[event][user]

    def cached(self, user: int = 1, event: int = EVENT) -> tuple[float | None, ...]:
        """Return (startDate, endDate, duration) as the live state has them."""
        it = self.events.live[event][user]
        return s(it.start_at), s(it.end_at), it.counted_ms / 1000

    def rebuilt_live(self, event: int = EVENT) -> dict[int, Participant]:
        """Return what the live state is rebuilt to, from nothing but the ledger."""
        state = self.events.load(event, GUILD)
        return {user: followed(state.event, it) for user, it in state.attendees.items()}

    def stretch(self, user: int = 1, event: int = EVENT) -> tuple[float | None, float | None]:
        """Return (startDate, endDate) of a row."""
        it = self.row(user, event)
        return s(it.start_at), s(it.end_at)

    def time(self, user: int = 1, event: int = EVENT) -> dict[str, float]:
        """Return what a participant's time comes to by now, by reason, in seconds."""
        return seconds_of(self.result(event)[user])

    def result(self, event: int = EVENT) -> dict[int, Participant]:
        """Return all participants as they are scored by now."""
        known = self.event(event)
        if known.status is EventStatus.ACTIVE:
            return score(known, self.states[event].attendees, self.partition.now)
        return self.events.participants[event]

    def links(self, event: int = EVENT) -> list[tuple[int, float]]:
        """Return (user, joined) of the sessions that are linked."""
        return [(user, s(joined_at)) for user, joined_at in sorted(self.events.links[event])]

    def badges(self, event: int = EVENT) -> set[int]:
        """Return who has the badge."""
        return {user for it, user in self.events.badges if it == event}

    def entered(self, user: int = 1, event: int = EVENT) -> float:
        return s(self.row(user, event).entered_at)


def seconds_of(it: Participant) -> dict[str, float]:
    return {name: it.tally[reason] / 1000 for name, reason in REASONS.items() if it.tally[reason]}


def _fields(channels: str | None = None, **fields: Any) -> EventFields:
    """Read fields as a test writes them: letters for channels, seconds for times."""
    if channels is not None:
        fields["channel_ids"] = tuple(channel_of(it) for it in channels)
    for name in ("starts_at", "ends_at"):
        if name in fields:
            fields[name] = ms(fields[name])
    if isinstance(policy := fields.get("policy"), dict):
        fields["policy"] = PolicyFields(**policy)
    if "roles" in fields:
        fields["required_role_ids"] = fields.pop("roles")
    if "seconds" in fields:
        fields["min_duration_ms"] = round(fields.pop("seconds") * 1000)
    return EventFields(**fields)


def letters(channels: Iterable[int]) -> str:
    return "".join(letter_of(it) for it in channels)
