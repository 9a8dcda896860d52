"""Histories of players and events that trackers report on, for hypothesis to draw, with the oracle beside."""

from typing import Any, NamedTuple

import hypothesis.strategies as st
from msgspec.structs import replace

from engine.domain.event_inputs import CreateEvent, EventFields, StartEvent, StopEvent
from engine.domain.inputs import (
    ChannelDeleted,
    Entry,
    GuildLost,
    GuildSnapshot,
    Heartbeat,
    Input,
    MemberRemoved,
    VoiceStateChanged,
)
from engine.domain.rules import TrackingRules
from engine.domain.tracker_inputs import (
    ExpiryDecided,
    PlayerReported,
    ScopeCommitted,
    SubjectMark,
    SubjectOverridden,
    TrackersKnown,
)
from engine.domain.tracking import Decision, Override, PlayerState, SubjectKind
from tests.domain.inactivity_oracle import Oracle, PlayerOracle, Told
from tests.domain.ingest import GUILDS, START

PLAYER, EVENT = SubjectKind
GUILD, OTHER = GUILDS
OWN, HELD = 999, 500
ROOMS = (7, 8)
LABELS = ("a", "b", "c")


class Op(NamedTuple):
    """``after_ms`` later, something happens."""

    after_ms: int
    name: str
    what: Any = None


PAUSES_MS = st.sampled_from([0, 0, 1, 5, 5, 10, 29, 30, 31, 100])
timeouts = st.sampled_from([None, None, None, 0, 5, 30, 60, 1_000])
who = st.sampled_from([*LABELS, *LABELS, "zombie"])
some = st.sets(st.sampled_from(LABELS)).map(lambda it: tuple(sorted(it)))
overrides = st.builds(Override, st.sampled_from([None, None, 0, 20, 500]), st.none() | some, st.booleans())
WORDS = {
    "mark": st.tuples(who, st.just(True), timeouts),
    "free": st.tuples(who, st.just(False), st.none()),
    "override": st.just(Override()) | overrides,
    "decide": st.tuples(st.sampled_from(list(Decision)), st.sampled_from([0, 7, 50]), st.booleans()),
    "known": some,
    "time": st.none(),
    "report": st.sampled_from(list(PlayerState)),
}
PLAYERS = {
    "go": st.sampled_from(["leave", "kick", "delete", "lose", "gap"]),
    "come": st.sampled_from([0, 1]),
    "move": st.sampled_from([0, 1]),
}


def op(name: str, words: dict[str, Any]) -> st.SearchStrategy[Op]:
    return st.builds(Op, PAUSES_MS, st.just(name), words[name])


def history(often: tuple[str, ...], words: dict[str, Any]) -> st.SearchStrategy[list[Op]]:
    names = st.sampled_from((*often, *words))
    return st.lists(names.flatmap(lambda name: op(name, words)), min_size=5, max_size=40)


OFTEN = ("mark", "mark", "mark", "mark", "free", "free", "decide", "time")
player_histories = history((*OFTEN, "come", "come", "report"), WORDS | PLAYERS)
event_words = {name: it for name, it in WORDS.items() if name != "report"}
event_histories = history(OFTEN, event_words) | history(OFTEN, event_words | {"lose": st.none()})
rules_drawn = st.builds(
    TrackingRules,
    trackers=st.sampled_from([("a", "b"), LABELS, ("a",)]),
    mode_all=st.booleans(),
    combine=st.sampled_from(["lowest", "highest", "average"]),
    default_timeout_ms=st.just(30),
    on_expiry=st.sampled_from(["disconnect", "disconnect", "notify"]),
    pause=st.booleans(),
    ask=st.booleans(),
    ask_within_ms=st.sampled_from([0, 10, 40]),
    overrides=st.just({}) | overrides.map(lambda it: {GUILD: it, HELD: it}),
)
cuts = st.lists(st.integers(1, 6), min_size=1, max_size=8)


