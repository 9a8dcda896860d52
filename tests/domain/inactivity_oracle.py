"""What becomes of a subject, told as plainly as possible: at each moment everything is worked out anew.

Slow on purpose, and without a thought of the engine's own way: it keeps what was ever said and looks at all
of it again. Takes what is in order of time; what comes late is another test's.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from engine.domain.rules import TrackingRules
from engine.domain.tracking import Override


class Said(NamedTuple):
    """One tracker's word: ``timeout_ms`` of an inactive mark, None for the default."""

    at: int
    tracker: str
    inactive: bool
    timeout_ms: int | None = None


class Told(NamedTuple):
    """What listeners were told, with the state and the deadline right after it."""

    at: int
    what: str
    state: str
    deadline: int | None
    tracker: str | None = None


@dataclass
class Oracle:
    """One subject's life. ``told``: all that listeners hear; ``abandoned_at``: since when it was, expired."""

    rules: TrackingRules
    subject_id: int
    said: list[Said] = field(default_factory=list)
    override: Override | None = None
    told: list[Told] = field(default_factory=list)
    # Of the time since it was last active:
    moved_ms: int = 0
    ignored: bool = False
    asked_at: int | None = None
    asked_about: int | None = None
    expired: bool = False
    abandoned_at: int | None = None
    not_before: int = 0
    # The trackers that do not run, and since when.
    silent: dict[str, int] = field(default_factory=dict)

    # What follows from all that was said.

    def holders(self) -> dict[str, tuple[int, int | None]]:
        """Return since when each tracker has held it inactive, with its last timeout."""
        found: dict[str, tuple[int, int | None]] = {}
        for word in self.said:
            if not word.inactive:
                found.pop(word.tracker, None)
            elif word.tracker in found:
                found[word.tracker] = (found[word.tracker][0], word.timeout_ms)
            else:
                found[word.tracker] = (word.at, word.timeout_ms)
        return found

    def special(self) -> Override:
        return self.override or self.rules.overrides.get(self.subject_id) or Override()

    def named(self) -> list[str]:
        wanted = self.special().trackers
        return [it for it in self.rules.trackers if wanted is None or it in wanted]

    def that_count(self) -> list[str]:
        """Return those whose word is awaited: one that does not run is not, where all must agree."""
        return [it for it in self.named() if not (self.rules.mode_all and it in self.silent)]

    def agreed(self) -> bool:
        saying = [it for it in self.that_count() if it in self.holders()]
        return bool(saying) and (len(saying) == len(self.that_count()) or not self.rules.mode_all)

    def deadline(self) -> int | None:
        """Return when its time is up by what was said, None for never."""
        if not self.agreed() or self.ignored or self.special().exempt:
            return None
        holders = self.holders()
        counted = [holders[it] for it in self.that_count() if it in holders]
        begins = [since for since, _ in counted]
        if self.rules.mode_all:
            begins = [max(begins + self.fell_silent_at())] * len(counted)
        ends = []
        for begin, (_, timeout_ms) in zip(begins, counted, strict=True):
            length = self.special().timeout_ms
            if length is None:
                length = timeout_ms
            ends.append(begin + (self.rules.default_timeout_ms if length is None else length))
        together = {"lowest": min(ends), "highest": max(ends), "average": sum(ends) // len(ends)}
        return together[self.rules.combine] + self.moved_ms

    def fell_silent_at(self) -> list[int]:
        return [at for it, at in self.silent.items() if it in self.named()]

    def begun_at(self) -> int:
        holders = self.holders()
        begins = [holders[it][0] for it in self.that_count() if it in holders]
        return max(begins + self.fell_silent_at()) if self.rules.mode_all else min(begins)

    def state(self) -> str:
        if not self.holders():
            return "active"
        if self.expired:
            return "expired"
        if self.asked_at is not None:
            return "expiring"
        return "inactive" if self.agreed() else "suspected"

    def shown_deadline(self) -> int | None:
        """Return the deadline as people see it: one that has passed stays where it passed."""
        if not self.holders():
            return None
        if self.expired or self.asked_at is not None:
            return self.asked_about
        at = self.deadline()
        return None if at is None else max(at, self.not_before)

    # What happens.

    def next_at(self) -> int | None:
        if self.expired:
            return None
        if self.asked_at is not None:
            return self.asked_at + self.rules.ask_within_ms
        return self.shown_deadline()

    def time(self, now: int) -> None:
        """Let whatever is due by now happen when it is."""
        while (at := self.next_at()) is not None and at <= now:
            if self.rules.ask and self.asked_at is None:
                self.asked_at = self.asked_about = at
                self.tell(at, "expiring")
            else:
                self.expire(at)

    def expire(self, at: int) -> None:
        if self.asked_at is None:
            self.asked_about = at
        self.expired, self.asked_at = True, None
        self.tell(at, "inactive")
        self.abandoned_at = self.begun_at()

    def mark(self, at: int, tracker: str, inactive: bool, timeout_ms: int | None = None) -> None:
        if tracker not in self.rules.trackers:
            return
        self.time(at)
        self.say(at, tracker, inactive, timeout_ms)
        self.changed(at)
        self.time(at)

    def say(self, at: int, tracker: str, inactive: bool, timeout_ms: int | None = None) -> None:
        before = self.holders()
        self.said.append(Said(at, tracker, inactive, timeout_ms))
        self.look_again(at)
        if inactive and tracker not in before:
            if not before:
                self.tell(at, "tracked", tracker)
            self.tell(at, "tracker_inactive", tracker)
        if not inactive and tracker in before:
            self.tell(at, "tracker_active", tracker)
            if len(before) == 1:
                self.tell(at, "active", tracker)

    def known(self, at: int, trackers: tuple[str, ...], silent: dict[str, int]) -> None:
        self.time(at)
        self.silent = silent
        self.look_again(at)
        for tracker in self.holders():
            if tracker not in trackers:
                self.say(at, tracker, False)
        self.changed(at)
        self.time(at)

    def change(self, at: int, override: Override | None) -> None:
        self.time(at)
        self.override = override
        self.look_again(at)
        self.changed(at)
        self.time(at)

    def decide(self, at: int, about: int, decision: str, postpone_ms: int) -> None:
        self.time(at)
        if self.asked_at is None or self.asked_about != about:
            return
        if decision == "expire":
            self.expire(at)
            return
        self.asked_at = None
        if decision == "ignore":
            self.ignored = True
        else:
            self.moved_ms += at + postpone_ms - self.deadline()
        self.not_before = at
        self.time(at)

    def changed(self, at: int) -> None:
        """Look at what has come of a change."""

    def look_again(self, at: int) -> None:
        """See what a change at this moment does to what has happened since it was last active."""
        self.not_before = at
        if not self.holders():
            self.moved_ms, self.ignored, self.asked_at, self.expired = 0, False, None, False
        due_at = self.deadline()
        if self.asked_at is not None and (due_at is None or due_at > at):
            self.asked_at = None  # its time is not up after all

    def tell(self, at: int, what: str, tracker: str | None = None) -> None:
        self.told.append(Told(at, what, self.state(), self.shown_deadline(), tracker))


@dataclass
class PlayerOracle(Oracle):
    """A player's life. ``disconnected``, ``noted``: when, and out of which channel."""

    channel_id: int = 0
    plays: str = "idle"
    ours: bool = False
    disconnected: list[tuple[int, int]] = field(default_factory=list)
    noted: list[tuple[int, int]] = field(default_factory=list)
    was_inactive: bool = False

    def changed(self, at: int) -> None:
        is_inactive = self.state() in ("inactive", "expiring", "expired")
        began, ended = is_inactive and not self.was_inactive, self.was_inactive and not is_inactive
        self.was_inactive = is_inactive
        if began and self.rules.pause and self.plays == "playing":
            self.ours = True
            self.tell(at, "pause")
        if ended and self.ours:
            self.ours, self.plays = False, "playing"
            self.tell(at, "resume")

    def expire(self, at: int) -> None:
        super().expire(at)
        if self.rules.on_expiry == "disconnect":
            self.disconnected.append((at, self.channel_id))
        elif self.rules.on_expiry == "notify":
            self.noted.append((at, self.channel_id))

    def report(self, at: int, state: str) -> None:
        self.time(at)
        if state == "idle" or (state == "playing" and self.plays == "paused"):
            self.ours = False
        self.plays = state
