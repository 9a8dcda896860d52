"""What trackers report on, and what is known of it (seed 000). The rules stand in ``inactivity``."""

from enum import IntEnum

from msgspec import Struct


class SubjectKind(IntEnum):
    """A guild's player (its id is the guild's), or an active event."""

    PLAYER = 0
    EVENT = 1


class SubjectState(IntEnum):
    """Where a subject stands.

    Suspected: some tracker holds it inactive, but not as many as the mode asks. Inactive: its deadline runs
    (or never comes: exempt, or ignored). Expiring: the deadline has passed, a decision is awaited.
    """

    ACTIVE = 0
    SUSPECTED = 1
    INACTIVE = 2
    EXPIRING = 3
    EXPIRED = 4


class PlayerState(IntEnum):
    """What whoever plays told of the player; idle until told otherwise."""

    IDLE = 0
    PLAYING = 1
    PAUSED = 2


class Decision(IntEnum):
    """What becomes of a subject whose deadline has passed."""

    EXPIRE = 0
    POSTPONE = 1
    IGNORE = 2


class Player(Struct, frozen=True, gc=False):
    """The bot's own voice in a guild, while its own voice state there has a channel.

    ``since``: when it came into voice, by which two players of a guild are told apart. ``paused_by_us``: a
    pause of ours, which is not idleness.
    """

    channel_id: int
    since: int
    state: PlayerState = PlayerState.IDLE
    paused_by_us: bool = False


class Presence(Struct, frozen=True, gc=False):
    """Another bot in voice, with or without a session. ``flags`` as in ``inputs.VoiceFlags``."""

    user_id: int
    channel_id: int
    flags: int = 0
    roles: tuple[int, ...] = ()


class Mark(Struct, frozen=True, gc=False):
    """A tracker holds a subject inactive. ``timeout_ms`` None: the default."""

    since: int
    timeout_ms: int | None = None


class Override(Struct, frozen=True, gc=False):
    """What is different for one subject. ``trackers``: the only ones that count. ``exempt``: no deadline."""

    timeout_ms: int | None = None
    trackers: tuple[str, ...] | None = None
    exempt: bool = False


class Subject(Struct, frozen=True, gc=False):
    """A subject of trackers as its actor has it; a function of the ledger's rows.

    ``marks``: the trackers that hold it inactive, by label. ``deadline`` (ms UTC) is None where none runs.
    ``postponed_ms``: by how much decisions have moved it. ``ignored``: no deadline until it was active again.
    ``asked_at``: since when a decision is awaited. ``silent``: trackers that do not run, by label, and since
    when; kept only where all must agree, and only while some tracker holds the subject.
    """

    kind: SubjectKind
    subject_id: int
    state: SubjectState = SubjectState.ACTIVE
    marks: dict[str, Mark] = {}
    deadline: int | None = None
    postponed_ms: int = 0
    ignored: bool = False
    asked_at: int | None = None
    override: Override | None = None
    silent: dict[str, int] = {}
