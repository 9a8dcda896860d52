"""What is taken behind an entry that takes effect late: whatever came after it of the same members.

An entry that was refused and is taken again an hour later must not leave a member where they were an hour
ago. What the journal told of them since is taken again behind it, each at its own time, so that the last word
on where they are is the last one that was said. A boundary that was written meanwhile stays: a join is never
dated before the end of the member's last session, so what lies before that is not won back.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from engine.domain import gateway
from engine.domain.inputs import (
    ChannelDeleted,
    GuildChanged,
    GuildLost,
    GuildsKnown,
    GuildSnapshot,
    GuildUnavailable,
    Input,
    MemberRemoved,
    VoiceState,
    VoiceStateChanged,
)

LetterT = TypeVar("LetterT")

_OF_GUILD = GuildSnapshot | GuildChanged | GuildLost | GuildUnavailable


def is_outdated(what: Input, confirmed_at: int | None) -> bool:
    """Say whether a later snapshot (``confirmed_at``) has told all that an entry of its guild tells."""
    return isinstance(what, _OF_GUILD) and confirmed_at is not None and what.at <= confirmed_at


def in_order(
    guild_id: int, told: Iterable[tuple[Input, LetterT | None]]
) -> Iterator[tuple[Input, LetterT | None]]:
    """Yield, in order, the inputs to take again, and what the others tell of their members since.

    ``told``: both kinds, in the order of the journal, the former with their letters. Whoever loses a channel,
    the guild or membership, or is missing in a snapshot, has left.
    """
    places: dict[int, int | None] = {}  # where a member stands, None for nowhere
    for what, letter in told:
        if letter is not None:
            places |= _places(what)
            yield what, letter
        elif places:
            for of_guild in _of_guild(what, guild_id):
                for it in _told(of_guild, places):
                    places[it.user_id] = it.channel_id
                    yield it, None


def _of_guild(what: Input, guild_id: int) -> Iterable[Input]:
    if isinstance(what, GuildsKnown):
        return gateway.missing(what, [guild_id])
    return [what] if getattr(what, "guild_id", None) == guild_id else []


def _places(what: Input) -> dict[int, int | None]:
    match what:
        case VoiceStateChanged():
            return {what.user_id: what.channel_id}
        case MemberRemoved():
            return {what.user_id: None}
        case GuildSnapshot():
            return {it.user_id: it.channel_id for it in what.voice_states}
    return {}


def _told(what: Input, places: dict[int, int | None]) -> list[VoiceStateChanged]:
    match what:
        case VoiceStateChanged():
            return [what] if what.user_id in places else []
        case MemberRemoved():
            return _left(what, [what.user_id] if what.user_id in places else [])
        case ChannelDeleted():
            return _left(what, [it for it, channel_id in places.items() if channel_id == what.channel_id])
        case GuildLost():
            return _left(what, list(places))
        case GuildSnapshot():
            states = {it.user_id: it for it in what.voice_states}
            gone = _left(what, [it for it in places if it not in states])
            return [*gone, *(_shown(what, states[it]) for it in places if it in states)]
    return []


def _left(
    what: MemberRemoved | ChannelDeleted | GuildLost | GuildSnapshot, users: list[int]
) -> list[VoiceStateChanged]:
    replayed_from = getattr(what, "replayed_from", None)
    return [
        VoiceStateChanged(what.at, what.guild_id, it, None, roles=None, replayed_from=replayed_from)
        for it in users
    ]


def _shown(what: GuildSnapshot, it: VoiceState) -> VoiceStateChanged:
    return VoiceStateChanged(
        what.at, what.guild_id, it.user_id, it.channel_id, it.flags, it.gateway_session_id, it.bot, it.roles
    )
