"""``rollcall sessions``: who was where, and when."""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from engine.cli.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from engine.cli.records import Names, Row, Source, Wanted
    from engine.config import Config

_TABLE_LIMIT = 100
# The ledger keeps ids as signed 64-bit integers.
_ID_MAX = 2**63 - 1
_ID_DIGITS = 19


def _checked_id(value: str | None) -> str | None:
    if value is not None and not (value.isascii() and value.isdigit()):
        raise typer.BadParameter(f"{value!r} is not an id: digits only")
    if value is not None and (len(value) > _ID_DIGITS or int(value) > _ID_MAX):
        raise typer.BadParameter(f"{value[:_ID_DIGITS]!r}... is not an id: it is too large")
    return value


def _id_option(name: str) -> Any:
    return typer.Option(f"--{name}", metavar="ID", help=f"Only this {name}.", callback=_checked_id)


Guild: TypeAlias = Annotated[str | None, _id_option("guild")]
User: TypeAlias = Annotated[str | None, _id_option("user")]
Channel: TypeAlias = Annotated[str | None, _id_option("channel")]
Event: TypeAlias = Annotated[str | None, _id_option("event")]
Since: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Not ended by then: 2026-03-01, 2026-03-01T18:00Z, or 90m, 2h, 3d ago."
    ),
]
Until: TypeAlias = Annotated[str | None, typer.Option(metavar="TIME", help="Begun before then.")]
Limit: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, help=f"At most so many, the latest first. [default: {_TABLE_LIMIT}; --json: all]"),
]
Status: TypeAlias = Annotated[
    Literal["active", "completed", "cancelled"] | None, typer.Option(help="Only sessions of this status.")
]


def sessions(  # noqa: PLR0913, PLR0917  # one parameter for each option of the contract
    guild: Guild = None,
    user: User = None,
    channel: Channel = None,
    event: Event = None,
    since: Since = None,
    until: Until = None,
    status: Status = None,
    limit: Limit = None,
    everything: Annotated[bool, typer.Option("--all", help="No limit.")] = False,
    spans: Annotated[bool, typer.Option("--spans", help="With --json: each session's spans too.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """List voice sessions, open and past, the latest join first. Works without a running daemon too."""
    from engine.cli.records import Wanted, source
    from engine.config import load

    after, before = _window(since, until)
    wanted = Wanted(guild, user, channel, event, after, before, status, spans)
    if limit is None and not everything and not as_json:
        limit = _TABLE_LIMIT
    loaded = load(config)
    rows = _found(source(loaded), wanted, limit)
    if as_json:
        _print_array(islice(rows, limit))
    else:
        _print_table(loaded, list(islice(rows, limit)), more=next(rows, None) is not None)
    return 0


def _window(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    now = datetime.now(UTC)
    after, before = _moment("since", since, now), _moment("until", until, now)
    if after and before and after > before:
        raise typer.BadParameter("--since is later than --until")
    return after, before


def _moment(option: str, text: str | None, now: datetime) -> datetime | None:
    from engine.cli.moments import parse

    try:
        return None if text is None else parse(text, now)
    except (ValueError, OverflowError) as error:
        line = (
            f"--{option}: {text!r} is no time: write 2026-03-01, 2026-03-01T18:00Z, or 2h for two hours ago"
        )
        raise typer.BadParameter(line) from error


def _found(read: "Source", wanted: "Wanted", limit: int | None) -> Iterator["Row"]:
    """Start reading; where nothing is found, because an id is unknown, raise ``Failure``."""
    from engine.cli.failure import Failure
    from engine.cli.records import PAGE_MAX, unknown

    rows = read(wanted, page=PAGE_MAX if limit is None else min(limit + 1, PAGE_MAX))
    first = next(rows, None)
    if first is None and (line := unknown(read, wanted)):
        raise Failure(line)
    return rows if first is None else chain([first], rows)


def _print_array(rows: Iterable["Row"]) -> None:
    """Print one array, a session a line, as they come: a ledger may hold more than memory does."""
    import json

    before = "["
    for row in rows:
        print(before + json.dumps(row, ensure_ascii=False), end="")
        before = ",\n "
    print("]" if before != "[" else "[]")


def _print_table(config: "Config", rows: list["Row"], more: bool) -> None:
    from engine.cli.records import names
    from engine.cli.tables import Column, console, table, today

    known, day = names(config, rows), today()
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
    ("USER", False, False),
    ("", False, True),
)


def _cells(row: "Row", known: "Names", today: date | None) -> tuple[str, ...]:
    from engine.cli.moments import day, duration, local

    active = row["status"] == "active"
    return (
        local(row["joinTime"], today),
        "still there" if active else local(row["leaveTime"], today and day(row["joinTime"])),
        duration(_so_far(row) if active else row["duration"]),
        known.guilds.get(int(row["guildId"])) or row["guildId"],
        known.channels.get(int(row["channelId"])) or row["channelId"],
        row["userId"],
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
