"""Histories drawn from a seed: what Discord, people and trackers do, and what is poison of it.

The small Discord, its gaps and its requests are those of ``tests/domain``; here somebody else draws. What the
ingest could not see (a gap, a RESUME, another session) is part of the history, so that all runs have it.
"""

from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from engine.domain.event_inputs import EventInput, PolicyFields
from engine.domain.inputs import (
    ChannelCreated,
    ChannelDeleted,
    Entry,
    Heartbeat,
    MemberRemoved,
    OutboxOutcome,
    RolesChanged,
    VoiceStateChanged,
)
from engine.domain.rules import EventRules, Rules, TrackingRules
from engine.domain.tracking import Decision, Override, PlayerState
from tests.domain import histories as drawn
from tests.domain import tracker_tales as tales
from tests.domain.event_world import EventOp
from tests.domain.ingest import GUILDS, ROLES, Op
from tests.domain.tracker_tales import EventTale, PlayerTale, Tale
from tests.simulation.worlds import LABELS, Wide, World

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ("seen", "seen", "gaps", "gaps", "gaps", "wide", "wide", "wide", "player", "event")
WHO = (0, 0, 0, 0, 2, 2, 1)
ASKED = ("make", "make", "start", "start", "stop", "rescore", "cancel", "change", "change", "afk")
TOLD = ("player", "player", "player", "bot", "mark", "mark", "mark", "known", "override", "report")
WIDE = (
    *("name", "ready", "discord", "discord", "discord_gone", "decide"),
    *("mark_event", "mark_event", "forget"),
)
OTHERS = {"seen": TOLD, "gaps": TOLD, "wide": (*TOLD, *WIDE, *WIDE)}
TIMES = (None, -20_000, -1_000, -400, -1, 0, 1, 400, 2_000, 15_000, 40_000)
PAUSES_MS = (0, 1, 400, 999, 1_000, 5_000, 10_000, 10_001)
# No two things at the same moment: then before and after the loss of a connection is a matter of time.
GAP_PAUSES_MS = (1, 400, 1_000, 10_001)
LONG_MS = (61_000, 700_000)  # idle actors are parked; memory ends
BADGES = EventRules(distributor="role", badge_roles={GUILDS[0]: ROLES[0]})


class History(NamedTuple):
    """``entries`` in order of appending. ``plain``: the same, for who takes no poison.

    ``forgotten``: by user, up to when. ``tale``: of trackers.
    """

    kind: str
    rules: Rules
    entries: list[Entry]
    plain: list[Entry] = []  # noqa: RUF012 - never touched
    poison: frozenset[tuple[str, int]] = frozenset()
    forgotten: dict[int, int] = {}  # noqa: RUF012 - never touched
    tale: Tale | None = None


def drawn_history(rng: Random) -> History:
    """Draw a history of one of the kinds."""
    kind = rng.choice(KINDS)
    tracking = _tracking(rng)
    rules = Rules(log_channel_id=rng.choice((None, 99)), events=BADGES, tracking=tracking)
    if kind in ("seen", "gaps", "wide"):
        world = (Wide if kind == "wide" else World)(crowded=kind != "seen")
        world.play(_begun(rng))
        world.play(_seen(rng) if kind == "seen" else _gaps(rng, OTHERS[kind]))
        world.settle()
        forgotten = world.forgotten if isinstance(world, Wide) else {}
        return _poisoned(rng, History(kind, rules, world.journal, forgotten=forgotten))
    tale = PlayerTale(tracking) if kind == "player" else EventTale(tracking, rng.choice((None, None, 300)))
    tale.play(_told(rng, kind))
    return History(kind, replace(rules, log_channel_id=None), tale.journal, tale.journal, tale=tale)


def _begun(rng: Random) -> list[Any]:
    if rng.random() < 0.2:
        return []
    made = _asked(rng, "make", (1,))
    return [made, EventOp(1, "start", made.event)]


def _seen(rng: Random) -> list[Any]:
    return [_any(rng, PAUSES_MS, TOLD) for _ in range(rng.randint(5, 30))]


def _gaps(rng: Random, others: tuple[str, ...]) -> list[Any]:
    ops: list[Any] = []
    for _ in range(rng.randint(2, 6)):
        for name in rng.choice(drawn.GAPS) if rng.random() < 0.7 else ("nothing",):
            ops.append(_op(rng, name, GAP_PAUSES_MS))
            ops += [_any(rng, GAP_PAUSES_MS, others) for _ in range(rng.randint(0, 4))]
    return ops


def _any(rng: Random, pauses_ms: tuple[int, ...], others: tuple[str, ...]) -> Any:
    share = rng.random()
    if share < 0.01:
        return EventOp(rng.choice(LONG_MS), "nothing")
    if share < 0.5:
        return _op(rng, rng.choice(drawn.SEEN), pauses_ms)
    if share < 0.75:
        return _op(rng, rng.choice(others), pauses_ms)
    name = rng.choice(ASKED)
    return _op(rng, name, pauses_ms) if name == "afk" else _asked(rng, name, pauses_ms)


