"""What an export has of each session and participant: as CSV cells, and as JSON items."""

from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from typing import Any, TypeAlias

from engine.cli.records import Row
from engine.domain.cells import cell
from engine.domain.event_views import REASON_NAMES

# How a moment of the API is written.
Clock: TypeAlias = Callable[[str], str]

REASONS = tuple(REASON_NAMES.values())


def clock(zone: tzinfo | None) -> Clock | None:
    """Return how moments are written in a zone, each with its offset; None: as they are, in UTC."""
    if zone is None:
        return None
    return lambda text: datetime.fromisoformat(text).astimezone(zone).isoformat(timespec="milliseconds")


def in_zone(value: Any, write: Clock | None) -> Any:
    """Return an item of the API with all its moments written so."""
    if write is None:
        return value
    if isinstance(value, dict):
        return {key: _written(key, it, write) for key, it in value.items()}
    return [in_zone(it, write) for it in value] if isinstance(value, list) else value


def _written(key: str, value: Any, write: Clock) -> Any:
    is_moment = isinstance(value, str) and key.endswith(("Time", "At", "Date"))
    return write(value) if is_moment else in_zone(value, write)


SESSION_TITLES = (
    *("session_id", "guild_id", "user_name", "user_id", "channel_id"),
    *("join_time", "leave_time", "duration", "status"),
    *("is_event_linked", "event_ids", "chain_id", "previous_id", "related_session_ids"),
    *("via_channel_creation", "joined_slack", "left_slack", "confidence", "created_at", "updated_at"),
)


def session_cells(row: Row) -> list[str]:
    """Return a session as ``SESSION_TITLES``; ids of a list with a space between them."""
    related = [it["sessionId"] for it in row["relatedSessions"]]
    values = row | {"relatedSessionIds": related}
    return [_cell(values[_camel(title)]) for title in SESSION_TITLES]


def _camel(title: str) -> str:
    first, *rest = title.split("_")
    return first + "".join(it.capitalize() for it in rest)


PARTICIPANT_TITLES = (
    *("event_id", "event_name", "user_name", "user_id", "first_join", "last_leave"),
    *("in_meeting_duration", "counted_duration", *(f"{it}_duration" for it in REASONS)),
    *("eligible", "why", "badge"),
)
INTERVAL_TITLES = ("join_time", "leave_time", "duration", "channel_id", "counted")
_NO_INTERVAL = [""] * len(INTERVAL_TITLES)


def participant_item(event: Row, row: Row, awarded_at: str | None) -> Row:
    """Return a participant of an export, in JSON: with the event, and the time there in all."""
    return {
        "eventId": event["eventId"],
        "eventName": event["name"],
        **row,
        "inMeetingDuration": round(row["duration"] + sum(row["reasons"].values()), 3),
        "badgeAwardedAt": awarded_at,
    }


def participant_cells(item: Row) -> list[str]:
    """Return a ``participant_item`` as ``PARTICIPANT_TITLES``; ``badge``: since when they have it."""
    lost = [item["reasons"].get(reason, 0.0) for reason in REASONS]
    values = (
        *(item["eventId"], item["eventName"], item["userName"], item["userId"]),
        *(item["joinTime"], item["leaveTime"]),
        *(
            item["inMeetingDuration"],
            item["duration"],
            *lost,
            item["eligible"],
            item["why"],
            item["badgeAwardedAt"],
        ),
    )
    return [_cell(value) for value in values]


def interval_rows(item: Row) -> Iterator[list[str]]:
    """Yield a ``participant_item``'s cells once for each interval, and that as ``INTERVAL_TITLES``."""
    cells = participant_cells(item)
    for it in item["intervals"]:
        times = (it["joinTime"], it["leaveTime"], it["duration"], it["channelId"], it["counted"])
        yield [*cells, *(_cell(value) for value in times)]
    if not item["intervals"]:
        yield [*cells, *_NO_INTERVAL]


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() | int():
            return f"{value:.3f}"
        case list():
            return " ".join(value)
        case _:
            return cell(str(value))
