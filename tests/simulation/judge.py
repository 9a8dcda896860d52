"""What the rows must be, told by ``tests/domain``: its plain replay of the step, and the oracles beside it.

The replay goes entry by entry, without one actor, batch or store. Whether what it comes to is right, the
oracles say, which know nothing of the engine's code.
"""

from contextlib import closing
from pathlib import Path
from typing import Any

from engine.domain.inputs import Entry, GuildSnapshot, Heartbeat
from engine.storage.journal import encode
from engine.storage.ledger import SqlLedger
from engine.storage.rows import pack_roles
from tests.domain import oracle
from tests.domain.as_told import as_expected, told
from tests.domain.book import Row
from tests.domain.event_comparison import Comparison
from tests.domain.event_replay import EventReplay
from tests.domain.ingest import GUILDS, USERS
from tests.domain.tracker_tales import HELD
from tests.domain.witnesses import Ledgered, Told
from tests.simulation.histories import History
from tests.simulation.tables import Tables, differences, select

_SESSION = (
    *("guild_id", "user_id", "joined_at", "channel_id", "joined_slack_ms", "left_at", "left_slack_ms"),
    *("status", "flags", "span_at", "chain_at", "previous_at", "via_channel_creation", "bridged"),
    *("gateway_session_id", "roles"),
)
_SPAN = ("guild_id", "user_id", "joined_at", "started_at", "ended_at", "flags", "roles")
_TALLY = ("counted", "deafened", "missing_role", "afk", "bridged", "suppressed", "muted", "alone")
_TALLY_MS = tuple(f"{it}_ms" for it in _TALLY)
_PARTICIPANT = ("event_id", "user_id", "entered_at", "start_at", "end_at", *_TALLY_MS, "eligible")
_COLUMNS = {
    "session": _SESSION,
    "span": _SPAN,
    "participant": _PARTICIPANT,
    "eventsession": ("event_id", "user_id", "joined_at"),
    "badge": ("event_id", "user_id", "awarded_at"),
    "player": ("guild_id", "channel_id", "since", "state", "paused_by_us"),
    "deadletter": ("raw",),
}


def judged(history: History, last: list[Entry], database: Path) -> tuple[list[str], int]:
    """Return how a ledger differs from what the history comes to, and how many rows were compared."""
    if history.kind == "wide":
        return _remembered(history, database), 0
    replay, wrong = _told_by_oracles(history, last)
    expected = _expected(replay, history)
    found = {name: select(database, name, columns) for name, columns in _COLUMNS.items()}
    wrong += differences(found, expected)
    with closing(SqlLedger(database, 0)) as ledger:
        wrong += _states(ledger, replay)
    return wrong, sum(map(len, expected.values()))


def _remembered(history: History, database: Path) -> list[str]:
    """Say what is known of people that were forgotten, of the time before."""
    stays = select(database, "session", ("user_id", "joined_at"))
    told = [f"remembered: {it}" for it in stays if it[1] <= history.forgotten.get(it[0], -1)]
    return told + [
        f"remembered: {it}" for it in select(database, "span", ("user_id", "joined_at")) if it not in stays
    ]


def _told_by_oracles(history: History, last: list[Entry]) -> tuple[EventReplay, list[str]]:
    if history.tale is not None:
        return _tale(history, last)
    entries = [*history.plain, *last]
    comparison = Comparison(Told(history.rules) if history.kind == "seen" else Ledgered())
    comparison.replay = EventReplay(history.rules)
    for entry in entries:
        comparison.replay.take([entry])
        comparison.presences = comparison.witness.take(entry, comparison.replay)
        comparison.oracle.take(entry, comparison.presences)
        comparison.hold(entry)
        for event_id, terms in comparison.oracle.events.items():
            if terms.started_at is not None:
                comparison.check_badges(comparison.replay.events.events[event_id])
    try:
        comparison.check()
    except AssertionError as error:
        return comparison.replay, [f"the step differs from the oracle of events: {error}"]
    wrong = _sessions(history, entries, comparison.replay) if history.kind == "seen" else []
    return comparison.replay, wrong


