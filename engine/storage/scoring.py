"""What an event's participants come to, read for as many of them as are asked for.

Of an event that is over the rows say it. Of an active one they only say who takes part: what that comes to by
now is scored from sessions and spans, as ``SqlLedger.load_attendance`` and ``participation.score`` would.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from sqlite3 import Connection
from typing import NamedTuple

from engine.domain import views
from engine.domain.attendance import Participant, Stay
from engine.domain.company import Solitude
from engine.domain.event_views import is_eligible
from engine.domain.events import Event, EventStatus
from engine.domain.participation import attendees, company, score
from engine.storage.event_rows import PARTICIPANT_COLUMNS, read_participant
from engine.storage.pages import ID_MIN
from engine.storage.stay_queries import find_stays

# Of an active event's participants so many are scored at once where not all of them are wanted.
SCORED_AT_ONCE = 250

_ROWS = f"""
    SELECT {PARTICIPANT_COLUMNS} FROM participant
    WHERE event_id = :event_id AND user_id > :after AND coalesce(eligible = :eligible, 1)
    ORDER BY user_id LIMIT :limit
"""  # noqa: S608 - a constant
_EVERYBODY = "SELECT user_id FROM participant WHERE event_id = ?"


class Person(NamedTuple):
    """A participant, and their stays in order."""

    participant: Participant
    stays: Sequence[Stay]


class Scoring:
    """One event's attendance as of ``now``, its partition's time. The connection stands in a transaction."""

    def __init__(self, connection: Connection, event: Event, now: int) -> None:
        self.event, self.now = event, now
        self.active = event.status is EventStatus.ACTIVE
        self._connection = connection

    @cached_property
    def alone(self) -> Solitude:
        """Return when each was alone, where that matters to the event."""
        if self.event.policy.count_alone:
            return {}
        everybody = [user_id for (user_id,) in self._connection.execute(_EVERYBODY, (self.event.event_id,))]
        return company(self.event, find_stays(self._connection, self.event, everybody, spans=False))

    @property
    def length_ms(self) -> int:
        """Return how long the event was, or has been up to now."""
        if self.event.started_at is None:
            return 0
        return views.duration_ms(self.event.started_at, self.event.ended_at, self.now)

    def everybody(self) -> Iterator[Person]:
        """Yield all participants; the stays without spans unless the event is active."""
        return self._people(self._rows(ID_MIN, -1), spans=False)

    def people(self, after: int, limit: int, eligible: bool | None, *, spans: bool) -> Iterator[Person]:
        """Yield at least ``limit`` participants of this verdict, if there are, by their ids ``after`` one."""
        at_once = limit if eligible is None or not self.active else max(limit, SCORED_AT_ONCE)
        while rows := self._rows(after, at_once, eligible):
            for it in self._people(rows, spans=spans):
                if eligible is None or self.is_eligible(it.participant) == eligible:
                    yield it
            after = rows[-1].user_id

    def is_eligible(self, participant: Participant) -> bool:
        """Return a participant's verdict as of now."""
        return is_eligible(self.event, participant, self.event.threshold_ms(self.now))

    def _rows(self, after: int, limit: int, eligible: bool | None = None) -> list[Participant]:
        wanted = {"event_id": self.event.event_id, "after": after, "limit": limit, "eligible": eligible}
        return [read_participant(row) for row in self._connection.execute(_ROWS, wanted)]

    def _people(self, rows: Sequence[Participant], *, spans: bool) -> Iterator[Person]:
        users = [row.user_id for row in rows]
        stays = find_stays(self._connection, self.event, users, spans=spans or self.active)
        if self.active:
            known = attendees(self.event, stays, rows, self.alone)
            scores = score(self.event, known, self.now, self.alone)
            rows = [scores[user_id] for user_id in users if user_id in scores]
        by_user: dict[int, list[Stay]] = defaultdict(list)
        for stay in stays:
            by_user[stay.user_id].append(stay)
        for row in rows:
            yield Person(row, by_user[row.user_id])
