"""``rollcall stats``: how much there was."""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from engine.cli.event_options import LAST
from engine.cli.filters import checked_id
from engine.cli.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.cli.records import Records, Row

Kind: TypeAlias = Annotated[
    Literal["event", "user", "guild", "channel"], typer.Argument(metavar="event|user|guild|channel")
]
Of: TypeAlias = Annotated[
    str, typer.Argument(metavar="ID", help="Of which: its id, an event's also `last`, or a guild's name.")
]
Guild: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="ID|NAME", help="Of a user: only in this guild. Of a channel given by name: its guild."
    ),
]


def stats(kind: Kind, of: Of, guild: Guild = None, as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Show how much there was of an event, user, guild or channel. Works without a running daemon too."""
    from engine.cli.places import guild_id
    from engine.cli.records import source
    from engine.cli.tables import print_json
    from engine.config import load

    if guild is not None and kind in ("event", "guild"):
        raise typer.BadParameter(f"--guild says nothing of a {kind}")
    records = source(load(config))
    where = guild and guild_id(records, guild)
    found = records.stats(kind, _resolved(records, kind, of, where), where if kind == "user" else None)
    if as_json:
        print_json(found)
    else:
        print("\n".join(_lines(found)))
    return 0


def _resolved(records: "Records", kind: str, of: str, where: str | None) -> str:
    from engine.cli import places

    match kind:
        case "event" if of == LAST:
            return places.event_id(records, of)
        case "guild":
            return places.guild_id(records, of)
        case "channel":
            return places.channel_id(records, where, of)
        case _:
            return checked_id(of)


def _lines(found: "Row") -> "Iterator[str]":
    from engine.cli.tables import listing

    return listing({key: _readable(key, value) for key, value in found.items()})


def _readable(key: str, value: object) -> object:
    """Write durations and moments for people; the rest as it is."""
    from engine.cli.moments import duration, local

    if isinstance(value, dict):
        return {name: duration(it) if key == "reasons" else it for name, it in value.items()}
    if key.endswith("Seconds") or key == "length":
        return duration(float(str(value)))
    return local(str(value)) if key.endswith("At") and value is not None else value
