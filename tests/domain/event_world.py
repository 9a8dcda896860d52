"""The small Discord with events held in it. Requests come from another writer, late and out of order."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engine.domain.event_inputs import (
    CancelEvent,
    ChangeEvent,
    CreateEvent,
    EventFields,
    EventInput,
    RescoreEvent,
    StartEvent,
    StopEvent,
)
from engine.domain.inputs import Entry, GuildChanged
from tests.domain.ingest import GUILDS, START, Op
from tests.domain.world import World

EVENTS = (101, 102, 103)  # the first and the last in the first guild, the second in the second
SETTLES_MS = 2_000


class EventOp(NamedTuple):
    """Something is asked of an event ``late_ms`` before it is journaled.

    ``fields`` are as in ``EventFields``, but channels by their place in the guild and times in ms from now.
    """

    after_ms: int
    name: str
    event: int = 0
    late_ms: int = 0
    fields: dict[str, Any] = {}  # noqa: RUF012 - hypothesis fills it


@dataclass
class EventWorld(World):
    """``asked``: how many requests so far."""

    asked: int = 0
    made: set[int] = field(default_factory=set)

    def settle(self) -> None:
        """Stop all events, and have all guilds watched until nothing more can be learned."""
        super().settle()
        for event_id in range(len(EVENTS)):
            self.play([EventOp(1_500, "stop", event_id)])
        self.play([EventOp(SETTLES_MS, "nothing"), EventOp(SETTLES_MS, "nothing")])

    def do_nothing(self, _: EventOp) -> None:
        """Let time pass."""

    def do_make(self, op: EventOp) -> None:
        given = EventFields(**{"name": "Raid", "channel_ids": (0,)} | op.fields)
        self._ask(op, CreateEvent, fields=self._fields(op, given))

    def do_start(self, op: EventOp) -> None:
        self._ask(op, StartEvent)

    def do_stop(self, op: EventOp) -> None:
        self._ask(op, StopEvent)

    def do_cancel(self, op: EventOp) -> None:
        self._ask(op, CancelEvent)

    def do_rescore(self, op: EventOp) -> None:
        self._ask(op, RescoreEvent)

    def do_change(self, op: EventOp) -> None:
        self._ask(op, ChangeEvent, fields=self._fields(op, EventFields(**op.fields)))

    def do_afk(self, op: Op) -> None:
        """Another channel becomes the AFK channel."""
        guild_id, _ = self._who(op)
        channels = [*self.channels[guild_id], None]
        self._tell(GuildChanged(self.now, guild_id, "Guild", channels[op.where % len(channels)]))

    def _fields(self, op: EventOp, given: EventFields) -> EventFields:
        fields = {name: getattr(given, name) for name in given.__struct_fields__}
        for name in ("starts_at", "ends_at"):
            if isinstance(fields[name], int):
                fields[name] += self.now
        if isinstance(fields["channel_ids"], tuple):
            channels = self.channels[_guild_of(op)]
            fields["channel_ids"] = tuple(
                sorted({channels[it % len(channels)] for it in fields["channel_ids"]})
            )
        return EventFields(**fields)

    def _ask(self, op: EventOp, kind: type[EventInput], **more: Any) -> None:
        self.asked += 1
        at, event_id = max(self.now - op.late_ms, START), EVENTS[op.event]
        asked = kind(at, _guild_of(op), event_id, request_id=f"r{self.asked}", **more)
        self.journal.append(Entry("http", self.asked, asked))


def _guild_of(op: EventOp) -> int:
    return GUILDS[op.event % len(GUILDS)]
