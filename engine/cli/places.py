"""Guilds, channels and events as people name them."""

import difflib
from collections.abc import Iterable

from engine.cli.event_options import LAST
from engine.cli.failure import Failure
from engine.cli.filters import checked_id, is_digits
from engine.cli.records import Records, Row, WantedEvents

_SHOWN = 10  # candidates in a line
_AT_ONCE = 50  # events looked at for the last


def event_id(records: Records, text: str) -> str:
    """Return an event's id; ``last`` is the latest that was asked for, not told by Discord.

    Raises ``Failure`` where there is none yet.
    """
    if text != LAST:
        return text
    for event in records.events(WantedEvents(), _AT_ONCE):
        if event["source"] != "discord":
            return str(event["eventId"])
    raise Failure(
        "no event was made here yet: `rollcall events create` makes one, `rollcall events` lists all"
    )


def guild_id(records: Records, text: str) -> str:
    """Return the id of the guild of this name; digits are an id. Raises ``Failure``."""
    return checked_id(text) if is_digits(text) else _named("guild", text, records.guilds())


def channel_id(records: Records, guild: str | None, text: str) -> str:
    """Return the id of a guild's channel of this name; digits are an id. Raises ``Failure``."""
    if is_digits(text):
        return checked_id(text)
    if guild is None:
        raise Failure(f"--channel: {text!r} is a name, and names are a guild's: add --guild", 2)
    return _named("channel", text, (it for it in records.channels(guild)))


def _named(kind: str, text: str, rows: Iterable[Row]) -> str:
    known = list(rows)
    same = [row for row in known if row["name"].casefold() == text.casefold()]
    if len(same) == 1:
        return str(same[0][f"{kind}Id"])
    line = f"{len(same)} {kind}s are called" if same else f"no {kind} is called"
    raise Failure(f"{line} {text!r}: {_candidates(kind, text, same or known)}")


def _candidates(kind: str, text: str, rows: list[Row]) -> str:
    """Name those that may be meant, the most alike first."""
    if not rows:
        return f"no {kind} is known yet"
    alike = sorted(rows, key=lambda row: -_likeness(text, row["name"]))
    shown = ", ".join(f"{row['name']} ({row[f'{kind}Id']})" for row in alike[:_SHOWN])
    return f"there is {shown}" + (f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else "")


def _likeness(text: str, name: str) -> float:
    return difflib.SequenceMatcher(None, text.casefold(), name.casefold()).ratio()
