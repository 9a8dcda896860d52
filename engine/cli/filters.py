"""Options that pick what a command reads, and what they mean."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias

import typer

from engine.cli import moments

TABLE_LIMIT = 100
# The ledger keeps ids as signed 64-bit integers.
_ID_MAX = 2**63 - 1
_ID_DIGITS = 19


def checked_id(value: str) -> str:
    """Return an id as it was written. Raises ``BadParameter``."""
    if not is_digits(value):
        raise typer.BadParameter(f"{value!r} is not an id: digits only")
    if len(value) > _ID_DIGITS or int(value) > _ID_MAX:
        raise typer.BadParameter(f"{value[:_ID_DIGITS]!r}... is not an id: it is too large")
    return value


def optional_id(value: str | None) -> str | None:
    """Check an option's id where it is given. Raises ``BadParameter``."""
    return None if value is None else checked_id(value)


def optional_name(value: str | None) -> str | None:
    """Check an option that takes a name too: digits are an id. Raises ``BadParameter``."""
    return value if value is None or not is_digits(value) else checked_id(value)


def is_digits(text: str) -> bool:
    """Say whether a text is made of the digits 0 to 9, as ids are."""
    return text.isascii() and text.isdigit()


def _id_option(name: str) -> Any:
    return typer.Option(f"--{name}", metavar="ID", help=f"Only this {name}.", callback=optional_id)


def _place_option(name: str) -> Any:
    return typer.Option(f"--{name}", metavar="ID|NAME", help=f"Only this {name}.", callback=optional_name)


Guild: TypeAlias = Annotated[str | None, _place_option("guild")]
GuildId: TypeAlias = Annotated[str | None, _id_option("guild")]
User: TypeAlias = Annotated[str | None, _id_option("user")]
Channel: TypeAlias = Annotated[str | None, _place_option("channel")]
Since: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Not ended by then: 2026-03-01, 2026-03-01T18:00Z, or 90m, 2h, 3d ago."
    ),
]
Until: TypeAlias = Annotated[str | None, typer.Option(metavar="TIME", help="Begun before then.")]
Limit: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, help=f"At most so many, the latest first. [default: {TABLE_LIMIT}; --json: all]"),
]
Everything: TypeAlias = Annotated[bool, typer.Option("--all", help="No limit.")]
SessionStatus: TypeAlias = Annotated[
    Literal["active", "completed", "cancelled"] | None, typer.Option(help="Only sessions of this status.")
]


def window(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Read the two moments; the first may not be the later."""
    now = datetime.now(UTC)
    after, before = _moment("since", since, now), _moment("until", until, now)
    if after and before and after > before:
        raise typer.BadParameter("--since is later than --until")
    return after, before


def _moment(option: str, text: str | None, now: datetime) -> datetime | None:
    try:
        return None if text is None else moments.parse(text, now)
    except (ValueError, OverflowError) as error:
        line = (
            f"--{option}: {text!r} is no time: write 2026-03-01, 2026-03-01T18:00Z, or 2h for two hours ago"
        )
        raise typer.BadParameter(line) from error


def table_limit(limit: int | None, *, everything: bool, as_json: bool) -> int | None:
    """Return how many rows to show: a table for people has an end."""
    return TABLE_LIMIT if limit is None and not everything and not as_json else limit
