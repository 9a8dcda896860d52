"""What an ingest sees of a small Discord, through all that goes wrong on the way."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from engine.domain.ids import DISCORD_EPOCH_MS
from engine.domain.inputs import (
    Channel,
    Entry,
    GuildInput,
    GuildSnapshot,
    GuildUnavailable,
    Heartbeat,
    Input,
    ShardBeat,
    VoiceState,
)

START = 1_800_000_000_000
GUILDS = (11, 22)
USERS = (1, 2)
CHANNELS_AT_MOST = 5
ROLES = (7, 8)
REPLAY_ENDS_MS = 50  # after a RESUME, until something else happens

Roles = tuple[int, ...]


def snowflake(at: int, number: int) -> int:
    return ((at - DISCORD_EPOCH_MS) << 22) | number


class Op(NamedTuple):
    """``after_ms`` later, something happens; ``who`` and ``where`` choose guild, user, channel or flag."""

    after_ms: int
    name: str
    who: int = 0
    where: int = 0


@dataclass
class Truth:
    """One true stay of one user in one channel. ``changes``: (at, flags and roles from then on)."""

    guild_id: int
    user_id: int
    channel_id: int
    gateway_session_id: str
    started_at: int
    changes: list[tuple[int, int, Roles]]
    ended_at: int | None = None
    cancelled: bool = False

    @property
    def flags(self) -> int:
        return self.changes[-1][1]

    @property
    def roles(self) -> Roles:
        return self.changes[-1][2]

    def pieces(self, now: int) -> list[tuple[int, int, int, Roles]]:
        """Return (from, to, flags, roles)."""
        ends = [at for at, _, _ in self.changes[1:]] + [now if self.ended_at is None else self.ended_at]
        return [(at, end, flags, roles) for (at, flags, roles), end in zip(self.changes, ends, strict=True)]


@dataclass
class Gap:
    """A time in which a guild was not seen: in truth since ``seen_until``, as far as is known ``since``."""

    seen_until: int
    since: int
    until: int = 0
    replayed: bool = False

    def hides(self, at: int | None) -> bool:
        return at is not None and self.seen_until <= at <= self.until


@dataclass
class Ingest:
    """``inside`` and ``channels`` are the truth at this moment; ``gaps`` what of it was not seen."""

    now: int = START
    inside: dict[tuple[int, int], Truth] = field(default_factory=dict)
    channels: dict[int, list[int]] = field(default_factory=dict)
    journal: list[Entry] = field(default_factory=list)
    gaps: dict[int, list[Gap]] = field(default_factory=lambda: {it: [] for it in GUILDS})

    def __post_init__(self) -> None:
        self._names = 0
        self._life = 0
        self._link = "dead"
        self._lost_at = 0
        self._last_beat = 0
        self._alive: dict[str, int] = {}
        self._seen_on: dict[int, str] = {}  # guild: the connection of its last snapshot
        self._open_gaps: dict[int, Gap] = {}
        self._outage_at: dict[int, int] = {}
        self._missed: list[GuildInput] = []

    def do_again(self, op: Op) -> None:
        """An append whose reply was lost is repeated."""
        self.journal.append(self.journal[-1 - op.where % min(8, len(self.journal))])

    def do_ahead(self, op: Op) -> None:
        """Another writer's clock, or its place in the journal, is ahead: what follows is late."""
        self.journal.append(
            Entry("other", len(self.journal), Heartbeat(self.now + 1 + op.where * 20_000, ()))
        )

    def do_lose(self, _: Op) -> None:
        if self._link == "up":
            self._link, self._lost_at = "lost", self.now
            self._beat()

    def do_resume(self, op: Op) -> None:
        """What was missed comes all at once."""
        if self._link != "lost":
            return
        since, self._link = self._lost_at, "up"
        for number, missed in enumerate(self._missed):
            self._append(_replayed(missed, self.now + number * (op.where % 2), since))
        until = self.now + REPLAY_ENDS_MS
        for guild_id in GUILDS:
            if guild_id not in self._open_gaps:
                self.gaps[guild_id].append(Gap(since, since, until, replayed=True))
        self._missed = []
        self.now = until
        self._beat()

    def do_resume_partly(self, op: Op) -> None:
        """The connection is lost again while it replays."""
        if self._link == "lost":
            now, rest = self._missed[: op.where], self._missed[op.where :]
            for missed in now:
                self._append(_replayed(missed, self.now, self._lost_at))
            self._missed = rest
            self.now += REPLAY_ENDS_MS
            self._beat()

    def do_identify(self, op: Op) -> None:
        if self._link == "lost":
            self._blind(self._lost_at)
            self._begin_connection()
            self._snapshots(op.who)

    def do_die(self, _: Op) -> None:
        """The ingest is killed: what it saw since its last heartbeat is known all the same."""
        if self._link == "lost":
            self._blind(self._lost_at)
        if self._link == "up":
            self._blind(self.now)
        self._link = "dead"

    def do_revive(self, op: Op) -> None:
        if self._link == "dead":
            self._begin_life()
            self._snapshots(op.who)

    def do_unavailable(self, op: Op) -> None:
        guild_id, _ = self._who(op)
        if self._link == "up" and guild_id not in self._open_gaps:
            self._append(GuildUnavailable(self.now, guild_id))
            self._outage(guild_id)

    def do_snapshot(self, op: Op) -> None:
        guild_id, _ = self._who(op)
        if self._link == "up" and guild_id in self._open_gaps:
            self._snapshot(guild_id)

    def _who(self, op: Op) -> tuple[int, int]:
        return GUILDS[op.who % len(GUILDS)], USERS[op.who // len(GUILDS) % len(USERS)]

    def _name(self) -> int:
        self._names += 1
        return self._names

    def _tell(self, what: GuildInput) -> None:
        if what.guild_id in self._open_gaps:
            return
        if self._link == "up":
            self._append(what)
        elif self._link == "lost":
            self._missed.append(what)

    def _append(self, what: Input) -> None:
        self._seq += 1
        self.journal.append(Entry(f"life-{self._life}", self._seq, what))

    def _tick(self) -> None:
        """Have the ingest's heartbeat, each full second."""
        if self._link != "dead" and self.now // 1000 > self._last_beat // 1000:
            self._beat(self.now // 1000 * 1000)

    def _beat(self, at: int | None = None) -> None:
        self._last_beat = at = max(self._last_beat, self.now if at is None else at)
        up = self._link == "up"
        self._alive[self._connection] = at if up else self._lost_at
        self._append(Heartbeat(at, (ShardBeat(0, self._connection, up, self._alive[self._connection]),)))

    def _begin_life(self) -> None:
        self._life += 1
        self._seq = -1
        self._begin_connection()

    def _begin_connection(self) -> None:
        self._connection = f"life-{self._life}/0/{self._name()}"
        self._link = "up"
        self._beat()

    def _blind(self, seen_until: int) -> None:
        """Nothing of any guild is seen until its next snapshot."""
        self._missed = []
        for guild_id in GUILDS:
            if guild_id not in self._open_gaps:
                self._open_gaps[guild_id] = Gap(seen_until, 0)

    def _outage(self, guild_id: int) -> None:
        self._open_gaps.setdefault(guild_id, Gap(self.now, 0))
        self._outage_at.setdefault(guild_id, self.now)

    def _snapshots(self, which: int) -> None:
        for number, guild_id in enumerate(GUILDS):
            if which >> number & 1 and guild_id in self._open_gaps:
                self._snapshot(guild_id)

    def _snapshot(self, guild_id: int) -> None:
        gap = self._open_gaps.pop(guild_id, None)
        if gap is not None:
            since = [self._outage_at.pop(guild_id, self.now)]
            if self._seen_on[guild_id] != self._connection:
                since.append(self._alive[self._seen_on[guild_id]])
            self.gaps[guild_id].append(replace(gap, since=min(since), until=self.now))
        self._seen_on[guild_id] = self._connection
        states = [
            VoiceState(it.user_id, it.channel_id, it.flags, it.gateway_session_id, roles=it.roles)
            for it in self.inside.values()
            if it.guild_id == guild_id
        ]
        channels = [Channel(it) for it in self.channels[guild_id]]
        self._append(GuildSnapshot(self.now, guild_id, self._connection, tuple(states), tuple(channels)))


def _replayed(what: GuildInput, at: int, since: int) -> GuildInput:
    fields = {name: getattr(what, name) for name in what.__struct_fields__}
    since_when = {"replayed_from": since} if "replayed_from" in fields else {}  # a GUILD_UPDATE has none
    return type(what)(**fields | {"at": at} | since_when)
