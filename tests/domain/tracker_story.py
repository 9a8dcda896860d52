"""A story of players, trackers and listeners, told entry by entry, and what becomes of it."""

from typing import Any

from msgspec.structs import replace

from engine.domain.event_effects import Answer
from engine.domain.rules import Rules, TrackingRules
from engine.domain.tracker_effects import TellListeners
from engine.domain.tracker_inputs import (
    ExpiryDecided,
    PlayerReported,
    ScopeCommitted,
    SubjectMark,
    SubjectOverridden,
    TrackersKnown,
)
from engine.domain.tracking import Decision, Player, PlayerState, Subject, SubjectKind, SubjectState
from tests.domain.event_story import EventStory
from tests.domain.story import GUILD, letter_of, ms, s

OWN = 999
PLAYER, OF_EVENT = SubjectKind
Line = tuple[float, str] | tuple[float, str, str]


class TrackerStory(EventStory):
    """Times and timeouts are seconds. The bot is user 999; ``voice`` without a user tells of it."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._silent: dict[str, int] = {}
        self._labels = rules.tracking.trackers
        self.snapshot(0, own_user_id=OWN)

    def own(self, at: float, channel: str | None, **more: Any) -> None:
        """Tell the bot's own voice state."""
        self.voice(at, channel, user=OWN, **({"bot": True} | more))

    def bot(self, at: float, channel: str | None, flags: int = 0, *, user: int = 50, **more: Any) -> None:
        """Tell another bot's voice state."""
        self.voice(at, channel, flags, user=user, **({"bot": True} | more))

    def inactive(
        self, at: float, tracker: str = "a", timeout: float | None = None, *, event: int | None = None
    ) -> None:
        """Commit a scope with one mark: on the player, or on an event."""
        self.scope(at, tracker, mark(True, timeout, event))

    def active(self, at: float, tracker: str = "a", *, event: int | None = None) -> None:
        self.scope(at, tracker, mark(False, None, event))

    def scope(self, at: float, tracker: str, *marks: SubjectMark) -> None:
        self.tell(ScopeCommitted(ms(at), tracker, marks, tuple(self._silent.items())))

    def known(self, at: float, *trackers: str) -> None:
        """Tell which trackers run; scopes tell so too from then on."""
        self._silent = {it: self._silent.get(it, ms(at)) for it in self._labels if it not in trackers}
        self.tell(TrackersKnown(ms(at), trackers))

    def override(self, at: float, *, event: int | None = None, **more: Any) -> Answer:
        """Ask for an override; return the answer."""
        if "timeout" in more:
            more["timeout_ms"] = length(more.pop("timeout"))
        self._asked += 1
        request_id = f"r{self._asked}"
        self.tell(SubjectOverridden(ms(at), GUILD, *names(event), request_id=request_id, **more))
        return self.answer(request_id)

    def decide(
        self,
        at: float,
        decision: Decision,
        *,
        of: float,
        postpone: float = 0,
        event: int | None = None,
    ) -> None:
        """Tell what listeners decided about the deadline ``of`` that time."""
        self.tell(ExpiryDecided(ms(at), GUILD, *names(event), ms(of), decision, length(postpone)))

    def report(self, at: float, state: PlayerState) -> Answer:
        self._asked += 1
        request_id = f"r{self._asked}"
        self.tell(PlayerReported(ms(at), GUILD, state, request_id))
        return self.answer(request_id)

    def answer(self, request_id: str) -> Answer:
        found = self.events.answers | self.book.trackers.answers
        return found[request_id]

    @property
    def player(self) -> Player | None:
        return self.guilds[GUILD].player

    @property
    def where(self) -> str | None:
        """Return the player's channel."""
        return None if self.player is None else letter_of(self.player.channel_id)

    def subject(self, event: int | None = None) -> Subject:
        kind, subject_id = names(event)
        return self.book.trackers.subjects.get((kind, subject_id), Subject(kind, subject_id))

    def state(self, event: int | None = None) -> SubjectState:
        return self.subject(event).state

    def deadline(self, event: int | None = None) -> float | None:
        return s(self.subject(event).deadline)

    def since(self, tracker: str = "a", event: int | None = None) -> float:
        return s(self.subject(event).marks[tracker].since)

    def edges(self, event: int | None = None) -> list[TellListeners]:
        return self.book.trackers.told[names(event)]

    def lines(self, event: int | None = None) -> list[Line]:
        """Return (when, what[, by which tracker]) of all that listeners were told."""
        return [
            (s(it.at), it.what.name.lower(), *([] if it.tracker is None else [it.tracker]))
            for it in self.edges(event)
        ]

    def expired(self, event: int | None = None) -> list[float]:
        """Return when the subject expired."""
        return [at for at, what, *_ in self.lines(event) if what == "inactive"]

    def noted(self) -> list[tuple[float, str]]:
        """Return when expiries were noted for others, and in which channels."""
        return [(s(it.at), letter_of(it.channel_id)) for it in self.book.trackers.notices.values()]

    def disconnected(self) -> list[tuple[float, str]]:
        """Return (when, out of which channel)."""
        return [(s(it.at), letter_of(it.channel_id)) for it in self.book.trackers.disconnects.values()]


def names(event: int | None) -> tuple[SubjectKind, int]:
    return (PLAYER, GUILD) if event is None else (OF_EVENT, event)


def mark(inactive: bool, timeout: float | None = None, event: int | None = None) -> SubjectMark:
    return SubjectMark(GUILD, *names(event), inactive, length(timeout))


def length(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def tracking(**rules: Any) -> TrackingRules:
    """Return rules for trackers a, b and c, in seconds."""
    for name in ("default_timeout", "ask_within"):
        if name in rules:
            rules[f"{name}_ms"] = length(rules.pop(name))
    return replace(TrackingRules(trackers=("a", "b", "c")), **rules)
