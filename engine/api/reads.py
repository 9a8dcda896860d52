"""What the API asks of the ledger; ``storage.queries.SqlReads`` fulfils it."""

from typing import Protocol

from engine.domain.tracking import SubjectKind
from engine.storage.queries import EventFilter, LetterFilter, Page, Row, SessionFilter


class Reads(Protocol):
    """Any thread may call; nothing stays open. Raises ``StorageError`` where the ledger cannot be read."""

    def sessions(self, wanted: SessionFilter, *, limit: int, cursor: str | None, spans: bool) -> Page:
        """Return a page of sessions, the latest join first. Raises ``InvalidCursor``."""
        ...

    def session(self, session_id: str) -> Row | None:
        """Return one session with its spans, or None."""
        ...

    def guilds(self) -> list[Row]:
        """Return the guilds that the bot is in: ``guildId``, ``name``."""
        ...

    def is_guild(self, guild_id: int) -> bool:
        """Say whether the bot is in a guild."""
        ...

    def channels(self, guild_id: int) -> list[Row]:
        """Return a guild's voice and stage channels: ``channelId``, ``guildId``, ``name``, ``kind``."""
        ...

    def player(self, guild_id: int) -> Row | None:
        """Return a guild's player with what trackers say of it, or None.

        ``guildId channelId since state(idle|playing|paused) pausedByUs
        activity(active|suspected|inactive|expiring|expired) deadline override``
        """
        ...

    def override(self, kind: SubjectKind, subject_id: int) -> Row | None:
        """Return the run-time override of a player (by its guild) or an event: ``timeoutS trackers exempt``.

        None: there is none.
        """
        ...

    def event(self, event_id: int) -> Row | None:
        """Return one event, or None."""
        ...

    def events(self, wanted: EventFilter, *, limit: int, cursor: str | None) -> Page:
        """Return a page of events, the latest made first. Raises ``InvalidCursor``."""
        ...

    def active_events(self, guild_id: int, channel_id: int | None = None) -> list[Row]:
        """Return a guild's active events, or those in one of its channels, in order of their ids."""
        ...

    def participants(
        self, event_id: int, *, limit: int, cursor: str | None, intervals: bool, eligible: bool | None
    ) -> Page | None:
        """Return a page of an event's participants by their ids, or None. Raises ``InvalidCursor``.

        As ``event_views.participant_json`` has them, with ``userName``, ``joinTime`` and ``leaveTime`` (null:
        still there) and, where asked for, ``intervals``: ``joinTime leaveTime duration channelId counted``.
        """
        ...

    def badges(self, event_id: int, *, limit: int, cursor: str | None) -> Page | None:
        """Return a page of an event's badges by their users' ids, or None. Raises ``InvalidCursor``.

        ``userId userName awardedAt distributor status(recorded|pending|delivered|failed) detail``
        """
        ...

    def dead_letters(self, wanted: LetterFilter, *, limit: int, cursor: str | None) -> Page:
        """Return a page of dead letters, the last one kept first. Raises ``InvalidCursor``.

        ``journalId partition actor guildId kind entryAt at reason bytes retriedAt``
        """
        ...

    def retriable(self, wanted: LetterFilter) -> dict[tuple[int, str], list[str]]:
        """Return the journal ids of the letters that may be taken again, by guild and actor."""
        ...

    def unreadable(self, wanted: LetterFilter) -> int:
        """Count the letters that no actor can be told of."""
        ...

    def quarantines(self) -> dict[str, int]:
        """Return the guild of each actor that is quarantined."""
        ...

    def event_stats(self, event_id: int) -> Row | None:
        """Return how an event went, or goes by now; None: no such event.

        ``eventId startedAt endedAt length participants eligible countedSeconds presentSeconds
        reasons{deafened,...: seconds} peakConcurrency peakAt averageConcurrency
        badges{awarded recorded delivered failed pending}``
        """
        ...

    def user_stats(self, user_id: int, guild_id: int | None = None) -> Row:
        """Return what a user attended and how long they were in voice channels, in one guild or in all.

        ``userId guildId eventsAttended eventsEligible badges countedSeconds voiceSessions voiceSeconds``
        """
        ...

    def guild_stats(self, guild_id: int) -> Row | None:
        """Return how much there was in a guild, or None.

        ``guildId name members voiceSessions voiceSeconds events{scheduled active ended cancelled}
        participants countedSeconds``
        """
        ...

    def channel_stats(self, channel_id: int) -> Row | None:
        """Return how much there was in a channel and the events held in it, or None: as ``guild_stats``."""
        ...
