"""One guild's state, and the draft in which a step changes it.

A step never touches the state it was given: it works on a ``Draft`` that copies the mappings at its first
change, so a batch of inputs pays for one copy, and a step that raises leaves everything as it was.
"""

from msgspec import Struct
from msgspec.structs import replace

from engine.domain.attendance import END_OF_TIME
from engine.domain.effects import Effect, SaveGuild
from engine.domain.inactivity import next_at
from engine.domain.rules import CREATION_MEMORY_MS, MEMORY_MS, Rules
from engine.domain.sessions import Session
from engine.domain.tracking import Player, Presence, Subject


class GuildState(Struct, frozen=True):
    """All that the step knows of a guild; a function of its ledger rows and nothing else.

    ``sessions``: the open ones by user. ``left``: the earliest moment at which a user may join again, for
    those who left in the last ``MEMORY_MS``. ``created``: channels by the moment their creation was seen,
    in the last ``CREATION_MEMORY_MS``. ``connection``: the gateway connection on which a snapshot last
    confirmed the guild, ``confirmed_at`` when. ``lost_at``: since when the guild itself is unavailable or
    lost. ``present``: the bot is a member. ``bots``: the other bots in voice, by user, whether they have
    sessions or not. ``player``: the bot's own voice; ``subject``: what trackers say of it.
    """

    guild_id: int
    sessions: dict[int, Session] = {}
    left: dict[int, int] = {}
    created: dict[int, int] = {}
    name: str = ""
    afk_channel_id: int | None = None
    connection: str | None = None
    confirmed_at: int | None = None
    lost_at: int | None = None
    present: bool = False
    own_user_id: int | None = None
    bots: dict[int, Presence] = {}
    player: Player | None = None
    subject: Subject | None = None


def due_at(state: GuildState, rules: Rules) -> int:
    """Return when time alone will next change a guild: its player's deadline, or the end of time."""
    at = None if state.subject is None else next_at(state.subject, rules.tracking)
    return END_OF_TIME if at is None else at


class Draft:
    """A guild's state while one step, or one batch of steps, works on it. ``due_at``: see the function."""

    __slots__ = ("created", "due_at", "effects", "guild_id", "left", "rules", "sessions", "state")

    def __init__(self, state: GuildState, rules: Rules) -> None:
        self.state = state
        self.rules = rules
        self.guild_id = state.guild_id
        self.effects: list[Effect] = []
        self.sessions = state.sessions
        self.left = state.left
        self.created = state.created
        self.due_at = END_OF_TIME if state.subject is None else due_at(state, rules)

    def tracks(self, user_id: int, bot: bool = False) -> bool:
        """Say whether this user's presence is anything to us."""
        return (self.rules.track_bots or not bot) and user_id not in self.rules.opt_out

    def open(self, session: Session) -> None:
        """Put a new or changed session among the open ones."""
        self._own_sessions()[session.user_id] = session

    def close(self, session: Session, may_rejoin_at: int | None) -> None:
        """Take a session out; ``may_rejoin_at`` is None where it leaves no row."""
        del self._own_sessions()[session.user_id]
        if may_rejoin_at is None:
            return
        if self.left is self.state.left:
            self.left = dict(self.left)
        # Taken out first, so that the mapping stays in order of leaving and forgets from its front.
        self.left.pop(session.user_id, None)
        self.left[session.user_id] = may_rejoin_at
        _forget(self.left, may_rejoin_at - MEMORY_MS)

    def channel_created(self, channel_id: int, at: int) -> None:
        """Remember a channel's creation."""
        if self.created is self.state.created:
            self.created = dict(self.created)
        self.created[channel_id] = at
        _forget(self.created, at - CREATION_MEMORY_MS)

    def know(self, at: int, **facts: object) -> None:
        """Change what is known of the guild itself, and save it."""
        self.state = state = replace(self.state, **facts)
        self.effects.append(
            SaveGuild(
                guild_id=state.guild_id,
                name=state.name,
                afk_channel_id=state.afk_channel_id,
                connection=state.connection,
                confirmed_at=state.confirmed_at,
                lost_at=state.lost_at,
                present=state.present,
                own_user_id=state.own_user_id,
                at=at,
            )
        )

    def finish(self) -> GuildState:
        """Return the state that this draft came to."""
        state = self.state
        if self.sessions is state.sessions and self.created is state.created:  # nobody left either
            return state
        return replace(state, sessions=self.sessions, left=self.left, created=self.created)

    def _own_sessions(self) -> dict[int, Session]:
        if self.sessions is self.state.sessions:
            self.sessions = dict(self.sessions)
        return self.sessions


def _forget(moments: dict[int, int], horizon: int) -> None:
    while moments and (first := next(iter(moments))) and moments[first] < horizon:
        del moments[first]
