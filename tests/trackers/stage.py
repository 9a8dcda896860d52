"""An engine as trackers see it: real states, a real subscription, a journal that can be read.

Marks are applied by the domain's own rules, as the guild's actor would, at once or when the test says so.
"""

import threading

from msgspec.structs import replace

from engine.domain.events import Event, EventStatus
from engine.domain.guild import GuildState
from engine.domain.inactivity import mark_active, mark_inactive
from engine.domain.inputs import VoiceFlags
from engine.domain.rules import TrackingRules
from engine.domain.sessions import Session
from engine.domain.tracker_inputs import ScopeCommitted, TrackersKnown
from engine.domain.tracking import Player, PlayerState, Presence, Subject, SubjectKind

T = 1_800_000_000_000
GUILD, CHANNEL, OTHER_CHANNEL, OWN = 10, 100, 101, 999
EVENT = 5_000
DEAF, MUTED = int(VoiceFlags.SELF_DEAF), int(VoiceFlags.SELF_MUTE)


class Stage:
    """Fulfils ``Source`` and ``Journal``. ``applies``: what is committed takes effect at once."""

    def __init__(self, applies=True):
        self.at = T
        self.inputs = []
        self.refuses = None  # an error that every append raises
        self.rules = TrackingRules()
        self.applies = applies
        self._guilds = {}
        self._events = {}
        self._event_subjects = {}
        self._subscribers = []
        self._lock = threading.RLock()

    # A clock, and the journal.

    def now(self):
        return self.at

    def append(self, *inputs):
        with self._lock:
            if self.refuses is not None:
                raise self.refuses
            self.inputs += inputs
            if self.applies:
                self.apply(*inputs)

    def told(self, kind):
        return [it for it in list(self.inputs) if isinstance(it, kind)]

    @property
    def commits(self):
        return self.told(ScopeCommitted)

    @property
    def marks(self):
        """What was committed, flat: (tracker, subject, inactive, timeout)."""
        return [(c.tracker, m.subject_id, m.inactive, m.timeout_ms) for c in self.commits for m in c.marks]

    def said_of(self, subject_id=GUILD):
        """Return what was said of a subject, in order: whether it is inactive."""
        return [inactive for _, subject, inactive, _ in self.marks if subject == subject_id]

    @property
    def known(self):
        """The trackers as they were told last."""
        return self.told(TrackersKnown)[-1].trackers

    def apply(self, *inputs):
        for scope in inputs:
            if isinstance(scope, ScopeCommitted):
                for mark in scope.marks:
                    self._apply(scope, mark)

    def _apply(self, scope, it):
        before = self._subject(it)
        if before is None:
            return  # no such player or event: the engine ignores it
        if it.inactive:
            after, _ = mark_inactive(before, self.rules, scope.tracker, scope.at, it.timeout_ms)
        else:
            after, _ = mark_active(before, self.rules, scope.tracker, scope.at)
        if after == before:
            return
        if it.kind == SubjectKind.EVENT:
            self._event_subjects[it.subject_id] = after
        else:
            self.put(replace(self._guilds[it.guild_id], subject=after))

    def _subject(self, it):
        if it.kind == SubjectKind.EVENT:
            return self._event_subjects.get(it.subject_id)
        state = self._guilds.get(it.guild_id)
        return None if state is None or state.player is None else state.subject

    # What trackers ask.

    def guild(self, guild_id):
        return self._guilds.get(guild_id)

    def players(self):
        return [it for it in self._guilds.copy().values() if it.player is not None]

    def events(self):
        return list(self._events.copy().values())

    def mark(self, kind, guild_id, subject_id, tracker):
        if kind is SubjectKind.EVENT:
            subject = self._event_subjects.get(subject_id)
        else:
            state = self._guilds.get(guild_id)
            subject = None if state is None else state.subject
        return None if subject is None else subject.marks.get(tracker)

    def subscribe(self, changed):
        self._subscribers = [*self._subscribers, changed]

        def end():
            self._subscribers = [it for it in self._subscribers if it is not changed]

        return end

    @property
    def subscribers(self):
        return len(self._subscribers)

    # What happens in Discord.

    def put(self, state):
        with self._lock:
            self._guilds[state.guild_id] = state
        for changed in self._subscribers:
            changed(state.guild_id)

    def change(self, guild_id=GUILD, **facts):
        with self._lock:
            state = self._guilds.get(guild_id) or GuildState(guild_id, own_user_id=OWN, present=True)
            self.put(replace(state, **facts))

    def play(self, guild_id=GUILD, channel_id=CHANNEL, state=PlayerState.PLAYING, since=None, **more):
        """Put the bot into a channel, or change its player; another ``since`` is another player."""
        before = self._guilds.get(guild_id)
        known = None if before is None else before.player
        if since is None:
            since = T if known is None else known.since
        subject = before.subject if known is not None and known.since == since else None
        self.change(
            guild_id,
            player=Player(channel_id, since, state, **more),
            subject=subject or Subject(SubjectKind.PLAYER, guild_id),
        )

    def unplay(self, guild_id=GUILD):
        self.change(guild_id, player=None, subject=None)

    def join(self, user_id, guild_id=GUILD, channel_id=CHANNEL, flags=0, roles=()):
        """Let a user come, move or change their flags."""
        state = self._guilds.get(guild_id)
        sessions = {} if state is None else state.sessions
        session = Session(user_id, channel_id, self.at, flags, self.at, self.at, roles=roles)
        self.change(guild_id, sessions=sessions | {user_id: session})

    def leave(self, user_id, guild_id=GUILD):
        sessions = self._guilds[guild_id].sessions
        self.change(guild_id, sessions={k: v for k, v in sessions.items() if k != user_id})

    def bot_joins(self, user_id, guild_id=GUILD, channel_id=CHANNEL, flags=0):
        bots = {} if guild_id not in self._guilds else self._guilds[guild_id].bots
        self.change(guild_id, bots=bots | {user_id: Presence(user_id, channel_id, flags)})

    def hold(self, event_id=EVENT, guild_id=GUILD, channel_ids=(CHANNEL,), **more):
        """Start an event."""
        more = {"status": EventStatus.ACTIVE, "started_at": T} | more
        self._events[event_id] = Event(event_id, guild_id, "evening", channel_ids, **more)
        self._event_subjects[event_id] = Subject(SubjectKind.EVENT, event_id)

    def end(self, event_id=EVENT):
        del self._events[event_id]
        del self._event_subjects[event_id]