class Tale:
    """A history as a journal, and beside it what the oracle makes of it. Others' entries stand between."""

    def __init__(self, rules: TrackingRules, kind: SubjectKind) -> None:
        self.rules, self.kind = rules, kind
        self.now = START
        self.journal: list[Entry] = []
        self.told: list[Told] = []
        self.disconnected: list[tuple[int, int]] = []
        self.noted: list[tuple[int, int]] = []
        self.subject: Any = None
        self.silent: dict[str, int] = {}
        self.window: tuple[int, int | None] | None = None
        self.append(GuildSnapshot(self.now, GUILD, "c1", own_user_id=OWN))

    @property
    def names(self) -> tuple[SubjectKind, int]:
        return self.kind, GUILD if self.kind is PLAYER else HELD

    def append(self, what: Input) -> None:
        self.journal.append(Entry("tale", len(self.journal), what))

    def play(self, ops: list[Op]) -> None:
        for it in ops:
            self.now += it.after_ms
            getattr(self, f"do_{it.name}")(it.what)
        self.now += 5_000
        self.do_time(None)
        self.close()

    def do_time(self, _: None) -> None:
        self.append(Heartbeat(self.now))
        self.then("time")

    def do_mark(self, word: tuple[str, bool, int | None]) -> None:
        tracker, inactive, timeout_ms = word
        other = SubjectMark(OTHER, PLAYER, OTHER, not inactive)
        mark = SubjectMark(GUILD, *self.names, inactive, timeout_ms)
        marks = (replace(mark, inactive=not inactive), other, mark)
        self.append(ScopeCommitted(self.now, tracker, marks, tuple(self.silent.items())))
        self.then("mark", tracker, inactive, timeout_ms)

    do_free = do_mark

    def do_override(self, it: Override) -> None:
        rest = (it.timeout_ms, it.trackers, it.exempt)
        self.append(SubjectOverridden(self.now, GUILD, *self.names, *rest))
        if all(label in self.rules.trackers for label in it.trackers or ()):
            self.then("change", None if it == Override() else it)
        else:
            self.then("time")

    def do_decide(self, it: tuple[Decision, int, bool]) -> None:
        decision, postpone_ms, timely = it
        self.then("time")
        about = None if self.subject is None else self.subject.asked_about
        about = (about or self.now) if timely else self.now - 1_000
        self.append(ExpiryDecided(self.now, GUILD, *self.names, about, decision, postpone_ms))
        self.then("decide", about, decision.name.lower(), postpone_ms)

    def do_known(self, trackers: tuple[str, ...]) -> None:
        self.append(TrackersKnown(self.now, trackers))
        self.silent = {it: self.silent.get(it, self.now) for it in self.rules.trackers if it not in trackers}
        self.then("known", trackers, self.silent)

    def then(self, name: str, *words: Any) -> None:
        """Have the oracle take it, if there is a subject."""
        if self.subject is not None:
            getattr(self.subject, name)(self.now, *words)

    def close(self) -> None:
        """Take what was said of the subject so far, and forget it."""
        if self.subject is not None:
            self.told += self.subject.told
        self.subject = None


class PlayerTale(Tale):
    def __init__(self, rules: TrackingRules) -> None:
        super().__init__(rules, PLAYER)

    def do_come(self, room: int) -> None:
        if self.subject is None:
            self.subject = PlayerOracle(self.rules, GUILD, silent=self.silent, channel_id=ROOMS[room])
            self.append(VoiceStateChanged(self.now, GUILD, OWN, ROOMS[room]))

    def do_move(self, room: int) -> None:
        if self.subject is not None:
            self.then("time")
            self.subject.channel_id = ROOMS[room]
            self.append(VoiceStateChanged(self.now, GUILD, OWN, ROOMS[room]))

    def do_report(self, state: PlayerState) -> None:
        self.append(PlayerReported(self.now, GUILD, state))
        self.then("report", state.name.lower())

    def do_go(self, how: str) -> None:
        if self.subject is None:
            return
        self.then("time")
        match how:
            case "leave":
                self.append(VoiceStateChanged(self.now, GUILD, OWN, None))
            case "kick":
                self.append(MemberRemoved(self.now, GUILD, OWN))
            case "delete":
                self.append(ChannelDeleted(self.now, GUILD, self.subject.channel_id))
            case "lose":
                self.append(GuildLost(self.now, GUILD))
            case "gap":
                self.append(GuildSnapshot(self.now, GUILD, f"c{self.now}", own_user_id=OWN))
        self.close()

    def close(self) -> None:
        if self.subject is not None:
            self.disconnected += self.subject.disconnected
            self.noted += self.subject.noted
        super().close()


class EventTale(Tale):
    """An event that is on from the start, and stops by itself after 300 ms, if it is to."""

    def __init__(self, rules: TrackingRules, ends_after_ms: int | None) -> None:
        super().__init__(rules, EVENT)
        began = self.now
        self.ends_at = None if ends_after_ms is None else began + ends_after_ms
        fields = EventFields(name="Raid", channel_ids=ROOMS, ends_at=self.ends_at)
        self.append(CreateEvent(began, GUILD, HELD, fields))
        self.append(StartEvent(began, GUILD, HELD))
        self.window = began, None
        self.subject = Oracle(rules, HELD)

    def then(self, name: str, *words: Any) -> None:
        at = self.now
        if self.subject is not None:
            self.subject.time(at if self.ends_at is None else min(at, self.ends_at - 1))
            self.look()
        if self.subject is not None and self.ends_at is not None and self.ends_at <= at:
            self.window = self.window[0], self.ends_at
            self.close()
        super().then(name, *words)
        self.look()

    def look(self) -> None:
        if self.subject is not None and self.subject.abandoned_at is not None:
            self.window = self.window[0], self.subject.abandoned_at
            self.close()

    def do_lose(self, _: None) -> None:
        """The bot is in the guild no more: nobody can be seen attending."""
        self.then("time")
        self.append(GuildLost(self.now, GUILD))
        if self.subject is not None:
            self.window = self.window[0], self.now
            self.close()

    def do_stop(self, _: None) -> None:
        self.then("time")
        self.append(StopEvent(self.now, GUILD, HELD))
        if self.subject is not None:
            self.window = self.window[0], self.now
            self.close()
