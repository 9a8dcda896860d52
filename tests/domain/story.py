"""A guild's story, told input by input, and what the ledger would say of it."""

from collections.abc import Iterable
from typing import Any

from engine.domain import gateway
from engine.domain.effects import Effect
from engine.domain.guild import GuildState
from engine.domain.inputs import (
    ChannelCreated,
    ChannelDeleted,
    GuildInput,
    GuildLost,
    GuildSnapshot,
    GuildUnavailable,
    MemberRemoved,
    RolesChanged,
    ShardBeat,
    VoiceFlags,
    VoiceState,
    VoiceStateChanged,
)
from engine.domain.rules import Rules
from engine.domain.step import step
from tests.domain.book import Book, Row
from tests.domain.ingest import GUILDS, START, snowflake

GUILD = GUILDS[0]


class Story:
    """One guild's story. Times are seconds since its start; channels are letters, all an hour old.

    Each telling returns its effects and folds them into ``book``, which must hold water at any time.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.book = Book()
        self.state = GuildState(GUILD)
        self.connections: gateway.Connections = {}

    def voice(
        self,
        at: float,
        channel: str | None,
        flags: int = 0,
        *,
        user: int = 1,
        lost: float | None = None,
        **more: Any,
    ) -> list[Effect]:
        """A voice state update; ``lost``: a RESUME replays it after a loss at that time."""
        channel_id = None if channel is None else channel_of(channel)
        return self.tell(
            VoiceStateChanged(
                ms(at),
                GUILD,
                user,
                channel_id,
                flags,
                replayed_from=ms(lost),
                **({"gateway_session_id": "s1"} | more),
            )
        )

    def created(self, at: float, channel: str) -> list[Effect]:
        return self.tell(ChannelCreated(ms(at), GUILD, channel_of(channel), channel))

    def deleted(self, at: float, channel: str, lost: float | None = None) -> list[Effect]:
        return self.tell(ChannelDeleted(ms(at), GUILD, channel_of(channel), ms(lost)))

    def removed(self, at: float, user: int = 1, lost: float | None = None) -> list[Effect]:
        return self.tell(MemberRemoved(ms(at), GUILD, user, ms(lost)))

    def roles(self, at: float, *roles: int, user: int = 1, lost: float | None = None) -> list[Effect]:
        return self.tell(RolesChanged(ms(at), GUILD, user, roles, ms(lost)))

    def unavailable(self, at: float, lost: float | None = None) -> list[Effect]:
        return self.tell(GuildUnavailable(ms(at), GUILD, ms(lost)))

    def lost(self, at: float, lost: float | None = None, connection: str | None = None) -> list[Effect]:
        return self.tell(GuildLost(ms(at), GUILD, ms(lost), connection))

    def beat(self, alive: float, connection: str = "c1", *, connected: bool = True) -> None:
        self.connections = gateway.beat(self.connections, (ShardBeat(0, connection, connected, ms(alive)),))

    def snapshot(self, at: float, *states: VoiceState, connection: str = "c1", **more: Any) -> list[Effect]:
        return self.tell(GuildSnapshot(ms(at), GUILD, connection, states, **more))

    def tell(self, what: GuildInput) -> list[Effect]:
        self.state, effects = step(self.state, what, self.connections, self.rules)
        self.book.take(effects)
        self.book.check(self.rules)
        return effects

    def rows(self, user: int = 1) -> list[Row]:
        return self.book.of(GUILD, user)

    def stays(self, user: int = 1) -> list[tuple[str, float, float | None]]:
        """Return (channel, joined, left) of each session."""
        return [
            (letter_of(it.saved.session.channel_id), s(it.saved.session.joined_at), s(it.saved.left_at))
            for it in self.rows(user)
        ]

    def windows(self, user: int = 1) -> list[tuple[tuple[float, ...], tuple[float, ...] | None]]:
        """Return ((join's earliest, latest), (leave's earliest, latest)) of each session."""
        return [(seconds(it.joined), None if it.left is None else seconds(it.left)) for it in self.rows(user)]

    def spans(self, user: int = 1) -> list[tuple[float | None, ...]]:
        """Return (from, to, flags) of the one session's spans."""
        (row,) = self.rows(user)
        return [(s(start), s(end), flags) for start, end, flags, _ in row.spans()]

    def held(self, user: int = 1) -> list[tuple[float | tuple[int, ...] | None, ...]]:
        """Return (from, to, roles) of all spans that are not bridged, over all sessions."""
        spans = [it for row in self.rows(user) for it in row.spans() if not it[2] & VoiceFlags.BRIDGED]
        return [(s(start), s(end), roles) for start, end, _, roles in spans]


def ms(at: float | None) -> int | None:
    return None if at is None else START + round(at * 1000)


def s(at: int | None) -> float | None:
    return None if at is None else (at - START) / 1000


def seconds(moments: Iterable[int]) -> tuple[float, ...]:
    return tuple(s(it) for it in moments)


def channel_of(letter: str) -> int:
    return snowflake(START - 3_600_000, ord(letter))


def letter_of(channel_id: int) -> str:
    return chr(channel_id & 0xFF)
