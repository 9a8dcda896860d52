"""``rollcall export``: sessions or participants as CSV or JSON, as they are read: never all in memory."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from engine.cli.event_options import OfEvent
from engine.cli.filters import Channel, Guild, SessionStatus, Since, Until, User, window
from engine.cli.options import ConfigFile

if TYPE_CHECKING:
    from engine.cli.exported import Table
    from engine.cli.records import Wanted

What: TypeAlias = Annotated[
    Literal["sessions", "participants"], typer.Argument(metavar="sessions|participants")
]
Format: TypeAlias = Annotated[Literal["csv", "json"], typer.Option("--format", help="How it is written.")]
Intervals: TypeAlias = Annotated[
    bool,
    typer.Option("--intervals", help="Of participants: with the times each was there, in CSV a row each."),
]
Zone: TypeAlias = Annotated[
    str, typer.Option("--tz", metavar="NAME", help="The time zone of all times, such as Europe/Berlin.")
]
Excel: TypeAlias = Annotated[
    bool, typer.Option("--excel", help="CSV that Excel reads unasked: it would cut ids to 15 digits.")
]
Output: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Where to; complete or not at all. [default: standard output]"),
]


def export(  # noqa: PLR0913, PLR0917  # one parameter for each option of the contract
    what: What,
    form: Format = "csv",
    event: OfEvent = None,
    guild: Guild = None,
    user: User = None,
    channel: Channel = None,
    since: Since = None,
    until: Until = None,
    status: SessionStatus = None,
    intervals: Intervals = False,
    tz: Zone = "UTC",
    excel: Excel = False,
    output: Output = None,
    config: ConfigFile = None,
) -> int:
    """Export sessions or participants, as CSV or JSON. Works without a running daemon too.

    Times are ISO 8601; durations are in seconds, to the millisecond.
    """
    from engine.cli import exported
    from engine.cli.columns import clock
    from engine.cli.records import Wanted, source
    from engine.cli.sessions_wanted import resolved
    from engine.cli.zones import zone
    from engine.config import load

    write = clock(zone(tz))
    wanted = Wanted(guild, user, channel, event, *window(since, until), status)
    _check(what, wanted, intervals=intervals, excel=excel and form != "csv")
    records = source(load(config))
    wanted = resolved(records, wanted)
    if what == "sessions":
        _write(exported.sessions(records, wanted, write), form, output, excel=excel)
    else:
        table = exported.participants(records, wanted, write, intervals=intervals)
        _write(table, form, output, excel=excel)
    return 0


def _check(what: str, wanted: "Wanted", *, intervals: bool, excel: bool) -> None:
    """Refuse options that would say nothing of what is exported."""
    if excel:
        raise typer.BadParameter("--excel is of --format csv")
    if what == "sessions":
        if intervals:
            raise typer.BadParameter("--intervals is of participants: a session is one")
        return
    if wanted.status is not None:
        raise typer.BadParameter("--status is of sessions")
    several = [it for it in ("guild", "channel", "since", "until") if getattr(wanted, it) is not None]
    if wanted.event is not None and several:
        raise typer.BadParameter(f"--event names the one event: leave --{several[0]} out")
    if wanted.event is None and not several:
        raise typer.BadParameter("participants of which event? --event ID, or of several: --guild, --since")


def _write(table: "Table", form: str, output: Path | None, *, excel: bool) -> None:
    from itertools import chain

    from engine.cli.writing import opened, write_array, write_csv

    with opened(output) as file:
        if form == "json":
            write_array(file, table.items)
        else:
            rows = chain.from_iterable(map(table.rows, table.items))
            write_csv(file, table.titles, rows, excel=excel)
    if table.remark:
        print(table.remark, file=sys.stderr)
