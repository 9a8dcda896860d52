"""What the sessions must be, told as plainly as possible from facts that were all seen (rules 1 to 5; roles).

Slow and in two passes on purpose: first every stay with its spans, then without the short ones, linked.
"""

from dataclasses import dataclass, field

from engine.domain.inputs import (
    ChannelCreated,
    ChannelDeleted,
    GuildInput,
    GuildLost,
    MemberRemoved,
    RolesChanged,
    VoiceStateChanged,
)
from engine.domain.rules import Rules

Change = tuple[int, int, tuple[int, ...]]  # (at, flags and roles from then on)
Span = tuple[int, int | None, int, tuple[int, ...]]  # (from, to, flags, roles)


@dataclass(eq=False)
class Stay:
    """One user in one channel, however shortly."""

    channel_id: int
    joined_at: int
    changes: list[Change]
    moved_from: "Stay | None" = None
    via_channel_creation: bool = False
    left_at: int | None = None
    cancelled: bool = False


@dataclass
class Expected:
    """A session's row, by what tells it apart."""

    channel_id: int
    joined_at: int
    left_at: int | None
    cancelled: bool
    chain_at: int
    previous_at: int | None
    via_channel_creation: bool
    spans: list[Span] = field(default_factory=list)


def sessions(facts: list[GuildInput], guild_id: int, user_id: int, rules: Rules) -> list[Expected]:
    """Return one user's sessions in a guild, by time."""
    stays = _stays([fact for fact in facts if fact.guild_id == guild_id], user_id, rules)
    kept = [stay for stay in stays if stay.left_at is None or _length(stay) >= rules.min_session_ms]
    return [_expected(stay, kept) for stay in kept]


def _length(stay: Stay) -> int:
    return stay.left_at - stay.joined_at


def _stays(facts: list[GuildInput], user_id: int, rules: Rules) -> list[Stay]:
    stays: list[Stay] = []
    now_in: Stay | None = None
    created: dict[int, int] = {}
    for fact in facts:
        match fact:
            case ChannelCreated():
                created[fact.channel_id] = fact.at
            case ChannelDeleted() if now_in is not None and now_in.channel_id == fact.channel_id:
                now_in.left_at, now_in = fact.at, None
            case MemberRemoved() if now_in is not None and fact.user_id == user_id:
                now_in.left_at, now_in = fact.at, None
            case GuildLost() if now_in is not None:
                now_in.left_at, now_in.cancelled, now_in = fact.at, True, None
            case RolesChanged() if now_in is not None and fact.user_id == user_id:
                _change(now_in, fact.at, now_in.changes[-1][1], fact.roles)
            case VoiceStateChanged() if fact.user_id == user_id:
                now_in = _follow(stays, now_in, fact, created, rules)
    return stays


def _follow(
    stays: list[Stay], now_in: Stay | None, fact: VoiceStateChanged, created: dict[int, int], rules: Rules
) -> Stay | None:
    roles = fact.roles
    if roles is None:  # not told: as they were
        roles = () if now_in is None else now_in.changes[-1][2]
    if now_in is not None and now_in.channel_id == fact.channel_id:
        _change(now_in, fact.at, fact.flags, roles)
        return now_in
    if now_in is not None:
        now_in.left_at = fact.at
    if fact.channel_id is None:
        return None
    stay = Stay(fact.channel_id, fact.at, [(fact.at, fact.flags, roles)], moved_from=now_in)
    age_ms = fact.at - created.get(fact.channel_id, -rules.channel_creation_ms - 1)
    stay.via_channel_creation = now_in is not None and age_ms <= rules.channel_creation_ms
    stays.append(stay)
    return stay


def _change(stay: Stay, at: int, flags: int, roles: tuple[int, ...]) -> None:
    if stay.changes[-1][1:] != (flags, roles):
        stay.changes.append((at, flags, roles))


def _expected(stay: Stay, kept: list[Stay]) -> Expected:
    chain = [stay]
    before = stay.moved_from
    while before is not None:
        if before in kept:
            chain.append(before)
        before = before.moved_from
    return Expected(
        stay.channel_id,
        stay.joined_at,
        stay.left_at,
        stay.cancelled,
        chain_at=chain[-1].joined_at,
        previous_at=chain[1].joined_at if len(chain) > 1 else None,
        via_channel_creation=stay.via_channel_creation,
        spans=_spans(stay),
    )


def _spans(stay: Stay) -> list[Span]:
    ends = [at for at, *_ in stay.changes[1:]] + [stay.left_at]
    return [(at, end, *held) for (at, *held), end in zip(stay.changes, ends, strict=True) if at != end]


def merged(spans: list[Span]) -> list[Span]:
    """Join equal neighbours: what a change there and back within one millisecond leaves."""
    result: list[Span] = []
    for span in spans:
        if result and result[-1][2:] == span[2:]:
            result[-1] = (result[-1][0], *span[1:])
        else:
            result.append(span)
    return result
