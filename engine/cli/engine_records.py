"""Records as the running engine gives them over HTTP."""

from collections.abc import Iterator
from datetime import datetime

from engine.cli import records
from engine.cli.client import EngineClient
from engine.cli.moments import iso
from engine.cli.records import Row, Wanted, WantedEvents


class EngineRecords:
    """See ``records.Records``."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client

    def sessions(self, wanted: Wanted, page: int) -> Iterator[Row]:
        return self._client.pages(
            "/sessions",
            guildId=wanted.guild,
            userId=wanted.user,
            channelId=wanted.channel,
            eventId=wanted.event,
            status=wanted.status,
            spans=wanted.spans or None,
            limit=page,
            **_window(wanted.since, wanted.until),
        )

    def events(self, wanted: WantedEvents, page: int) -> Iterator[Row]:
        return self._client.pages(
            "/events",
            guildId=wanted.guild,
            channelId=wanted.channel,
            status=wanted.status,
            limit=page,
            **_window(wanted.since, wanted.until),
        )

    def event(self, event_id: str) -> Row:
        event: Row = self._client.get(f"/events/{event_id}")
        return event

    def participants(self, event_id: str, *, intervals: bool, eligible: bool | None) -> Iterator[Row]:
        return self._client.pages(
            f"/events/{event_id}/participants",
            intervals=intervals or None,
            eligible=eligible,
            limit=records.PAGE_MAX,
        )

    def badges(self, event_id: str) -> Iterator[Row]:
        return self._client.pages(f"/events/{event_id}/badges", limit=records.PAGE_MAX)

    def stats(self, kind: str, of: str, guild: str | None = None) -> Row:
        stats: Row = self._client.get(f"/{kind}s/{of}/stats", guildId=guild)
        return stats

    def guilds(self) -> Iterator[Row]:
        return self._client.pages("/guilds")

    def channels(self, guild: str) -> Iterator[Row]:
        return self._client.pages(f"/guilds/{guild}/channels")


def _window(since: datetime | None, until: datetime | None) -> dict[str, str]:
    return {name: iso(moment) for name, moment in (("from", since), ("to", until)) if moment}
