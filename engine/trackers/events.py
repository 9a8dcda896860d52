"""The events that are held now."""

from collections.abc import Iterator

from engine.domain.attendance import Reason, reason_of
from engine.domain.events import Event
from engine.trackers.source import Source


class EventRegistry:
    """All active events as they are now. Any thread may ask."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __iter__(self) -> Iterator[Event]:
        """Go through the active events: each has ``event_id``, ``guild_id``, ``channel_ids``."""
        return iter(list(self._source.events()))

    def get(self, event_id: int) -> Event | None:
        """Return an active event, None if it is not active."""
        return next((it for it in self._source.events() if it.event_id == event_id), None)

    def counted(self, event: Event) -> int:
        """Return how many of those in an event's channels have time that counts, by the event's own rules.

        Whether somebody is alone there is not asked: one who waits for others has not left.
        """
        state = self._source.guild(event.guild_id)
        if state is None:
            return 0
        return sum(
            it.channel_id in event.channel_ids
            and it.user_id not in state.bots
            and it.user_id != state.own_user_id
            and reason_of(event, it.channel_id, it.flags, it.roles) is Reason.COUNTED
            for it in state.sessions.values()
        )
