"""What an export reads, item by item, and how each becomes rows of a table."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from engine.cli import columns
from engine.cli.columns import Clock, in_zone
from engine.cli.records import PAGE_MAX, Records, Row, Wanted, WantedEvents, found_sessions
from engine.domain.ids import parse_person


class Table(NamedTuple):
    """Items as JSON has them, and each one's ``rows`` under ``titles`` as CSV has them.

    ``remark``: where there are none, which id is unknown, if one is.
    """

    items: Iterator[Row]
    titles: Sequence[str]
    rows: Callable[[Row], Iterable[Sequence[str]]]
    remark: str | None = None


def sessions(records: Records, wanted: Wanted, write: Clock | None) -> Table:
    """Read sessions, the latest join first."""
    found, unknown = found_sessions(records, wanted, None)
    items = (in_zone(row, write) for row in found)
    return Table(items, columns.SESSION_TITLES, lambda item: [columns.session_cells(item)], unknown)


def participants(records: Records, wanted: Wanted, write: Clock | None, *, intervals: bool) -> Table:
    """Read the participants of one event, or of all that the filter finds, the latest event first."""
    attended = partial(_attended, records, wanted.user, write, intervals=intervals)
    items = (item for event in _events(records, wanted) for item in attended(event))
    if intervals:
        titles = (*columns.PARTICIPANT_TITLES, *columns.INTERVAL_TITLES)
        return Table(items, titles, columns.interval_rows)
    return Table(items, columns.PARTICIPANT_TITLES, lambda item: [columns.participant_cells(item)])


def _events(records: Records, wanted: Wanted) -> Iterable[Row]:
    if wanted.event is not None:
        return [records.event(wanted.event)]
    chosen = WantedEvents(wanted.guild, wanted.channel, None, wanted.since, wanted.until)
    return records.events(chosen, PAGE_MAX)


def _attended(
    records: Records, user: str | None, write: Clock | None, event: Row, *, intervals: bool
) -> Iterator[Row]:
    rows = records.participants(event["eventId"], intervals=intervals, eligible=None)
    for row, awarded_at in _with_badges(rows, records.badges(event["eventId"])):
        if user in (None, row["userId"]):
            yield in_zone(columns.participant_item(event, row, awarded_at), write)


def _with_badges(rows: Iterable[Row], badges: Iterator[Row]) -> Iterator[tuple[Row, str | None]]:
    """Yield each participant with when their badge was awarded. Both come by the users' ids."""
    badge = next(badges, None)
    for row in rows:
        user_id = parse_person(row["userId"])
        while badge is not None and parse_person(badge["userId"]) < user_id:
            badge = next(badges, None)
        has = badge is not None and badge["userId"] == row["userId"]
        yield row, badge["awardedAt"] if badge is not None and has else None