def _op(rng: Random, name: str, pauses_ms: tuple[int, ...]) -> Op:
    return Op(rng.choice(pauses_ms), name, rng.choice(WHO), rng.randrange(8))


def _asked(rng: Random, name: str, pauses_ms: tuple[int, ...]) -> EventOp:
    fields = _fields(rng, always=name == "make") if name in ("make", "change") else {}
    late_ms = rng.choice((0, 0, 0, 1, 3, 400, 1_500))
    return EventOp(rng.choice(pauses_ms), name, rng.choice((0, 0, 0, 2, 1)), late_ms, fields)


def _fields(rng: Random, *, always: bool) -> dict[str, Any]:
    draws: dict[str, Callable[[], Any]] = {
        "starts_at": lambda: rng.choice(TIMES),
        "ends_at": lambda: rng.choice(TIMES),
        "required_role_ids": lambda: rng.choice(((), (), ROLES[:1], ROLES)),
        "match_all": lambda: rng.random() < 0.5,
        "min_duration_ms": lambda: rng.choice((0, 1_000, 5_000)),
        "min_share": lambda: rng.choice((0.0, 0.1, 0.5, 1.0)),
    }
    fields = {name: draw() for name, draw in draws.items() if rng.random() < 0.3}
    if always or rng.random() < 0.3:
        fields["channel_ids"] = tuple(rng.sample(range(4), rng.randint(1, 3)))
    if always or rng.random() < 0.3:
        counts = {name: rng.random() < 0.5 for name in PolicyFields.__struct_fields__}
        fields["policy"] = PolicyFields(**counts if rng.random() < 0.5 else {})
    return fields


def _tracking(rng: Random) -> TrackingRules:
    return TrackingRules(
        trackers=rng.choice((("a", "b"), LABELS, ("a",))),
        mode_all=rng.random() < 0.5,
        combine=rng.choice(("lowest", "highest", "average")),
        default_timeout_ms=30,
        on_expiry=rng.choice(("disconnect", "disconnect", "notify")),
        pause=rng.random() < 0.5,
        ask=rng.random() < 0.5,
        ask_within_ms=rng.choice((0, 10, 40)),
    )


def _told(rng: Random, kind: str) -> list[tales.Op]:
    words: dict[str, Callable[[], Any]] = {
        "mark": lambda: (rng.choice((*LABELS, "zombie")), True, rng.choice((None, None, 0, 5, 60, 1_000))),
        "free": lambda: (rng.choice(LABELS), False, None),
        "override": lambda: Override(rng.choice((None, 0, 20, 500)), None, rng.random() < 0.3),
        "decide": lambda: (rng.choice(list(Decision)), rng.choice((0, 7, 50)), rng.random() < 0.5),
        "known": lambda: tuple(sorted(rng.sample(LABELS, rng.randint(0, 3)))),
        "time": lambda: None,
    }
    of_players: dict[str, Callable[[], Any]] = {
        "report": lambda: rng.choice(list(PlayerState)),
        "go": lambda: rng.choice(("leave", "kick", "delete", "lose", "gap")),
        "come": lambda: rng.randrange(2),
        "move": lambda: rng.randrange(2),
    }
    often = ["mark", "mark", "mark", "free", "decide", "time"]
    if kind == "player":
        words |= of_players
        often += ["come", "come"]
    names = [*often, *words]
    pauses_ms = (0, 0, 1, 5, 5, 10, 29, 30, 31, 100)
    begun = [tales.Op(0, "come", 0)] if kind == "player" else []
    chosen = [rng.choice(names) for _ in range(rng.randint(5, 40))]
    return begun + [tales.Op(rng.choice(pauses_ms), name, words[name]()) for name in chosen]


def _poisoned(rng: Random, it: History) -> History:
    """Make poison of an entry or two, now and then; who takes none finds nothing of note in their place."""
    of_guild = (VoiceStateChanged, RolesChanged, MemberRemoved, ChannelCreated, ChannelDeleted)
    may_be = [entry for entry in it.entries if isinstance(entry.input, of_guild + _types(EventInput))]
    chosen = rng.sample(may_be, min(len(may_be), rng.choice((0, 0, 0, 1, 2))))
    poison = frozenset((entry.source, entry.seq) for entry in chosen)
    plain = [_harmless(entry) if (entry.source, entry.seq) in poison else entry for entry in it.entries]
    return it._replace(plain=plain, poison=poison)


def _types(union: Any) -> tuple[type, ...]:
    types: tuple[type, ...] = union.__args__
    return types


def _harmless(entry: Entry) -> Entry:
    what = entry.input
    if isinstance(what, EventInput):
        return replace(entry, input=Heartbeat(what.at))
    return replace(entry, input=OutboxOutcome(what.at, what.guild_id, "nothing", ok=True))
