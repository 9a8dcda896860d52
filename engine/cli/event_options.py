"""The options that say what an event is, and the request that they make."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeAlias

import typer

from engine.cli import moments
from engine.cli.filters import checked_id

LAST = "last"
NOTHING = "none"


def checked_event(value: str) -> str:
    """Return an event's id, or ``last``. Raises ``BadParameter``."""
    return value if value == LAST else checked_id(value)


def _optional_event(value: str | None) -> str | None:
    return None if value is None else checked_event(value)


OfEvent: TypeAlias = Annotated[
    str | None,
    typer.Option("--event", metavar="ID", help="Only of this event, or `last`.", callback=_optional_event),
]
EventId: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="EVENT_ID",
        help="An event's id, or `last`: the latest that was made by a command or over HTTP.",
        callback=checked_event,
    ),
]
Name: TypeAlias = Annotated[str | None, typer.Option("--name", metavar="TEXT", help="What it is called.")]
Channels: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--channel", metavar="ID|NAME", help="A voice or stage channel of it; repeat it for several."
    ),
]
_TIME = "2026-03-01T18:00Z, 2026-03-01T18:00 in local time, or 90m from now"
Starts: TypeAlias = Annotated[
    str | None, typer.Option(metavar="TIME", help=f"When it begins by itself: {_TIME}.")
]
Ends: TypeAlias = Annotated[str | None, typer.Option(metavar="TIME", help="When it ends by itself.")]
For: TypeAlias = Annotated[
    str | None, typer.Option("--for", metavar="DURATION", help="Instead of --ends: 90m, 1h30m.")
]


def _checked_roles(values: list[str] | None) -> list[str] | None:
    return values and [it if it == NOTHING else checked_id(it) for it in values]


Roles: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--role",
        metavar="ID",
        help="A role that time needs to count; repeat it for several.",
        callback=_checked_roles,
    ),
]
Match: TypeAlias = Annotated[
    Literal["any", "all"] | None, typer.Option(help="Whether one of the roles is enough.")
]
MinDuration: TypeAlias = Annotated[
    str | None, typer.Option(metavar="DURATION", help="The counted time that a badge takes: 45m.")
]
MinShare: TypeAlias = Annotated[
    float | None, typer.Option(metavar="SHARE", help="The share of the event that a badge takes: 0.5.")
]
Policy: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="Which time counts: countMuted, countSuppressed, countAlone, countAfk, countBridged = true or"
        " false; slack = strict or generous. Repeat it for several.",
    ),
]

# The option that sets a field.
_OPTIONS = {
    "guildId": "--guild",
    "name": "--name",
    "voiceChannelIds": "--channel",
    "startsAt": "--starts",
    "endsAt": "--ends",
    "requiredRoleIds": "--role",
    "roleMatch": "--match",
    "minDuration": "--min-duration",
    "minShare": "--min-share",
    "policy": "--policy",
}
_FIELD = re.compile(rf"(^|; )({'|'.join(_OPTIONS)})(?:\.\w+)*(?=: )")


def by_options(refusal: str) -> str:
    """Return a refusal of the engine with each field's option for its name."""
    return _FIELD.sub(lambda found: found[1] + _OPTIONS[found[2]], refusal)


@dataclass(frozen=True, slots=True)
class Fields:
    """The options as they were written."""

    name: str | None = None
    starts: str | None = None
    ends: str | None = None
    length: str | None = None
    roles: list[str] | None = None
    match: str | None = None
    min_duration: str | None = None
    min_share: float | None = None
    policy: list[str] | None = None

    def request(self, now: datetime, begins_at: Callable[[], datetime | None]) -> dict[str, Any]:
        """Return what HTTP takes, of the fields that were given. ``begins_at``: asked where --starts is not.

        Raises ``BadParameter``.
        """
        given: dict[str, Any] = {"name": self.name, "roleMatch": self.match, **self._threshold()}
        body = {key: value for key, value in given.items() if value is not None}
        if self.roles:
            body["requiredRoleIds"] = [it for it in self.roles if it != NOTHING]
        if self.policy:
            body["policy"] = dict(_policy(self.policy))
        return body | dict(self._times(now, begins_at))

    def _threshold(self) -> dict[str, float | None]:
        share = self.min_share
        if share is not None and not 0 <= share <= 1:
            raise typer.BadParameter(f"--min-share: {share} is no share: write 0 to 1, such as 0.5")
        least = None if self.min_duration is None else _length("min-duration", self.min_duration)
        return {"minDuration": None if least is None else least.total_seconds(), "minShare": share}

    def _times(
        self, now: datetime, begins_at: Callable[[], datetime | None]
    ) -> Iterator[tuple[str, str | None]]:
        if self.length is not None and self.ends is not None:
            raise typer.BadParameter("--for and --ends: one of them says when it ends")
        if self.starts is not None:
            starts_at = _moment("starts", self.starts, now)
            yield "startsAt", _iso(starts_at)
        if self.ends is not None:
            yield "endsAt", _iso(_moment("ends", self.ends, now))
        if self.length is not None:
            length = _length("for", self.length)
            beginning = begins_at() if self.starts is None else starts_at
            yield "endsAt", moments.iso(_after(beginning, length))


def _moment(option: str, text: str, now: datetime) -> datetime | None:
    """Read a moment; None where there is to be none."""
    if text == NOTHING:
        return None
    try:
        return moments.ahead(text, now)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"--{option}: {text!r} is no time: write {_TIME}") from error


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moments.iso(moment)


def _length(option: str, text: str) -> timedelta:
    try:
        return timedelta() if text == "0" else moments.length(text)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"--{option}: {text!r} is no duration: write 45m or 1h30m") from error


def _after(begins_at: datetime | None, length: timedelta) -> datetime:
    if begins_at is None:
        raise typer.BadParameter("--for needs a beginning: --starts TIME, or --start to start it now")
    try:
        return begins_at + length
    except OverflowError as error:
        raise typer.BadParameter("--for: so late is no time") from error


def _policy(written: Iterable[str]) -> Iterator[tuple[str, bool | str]]:
    for pair in written:
        key, _, value = pair.partition("=")
        name = _POLICY_KEYS.get(key.replace("_", "").lower())
        if name is None:
            raise typer.BadParameter(
                f"--policy: there is no {key!r}; there is {', '.join(_POLICY_KEYS.values())}"
            )
        choices: dict[str, bool | str] = _SLACK if name == "slack" else _TRUTH
        if value.lower() not in choices:
            raise typer.BadParameter(f"--policy: {name} is {' or '.join(choices)}, not {value!r}")
        yield name, choices[value.lower()]


_POLICY_KEYS = {
    it.lower(): it
    for it in ("countMuted", "countSuppressed", "countAlone", "countAfk", "countBridged", "slack")
}
_TRUTH: dict[str, bool | str] = {"true": True, "false": False}
_SLACK: dict[str, bool | str] = {"strict": "strict", "generous": "generous"}
