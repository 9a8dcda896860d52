"""The bot's own players: where it is in voice, and what it does there."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.domain.guild import GuildState
from engine.domain.tracker_inputs import PlayerReported
from engine.domain.tracking import PlayerState
from engine.trackers.changes import Changes, Sight
from engine.trackers.source import Journal, Source


@dataclass(frozen=True, slots=True)
class Player:
    """The bot in a guild's voice. ``since``: when it came (ms UTC). ``paused_by_us``: by Rollcall."""

    guild_id: int
    channel_id: int
    state: PlayerState
    paused_by_us: bool
    since: int


class PlayerRegistry:
    """All players as they are now. Any thread may ask."""

    def __init__(self, source: Source, journal: Journal, now: Callable[[], int]) -> None:
        self._source, self._journal, self._now = source, journal, now

    def __iter__(self) -> Iterator[Player]:
        """Go through the players that are there at this moment."""
        return iter([player for it in self._source.players() if (player := _player(it)) is not None])

    def get(self, guild_id: int) -> Player | None:
        """Return a guild's player; None: the bot is in no voice channel there."""
        state = self._source.guild(guild_id)
        return None if state is None else _player(state)

    def changes(self) -> Changes:
        """Return an endless async iterator of the guilds whose player comes, goes, moves or changes.

        It begins with those that are there. Call it in ``run``. See ``VoiceView.changes``.
        """
        return Changes(self._source, _sight, lambda: [it.guild_id for it in self._source.players()])

    def report(self, guild_id: int, state: PlayerState) -> None:
        """Tell what a guild's player does now, for whoever plays. Raises ``StorageError`` if all is full."""
        self._journal.append(PlayerReported(self._now(), guild_id, int(PlayerState(state))))


def _player(state: GuildState) -> Player | None:
    it = state.player
    return None if it is None else Player(state.guild_id, it.channel_id, it.state, it.paused_by_us, it.since)


def _sight(state: GuildState) -> Sight:
    marks = () if state.subject is None else tuple(state.subject.marks)
    return None if state.player is None else (state.player, marks)
