"""What a tracker last committed of each subject: its own word until the engine has it, then the engine's."""

from collections.abc import Iterable
from typing import NamedTuple

from engine.domain.events import Event
from engine.domain.tracking import Mark, SubjectKind
from engine.trackers.scope import Marks
from engine.trackers.source import Source

Key = tuple[SubjectKind, int]
# From how many marks on one look at all players is cheaper than one at each guild.
LOOK_AT_ALL = 1_000
# How many own words are kept before those are looked for that the engine has by now.
PRUNE_AT = 1_000


class _Own(NamedTuple):
    """What was committed of the subject that was there since ``born_at``; None: active."""

    born_at: int
    mark: Mark | None


class Entries:
    """For one tracker. What is of a subject that has ended is never told of the next under the same id."""

    def __init__(self, label: str, source: Source) -> None:
        self._label, self._source = label, source
        self._own: dict[Key, _Own] = {}
        self._prune_at = PRUNE_AT

    def player(self, guild_id: int) -> Mark | None:
        """Return what was last committed of a guild's player, None if it is active or not there."""
        state = self._source.guild(guild_id)
        player = None if state is None else state.player
        born_at = None if player is None else player.since
        return self._told((SubjectKind.PLAYER, guild_id), guild_id, born_at)

    def event(self, wanted: Event | int) -> Mark | None:
        """Return what was last committed of an event, None if it is active or not held."""
        if isinstance(wanted, Event):
            return self._told((SubjectKind.EVENT, wanted.event_id), wanted.guild_id, wanted.started_at or 0)
        event = next((it for it in self._source.events() if it.event_id == wanted), None)
        if event is not None:
            return self.event(event)
        self._own.pop((SubjectKind.EVENT, wanted), None)
        return None

    def _told(self, key: Key, guild_id: int, born_at: int | None) -> Mark | None:
        own = self._own.get(key)
        if own is not None and own.born_at == born_at:
            return own.mark
        self._own.pop(key, None)
        return None if born_at is None else self._source.mark(*_of(key, guild_id), self._label)

    def remember(self, marks: Marks, events: dict[int, tuple[int, int]], at: int) -> None:
        """Keep what was just committed; ``events``: their guild and since when they are held, by id."""
        players = self._born([it for kind, it in marks if kind is SubjectKind.PLAYER])
        for key, said in marks.items():
            kind, subject_id = key
            guild_id, born_at = events.get(subject_id, (0, None))
            if kind is SubjectKind.PLAYER:
                guild_id, born_at = subject_id, players.get(subject_id)
            if born_at is None:
                self._own.pop(key, None)
                continue
            held = self._told(key, guild_id, born_at)
            since = at if held is None else held.since
            self._own[key] = _Own(born_at, Mark(since, said.timeout_ms) if said.inactive else None)
        if len(self._own) >= self._prune_at:
            self._prune()

    def _born(self, guild_ids: list[int]) -> dict[int, int]:
        """Return since when the players of these guilds are there, of those that have one."""
        if len(guild_ids) > LOOK_AT_ALL:
            states = self._source.players()
        else:
            states = filter(None, map(self._source.guild, guild_ids))
        return {it.guild_id: it.player.since for it in states if it.player is not None}

    def _prune(self) -> None:
        """Forget own words that the engine has, and those of subjects that are gone."""
        events = held_events(self._source, self._own)
        for key, own in list(self._own.items()):
            kind, subject_id = key
            guild_id, born_at = events.get(subject_id, (0, None))
            if kind is SubjectKind.PLAYER:
                guild_id, born_at = subject_id, self._born([subject_id]).get(subject_id)
            if born_at != own.born_at or self._source.mark(*_of(key, guild_id), self._label) == own.mark:
                del self._own[key]
        self._prune_at = max(PRUNE_AT, 2 * len(self._own))


def _of(key: Key, guild_id: int) -> tuple[SubjectKind, int, int]:
    kind, subject_id = key
    return kind, guild_id, subject_id


def held_events(source: Source, wanted: Iterable[Key]) -> dict[int, tuple[int, int]]:
    """Return the guild of each of these events that is held now, and since when; at one look."""
    ids = {subject_id for kind, subject_id in wanted if kind is SubjectKind.EVENT}
    if not ids:
        return {}
    held = (it for it in source.events() if it.event_id in ids)
    return {it.event_id: (it.guild_id, it.started_at or 0) for it in held}
