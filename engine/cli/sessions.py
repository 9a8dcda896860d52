"""``rollcall sessions``: who was where, and when."""

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.event_options import OfEvent
from engine.cli.filters import (
    Channel,
    Everything,
    Guild,
    Limit,
    SessionStatus,
    Since,
    Until,
    User,
    table_limit,
    window,
)
from engine.cli.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from engine.cli.records import Names, Row
    from engine.config import Config


def sessions(  # noqa: PLR0913, PLR0917  # one parameter for each option of the contract
    guild: Guild = None,
    user: User = None,
    channel: Channel = None,
    event: OfEvent = None,
    since: Since = None,
    until: Until = None,
    status: SessionStatus = None,
    limit: Limit = None,
    everything: Everything = False,
    spans: Annotated[bool, typer.Option("--spans", help="With --json: each session's spans too.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """List voice sessions, open and past, the latest join first. Works without a running daemon too."""
    from engine.cli.failure import Failure
    from engine.cli.records import Wanted, found_sessions, source
    from engine.cli.sessions_wanted import resolved
    from engine.cli.writing import write_array
    from engine.config import load

    wanted = Wanted(guild, user, channel, event, *window(since, until), status, spans)
    limit = table_limit(limit, everything=everything, as_json=as_json)
    loaded = load(config)
    records = source(loaded)
    rows, unknown = found_sessions(records, resolved(records, wanted), limit)
    if as_json:
        write_array(sys.stdout, islice(rows, limit))
        if unknown:
            print(unknown, file=sys.stderr)
    elif unknown:
        raise Failure(unknown)
    else:
        _print_table(loaded, list(islice(rows, limit)), more=next(rows, None) is not None)
    return 0


def _print_table(config: "Config", rows: list["Row"], more: bool) -> None:
    from engine.cli.records import names
    from engine.cli.tables import Column, console, table, today

    known, day = names(config, ((row["guildId"], row["channelId"]) for row in rows)), today()
    cells = [_cells(row, known, day) for row in rows]
    console().print(table([Column(*it) for it in _COLUMNS], cells) if rows else "no sessions")
    if more:
        print(f"the latest {len(rows)}; for more: --limit N or --all", file=sys.stderr)


# Title, right, prose.
_COLUMNS = (
    ("JOINED", False, False),
    ("LEFT", False, False),
    ("DURATION", True, False),
    ("GUILD", False, True),
    ("CHANNEL", False, True),
    ("USER", False, True),
    ("", False, True),
)


def _cells(row: "Row", known: "Names", today: date | None) -> tuple[str, ...]:
    from engine.cli.moments import day, duration, local

    active = row["status"] == "active"
    return (
        local(row["joinTime"], today),
        "still there" if active else local(row["leaveTime"], today and day(row["joinTime"])),
        duration(_so_far(row) if active else row["duration"]),
        known.guild(row["guildId"]),
        known.channel(row["channelId"]),
        row["userName"] or row["userId"],
        ", ".join(_remarks(row)),
    )


def _so_far(row: "Row") -> float:
    joined = datetime.fromisoformat(row["joinTime"])
    return max(0.0, (datetime.now(UTC) - joined).total_seconds())


def _remarks(row: "Row") -> Iterator[str]:
    from engine.cli.moments import duration

    if row["status"] == "cancelled":
        yield "cancelled"
    if row["joinedSlack"]:
        yield f"joined up to {duration(row['joinedSlack'])} earlier"
    if row["leftSlack"]:
        yield f"left up to {duration(row['leftSlack'])} later"
    if row["confidence"] == "bridged":
        yield "bridged"
    if row["viaChannelCreation"]:
        yield "made the channel"
    for event_id in row["eventIds"]:
        yield f"event {event_id}"