def _sessions(history: History, entries: list[Entry], replay: EventReplay) -> list[str]:
    once = {(entry.source, entry.seq): entry.input for entry in entries}
    facts: list[Any] = [it for it in once.values() if not isinstance(it, Heartbeat | GuildSnapshot)]
    facts = [it for it in facts if hasattr(it, "guild_id")]
    wrong = []
    for guild_id in GUILDS:
        for user_id in USERS:
            expected = oracle.sessions(facts, guild_id, user_id, history.rules)
            for it in expected:
                it.spans = oracle.merged(it.spans)
            found = [as_expected(row) for row in replay.book.of(guild_id, user_id)]
            wrong += (
                [] if found == expected else [f"the step differs from the oracle: {found}, not {expected}"]
            )
    return wrong


def _tale(history: History, last: list[Entry]) -> tuple[EventReplay, list[str]]:
    tale: Any = history.tale
    replay = EventReplay(history.rules)
    for entry in history.plain:
        replay.take([entry])
    replay._take([])
    wrong = [] if told(replay, tale.names) == tale.told else ["the step differs from the oracle of trackers"]
    if history.kind == "event":
        event = replay.events.events[HELD]
        same = (event.started_at, event.ended_at) == tale.window
        wrong += [] if same else [f"{event} was not held in {tale.window}"]
    for entry in last:
        replay.take([entry])
    return replay, wrong


def _expected(replay: EventReplay, history: History) -> Tables:
    book, events = replay.book, replay.events
    poison = {encode(it) for it in history.entries if (it.source, it.seq) in history.poison}
    participants = [
        (event_id, it.user_id, it.entered_at, it.start_at, it.end_at, *it.tally, it.eligible)
        for event_id, rows in events.participants.items()
        for it in rows.values()
    ]
    return {
        "session": [_session(*it) for it in book.rows.items()],
        "span": [
            (*key, start, end, int(flags), _packed(roles))
            for key, row in book.rows.items()
            for start, end, flags, roles in row.ended_spans
        ],
        "participant": participants,
        "eventsession": [(event_id, *it) for event_id, links in events.links.items() for it in links],
        "badge": [(*key, it.at) for key, it in events.badges.items()],
        "player": [
            (guild_id, it.channel_id, it.since, int(it.state), it.paused_by_us)
            for guild_id, it in book.trackers.players.items()
        ],
        "deadletter": [(raw,) for raw in poison],
    }


def _session(key: tuple[int, int, int], row: Row) -> tuple[Any, ...]:
    saved, it = row.saved, row.saved.session
    return (
        *(*key, it.channel_id, it.joined_slack_ms, saved.left_at, saved.left_slack_ms, saved.status.value),
        *(int(it.flags), it.span_at, it.chain_at, it.previous_at, it.via_channel_creation, it.bridged),
        *(it.gateway_session_id, _packed(it.roles)),
    )


def _packed(roles: tuple[int, ...]) -> bytes | None:
    packed = pack_roles(roles) if roles else None
    return None if packed is None else bytes(packed)


def _states(ledger: SqlLedger, replay: EventReplay) -> list[str]:
    """Compare events, subjects and what a restarted guild would know."""
    events, trackers = replay.events.events, replay.book.trackers
    wrong = [
        f"event: {found} instead of {event}"
        for event_id, event in events.items()
        if (found := ledger.load_event(event_id)) != event
    ]
    subjects = {(it.kind, it.subject_id): it for _, it in ledger.subjects()}
    wrong += [] if subjects == trackers.subjects else [f"subjects: {subjects}, not {trackers.subjects}"]
    now = replay.partition.now
    for guild_id in replay.guilds:
        found_guild, known = ledger.load_guild(guild_id, now), replay.book.rebuilt(guild_id, now)
        wrong += [] if found_guild == known else [f"guild: {found_guild} instead of {known}"]
    return wrong
