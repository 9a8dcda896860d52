"""What changes events: asked of the engine, and answered with what it committed."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from pydantic import MISSING

from engine.api.errors import InvalidField, Refused
from engine.api.event_requests import fields_of
from engine.api.event_schemas import EventDraft, EventTerms
from engine.api.reads import Reads
from engine.commands import Commands, NotCommitted, Request
from engine.domain.event_effects import Answer
from engine.domain.event_inputs import (
    CancelEvent,
    ChangeEvent,
    CreateEvent,
    RescoreEvent,
    StartEvent,
    StopEvent,
)
from engine.domain.inputs import MemberForgotten
from engine.domain.retrial_inputs import LettersRetried, QuarantineLifted
from engine.domain.tracker_inputs import PlayerReported, SubjectOverridden
from engine.domain.tracking import Override, PlayerState, SubjectKind
from engine.domain.views import seconds
from engine.storage.queries import Row

# Requests of one app that wait for their outcome at once. Each holds one of the 40 threads in which readers
# of both listeners are answered too, and waits for seconds where the engine cannot commit.
WAITING_MAX = 16
KEYS_KEPT = 1_000

Action: TypeAlias = type[StartEvent | StopEvent | CancelEvent | RescoreEvent]


class EventWrites:
    """Any thread may call. Each method about an event returns the event as committed.

    All raise ``Refused`` where it cannot be, ``NotCommitted`` where the engine gives no answer in time, and
    ``StorageError``. Without ``commands`` nothing can be changed.
    """

    def __init__(self, commands: Commands | None, reads: Reads) -> None:
        self._commands, self._reads = commands, reads
        self._waiting = threading.BoundedSemaphore(WAITING_MAX)
        self._keys = Keys(KEYS_KEPT)

    def create(self, draft: EventDraft, key: str | None) -> Row:
        """Make an event. Of a guild's requests with the same ``key`` only one makes any."""
        desk, guild_id = self._desk(), int(draft.guild_id)
        if key is None:
            return self._make(draft, guild_id, desk.new_id())
        event_id = self._keys.event_id(guild_id, key, desk.new_id)
        return self._reads.event(event_id) or self._make(draft, guild_id, event_id)

    def change(self, event_id: int, terms: EventTerms) -> Row:
        """Change an event, with the ``difference`` that makes to its result if it has one."""
        desk, event = self._desk(), self._event(event_id)
        guild_id = int(event["guildId"])
        if terms.voice_channel_ids is not MISSING:
            self._check_channels(guild_id, set(terms.voice_channel_ids) - set(event["voiceChannelIds"]))
        answer = self._carry_out(
            ChangeEvent(desk.now(), guild_id, event_id, fields_of(terms), str(desk.new_id()))
        )
        return self._event(event_id) | _difference(answer)

    def act(self, action: Action, event_id: int) -> Row:
        """Start, stop, cancel or score an event again; of a new score with the ``difference``."""
        desk, event = self._desk(), self._event(event_id)
        answer = self._carry_out(action(desk.now(), int(event["guildId"]), event_id, str(desk.new_id())))
        return self._event(event_id) | _difference(answer)

    def forget(self, user_id: int) -> dict[str, int]:
        """Forget a person; return how many rows of each kind were removed or changed for it."""
        desk = self._desk()
        return self._carry_out(MemberForgotten(desk.now(), user_id, str(desk.new_id()))).detail

    def report(self, guild_id: int, state: PlayerState) -> None:
        """Take what whoever plays tells of a guild's player."""
        desk = self._desk()
        self._check_players_guild(guild_id)
        self._carry_out(PlayerReported(desk.now(), guild_id, state.value, str(desk.new_id())))

    def retry(self, guild_id: int, actor: str, journal_ids: list[str]) -> dict[str, int]:
        """Take dead letters of one actor again; return how many were ``retried`` and ``refused``."""
        desk = self._desk()
        request = LettersRetried(desk.now(), guild_id, actor, tuple(journal_ids), str(desk.new_id()))
        return self._carry_out(request).detail

    def lift(self, guild_id: int, actor: str) -> dict[str, int]:
        """Let an actor out of quarantine; return how many of its letters were ``retried`` and ``refused``."""
        desk = self._desk()
        return self._carry_out(QuarantineLifted(desk.now(), guild_id, actor, str(desk.new_id()))).detail

    def override(self, kind: SubjectKind, subject_id: int, wanted: Override | None) -> None:
        """Let something be different for a player (by its guild) or an active event; None: nothing more."""
        desk, it = self._desk(), wanted or Override()
        if kind is SubjectKind.PLAYER:
            self._check_players_guild(subject_id)
        guild_id = int(self._event(subject_id)["guildId"]) if kind is SubjectKind.EVENT else subject_id
        terms = (it.timeout_ms, it.trackers, it.exempt)
        request = SubjectOverridden(
            desk.now(), guild_id, kind, subject_id, *terms, str(desk.new_id()), kept=wanted is not None
        )
        self._carry_out(request)

    def _make(self, draft: EventDraft, guild_id: int, event_id: int) -> Row:
        if not self._reads.is_guild(guild_id):
            raise InvalidField("guildId", _no_guild(guild_id))
        self._check_channels(guild_id, draft.voice_channel_ids)
        desk, fields = self._desk(), fields_of(draft)
        request = CreateEvent(desk.now(), guild_id, event_id, fields, draft.source, str(desk.new_id()))
        try:
            self._carry_out(request)
        except Refused as no:
            if no.status != 409:  # the event is there: another request of the same key was quicker
                raise
        return self._event(event_id)

    def _desk(self) -> Commands:
        if self._commands is None:
            raise NotCommitted("nothing can be changed here: no engine takes requests")
        return self._commands

    def _event(self, event_id: int) -> Row:
        event = self._reads.event(event_id)
        if event is None:
            raise no_event(event_id)
        return event

    def _check_players_guild(self, guild_id: int) -> None:
        """Refuse a guild that nobody knows before it gets an actor: the path names it, so it is not found."""
        if not self._reads.is_guild(guild_id):
            raise Refused(404, _no_guild(guild_id), "guildId")

    def _check_channels(self, guild_id: int, channel_ids: Iterable[str]) -> None:
        known = {int(it["channelId"]) for it in self._reads.channels(guild_id)}
        for channel_id in channel_ids:
            if int(channel_id) not in known:
                told = f"the guild has no voice or stage channel of the id {channel_id}"
                raise InvalidField("voiceChannelIds", told)

    def _carry_out(self, request: Request) -> Answer:
        if not self._waiting.acquire(blocking=False):
            raise NotCommitted(f"{WAITING_MAX} requests wait for the engine already: try again")
        try:
            answer = self._desk().carry_out(request)
        finally:
            self._waiting.release()
        if answer.code != "ok":
            raise _refused(answer)
        return answer


