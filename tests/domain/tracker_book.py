"""The ledger's part for trackers in plain dicts: players, other bots, subjects, and what was told."""

from collections import defaultdict

from msgspec.structs import replace

from engine.domain.effects import Effect
from engine.domain.event_effects import Answer
from engine.domain.guild import GuildState
from engine.domain.tracker_effects import (
    DisconnectPlayer,
    DropSubject,
    NotifyExpiry,
    SavePlayer,
    SavePresence,
    SaveSubject,
    TellListeners,
    WakeAt,
)
from engine.domain.tracking import Player, Presence, Subject, SubjectKind

Key = tuple[SubjectKind, int]


class TrackerBook:
    """``told``: every transition, by subject, in order. ``wakes``: each guild's alarm, as last set.

    ``saves`` counts how often a subject was written.
    """

    def __init__(self) -> None:
        self.players: dict[int, Player] = {}
        self.bots: dict[int, dict[int, Presence]] = defaultdict(dict)
        self.subjects: dict[Key, Subject] = {}
        self.told: dict[Key, list[TellListeners]] = defaultdict(list)
        self.disconnects: dict[str, DisconnectPlayer] = {}
        self.notices: dict[str, NotifyExpiry] = {}
        self.wakes: dict[int, int | None] = {}
        self.answers: dict[str, Answer] = {}
        self.saves = 0

    def take(self, effect: Effect) -> None:
        """Fold one effect in."""
        match effect:
            case SavePlayer(guild_id=guild_id, player=None):
                del self.players[guild_id]
            case SavePlayer(guild_id=guild_id, player=player):
                assert self.players.get(guild_id) != player, "a player was saved for nothing"
                self.players[guild_id] = player
            case SavePresence(guild_id=guild_id, user_id=user_id, presence=None):
                del self.bots[guild_id][user_id]
            case SavePresence(guild_id=guild_id, user_id=user_id, presence=presence):
                assert self.bots[guild_id].get(user_id) != presence, "a bot was saved for nothing"
                self.bots[guild_id][user_id] = presence
            case _:
                self._take_subject(effect)

    def _take_subject(self, effect: Effect) -> None:
        match effect:
            case SaveSubject(subject=subject):
                key = subject.kind, subject.subject_id
                assert self.subjects.get(key) != subject, "a subject was saved for nothing"
                self.subjects[key] = subject
                self.saves += 1
            case DropSubject(kind=kind, subject_id=subject_id):
                del self.subjects[kind, subject_id]
            case TellListeners(kind=kind, subject_id=subject_id):
                self.told[kind, subject_id].append(effect)
            case DisconnectPlayer():
                # Twice in one millisecond, where a timeout is none: the outbox takes it once.
                known = self.disconnects.setdefault(effect.outbox_id, effect)
                assert known == effect, "two disconnections share an id"
            case NotifyExpiry():
                known_notice = self.notices.setdefault(effect.outbox_id, effect)
                assert known_notice == effect, "two notices share an id"
            case WakeAt(guild_id=guild_id, at=at):
                assert self.wakes.get(guild_id) != at, "an alarm was set for nothing"
                self.wakes[guild_id] = at
            case Answer():
                assert effect.request_id not in self.answers, "a request was answered twice"
                self.answers[effect.request_id] = effect
            case _:
                raise AssertionError(effect)

    def known(self, state: GuildState) -> GuildState:
        """Return a guild's state with its player, other bots and subject."""
        guild_id = state.guild_id
        subject = self.subjects.get((SubjectKind.PLAYER, guild_id))
        bots = dict(self.bots.get(guild_id, {}))
        return replace(state, player=self.players.get(guild_id), bots=bots, subject=subject)

    def guilds(self) -> list[int]:
        """Return the guilds of whose players trackers say something."""
        return sorted(subject_id for kind, subject_id in self.subjects if kind is SubjectKind.PLAYER)

    def outcome(self) -> dict[str, object]:
        """Return what it all comes to, whatever became of the batches."""
        return {
            "players": self.players,
            "bots": {guild_id: it for guild_id, it in self.bots.items() if it},
            "subjects": self.subjects,
            "told": {key: it for key, it in self.told.items() if it},
            "disconnects": self.disconnects,
            "notices": self.notices,
            "wakes": {guild_id: at for guild_id, at in self.wakes.items() if at is not None},
            "tracker_answers": self.answers,
        }
