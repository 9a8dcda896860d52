"""The small Discord of ``tests/domain`` with the bot's own voice in it, and all the rest that there is."""

from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from engine.domain.event_inputs import (
    ScheduledEvent,
    ScheduledEventChanged,
    ScheduledEventGone,
    ScheduledStatus,
)
from engine.domain.inputs import (
    Entry,
    GuildsKnown,
    GuildSnapshot,
    Input,
    MemberForgotten,
    MemberNamed,
    VoiceState,
    VoiceStateChanged,
)
from engine.domain.tracker_inputs import (
    ExpiryDecided,
    PlayerReported,
    ScopeCommitted,
    SubjectMark,
    SubjectOverridden,
    TrackersKnown,
)
from engine.domain.tracking import Decision, PlayerState, SubjectKind
from tests.domain.event_world import EVENTS, EventWorld
from tests.domain.ingest import GUILDS, Op

OWN, OTHER_BOT = 999, 50
LABELS = ("a", "b", "c")


@dataclass
class World(EventWorld):
    """The small Discord with events, and the bot's own voice in it, of which trackers tell.

    ``players``: by guild, where it is.
    """

    players: dict[int, int] = field(default_factory=dict)

    def _append(self, what: Input) -> None:
        if isinstance(what, GuildSnapshot):
            channel_id = self.players.get(what.guild_id)
            bot = () if channel_id is None else (VoiceState(OWN, channel_id, bot=True),)
            what = replace(what, own_user_id=OWN, voice_states=(*what.voice_states, *bot))
        super()._append(what)

    def do_lost(self, op: Op) -> None:
        """Lose a guild, but not one that is not seen just now.

        Back in it, whoever is found there may have been since before: an event of that time is settled by
        then, and the oracle would still have it read in their favour.
        """
        if self._who(op)[0] not in self._open_gaps:
            super().do_lost(op)

    def do_player(self, op: Op) -> None:
        """Have the bot come, move or leave."""
        guild_id, _ = self._who(op)
        channels = self.channels[guild_id]
        channel_id = channels[op.where % len(channels)]
        if self.players.pop(guild_id, None) == channel_id:
            self._tell(VoiceStateChanged(self.now, guild_id, OWN, None, bot=True))
        else:
            self.players[guild_id] = channel_id
            self._tell(VoiceStateChanged(self.now, guild_id, OWN, channel_id, bot=True))

    def do_bot(self, op: Op) -> None:
        """Have another bot come, move or leave: it is seen, but not tracked."""
        guild_id, _ = self._who(op)
        channels = [*self.channels[guild_id], None]
        it = channels[op.where % len(channels)]
        self._tell(VoiceStateChanged(self.now, guild_id, OTHER_BOT, it, op.where % 4, bot=True))

    def do_mark(self, op: Op) -> None:
        marks = [
            SubjectMark(it, SubjectKind.PLAYER, it, op.where % 4 > 0, (None, 0, 5_000)[op.where % 3])
            for it in GUILDS[: 1 + op.who % 2]
        ]
        self._say(ScopeCommitted(self.now, LABELS[op.where % 2], tuple(marks)))

    def do_known(self, op: Op) -> None:
        self._say(TrackersKnown(self.now, LABELS[: op.where % 3]))

    def do_override(self, op: Op) -> None:
        guild_id, _ = self._who(op)
        timeout_ms, exempt = (None, 0, 20_000)[op.where % 3], op.where == 7
        names = (guild_id, SubjectKind.PLAYER, guild_id)
        self._say(SubjectOverridden(self.now, *names, timeout_ms, exempt=exempt, request_id=self._request()))

    def do_report(self, op: Op) -> None:
        guild_id, _ = self._who(op)
        self._say(PlayerReported(self.now, guild_id, list(PlayerState)[op.where % 3], self._request()))

    def _say(self, what: Input) -> None:
        self.asked += 1
        self.journal.append(Entry("http", self.asked, what))

    def _request(self) -> str:
        return f"r{self.asked + 1}"


@dataclass
class Wide(World):
    """No oracle tells of what happens here: people forgotten, guilds missed, Discord's events mirrored.

    ``forgotten``: by user, up to when.
    """

    forgotten: dict[int, int] = field(default_factory=dict)

    def do_lost(self, op: Op) -> None:
        EventWorld.do_lost(self, op)

    def do_forget(self, op: Op) -> None:
        _, user_id = self._who(op)
        self.forgotten[user_id] = self.now
        self._say(MemberForgotten(self.now, user_id, self._request()))

    def do_name(self, op: Op) -> None:
        guild_id, user_id = self._who(op)
        self._tell_it(MemberNamed(self.now, guild_id, user_id, f"name {op.where}"))

    def do_ready(self, op: Op) -> None:
        """Tell which guilds the bot is in: one may be missing."""
        if self._link == "up":
            self._append(GuildsKnown(self.now, self._connection, 0, 1, GUILDS[: 1 + op.where % 2]))

    def do_discord(self, op: Op) -> None:
        """Have one of Discord's own scheduled events made, begun or ended."""
        guild_id, _ = self._who(op)
        channels = self.channels[guild_id]
        status = list(ScheduledStatus)[op.where % len(ScheduledStatus)]
        starts_at = self.now + (op.where - 3) * 4_000
        where = (700 + guild_id, channels[op.where % len(channels)], "Talk", int(status), starts_at)
        told = ScheduledEvent(*where, starts_at + 30_000, recurring=op.where % 2 > 0)
        self._tell_it(ScheduledEventChanged(self.now, guild_id, told))

    def do_discord_gone(self, op: Op) -> None:
        guild_id, _ = self._who(op)
        self._tell_it(ScheduledEventGone(self.now, guild_id, 700 + guild_id))

    def do_mark_event(self, op: Op) -> None:
        event_id, guild_id = EVENTS[op.where % 3], GUILDS[op.where % 3 % 2]
        mark = SubjectMark(
            guild_id, SubjectKind.EVENT, event_id, op.who % 3 > 0, (None, 0, 5_000)[op.where % 3]
        )
        self._say(ScopeCommitted(self.now, LABELS[op.where % 2], (mark,)))

    def do_decide(self, op: Op) -> None:
        guild_id, _ = self._who(op)
        names = (guild_id, SubjectKind.PLAYER, guild_id)
        self._say(ExpiryDecided(self.now, *names, self.now - op.where, list(Decision)[op.where % 3], 1_000))

    def _tell_it(self, what: Any) -> None:
        if self._link == "up":
            self._tell(what)