class Keys:
    """The ids that events were to get, by the key of the request: of the last ``size`` requests with one."""

    def __init__(self, size: int) -> None:
        self._size, self._lock = size, threading.Lock()
        self._ids: OrderedDict[tuple[int, str], int] = OrderedDict()

    def event_id(self, guild_id: int, key: str, new_id: Callable[[], int]) -> int:
        """Return the id of the event that this key stands for, a new one the first time."""
        with self._lock:
            event_id = self._ids.pop((guild_id, key), None)
            self._ids[guild_id, key] = new_id() if event_id is None else event_id
            if len(self._ids) > self._size:
                self._ids.popitem(last=False)
            return self._ids[guild_id, key]


def no_event(event_id: object) -> Refused:
    """Return what says that there is no such event."""
    return Refused(404, f"no event has the id {event_id}", "eventId")


def _no_guild(guild_id: int) -> str:
    return f"the bot is in no guild of the id {guild_id}"


def _refused(answer: Answer) -> Refused:
    if answer.code == "not_found":
        return Refused(404, answer.message, answer.field or "eventId")
    if answer.code == "conflict":
        return Refused(409, answer.message, answer.field or "status")
    return (
        Refused(422, answer.message) if answer.field is None else InvalidField(answer.field, answer.message)
    )


def _difference(answer: Answer) -> dict[str, Any]:
    if not answer.detail:
        return {}
    it = answer.detail
    told = {
        "participants": it["participants"],
        "changed": it["changed"],
        "gained": seconds(it["gained_ms"]),
        "lost": seconds(it["lost_ms"]),
        "newlyEligible": it["newly_eligible"],
        "noLongerEligible": it["no_longer_eligible"],
    }
    return {"difference": told}
