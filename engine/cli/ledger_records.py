"""Records from the ledger's file, where no engine runs."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from engine.cli import records
from engine.cli.failure import Failure
from engine.cli.records import Row, Wanted, WantedEvents
from engine.storage.queries import EventFilter, Page, SessionFilter, SqlReads

_T = TypeVar("_T")


class LedgerRecords:
    """See ``records.Records``."""

    def __init__(self, path: Path) -> None:
        self._reads = SqlReads(path)

    def sessions(self, wanted: Wanted, page: int) -> Iterator[Row]:
        ids = {
            "guild_id": wanted.guild,
            "user_id": wanted.user,
            "channel_id": wanted.channel,
            "event_id": wanted.event,
        }
        chosen = SessionFilter.written(ids, wanted.since, wanted.until, wanted.status)
        return _pages(
            lambda cursor: self._reads.sessions(chosen, limit=page, cursor=cursor, spans=wanted.spans)
        )

    def events(self, wanted: WantedEvents, page: int) -> Iterator[Row]:
        ids = {"guild_id": wanted.guild, "channel_id": wanted.channel}
        chosen = EventFilter.written(ids, wanted.since, wanted.until, wanted.status)
        return _pages(lambda cursor: self._reads.events(chosen, limit=page, cursor=cursor))

    def event(self, event_id: str) -> Row:
        return _known("event", event_id, self._reads.event(int(event_id)))

    def participants(self, event_id: str, *, intervals: bool, eligible: bool | None) -> Iterator[Row]:
        def page(cursor: str | None) -> Page:
            found = self._reads.participants(
                int(event_id),
                limit=records.PAGE_MAX,
                cursor=cursor,
                intervals=intervals,
                eligible=eligible,
            )
            return _known("event", event_id, found)

        return _pages(page)

    def badges(self, event_id: str) -> Iterator[Row]:
        def page(cursor: str | None) -> Page:
            found = self._reads.badges(int(event_id), limit=records.PAGE_MAX, cursor=cursor)
            return _known("event", event_id, found)

        return _pages(page)

    def stats(self, kind: str, of: str, guild: str | None = None) -> Row:
        if kind == "user":
            return self._reads.user_stats(int(of), None if guild is None else int(guild))
        reads = {
            "event": self._reads.event_stats,
            "guild": self._reads.guild_stats,
            "channel": self._reads.channel_stats,
        }
        return _known(kind, of, reads[kind](int(of)))

    def guilds(self) -> Iterable[Row]:
        return self._reads.guilds()

    def channels(self, guild: str) -> Iterable[Row]:
        if all(it["guildId"] != guild for it in self._reads.guilds()):
            raise Failure(f"the bot is in no guild of the id {guild}")
        return self._reads.channels(int(guild))


def _pages(page: Callable[[str | None], Page]) -> Iterator[Row]:
    items, cursor = page(None)
    yield from items
    while cursor is not None:
        items, cursor = page(cursor)
        yield from items


def _known(kind: str, of: str, found: _T | None) -> _T:
    if found is None:
        raise Failure(f"no {kind} has the id {of}")
    return found
