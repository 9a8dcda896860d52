"""The actor of one event: it serializes what is asked of it, and the attendance of its participants."""

from typing import Any

from engine.actors.guild import describe_subject
from engine.actors.pool import Dispatcher, PooledActor
from engine.actors.rounds import Describe, Take
from engine.domain.event_step import EventState, Plan, carry_out, loaded, plan
from engine.domain.event_views import event_json, followed_json
from engine.domain.participation import followed
from engine.domain.rules import Rules
from engine.domain.tracking import SubjectKind
from engine.storage.protocols import Ledger, StorageError


class EventActor(PooledActor):
    """Owns the state of one event, as ``GuildActor`` that of a guild; its guild's effects are its facts.

    It is given a share only when all before is in the ledger, wherever it may have to read from there.
    """

    def __init__(
        self, dispatcher: Dispatcher, event_id: int, guild_id: int, ledger: Ledger, rules: Rules
    ) -> None:
        super().__init__(dispatcher)
        self._event_id, self._guild_id = event_id, guild_id
        self._ledger, self._rules = ledger, rules
        self._state: EventState | None = None

    def on_receive(self, message: Take | Describe) -> object:
        """Take a share (tell) or describe the state (ask)."""
        if type(message) is not Take:
            return describe(self._known(), self._rules)
        self._take(message)
        return None

    def _take(self, message: Take) -> None:
        share = [(what, now) for what, now, _ in message.share]
        try:
            state = self._known()
            planned = plan(state, share, self._rules)
            state, effects = carry_out(state, planned, self._read(planned), share, self._rules)
        except StorageError as error:
            message.round.not_known(self._event_id, error)
            return
        except BaseException as error:
            message.round.fail(self._event_id, f"{type(error).__name__}: {error}")
            raise
        # Nobody tells an event that there is not what becomes of its guild: it is looked up again.
        self._state = None if state.event is None else state
        message.round.done(self._event_id, effects)

    def _read(self, planned: Plan) -> tuple[list[Any], list[Any]] | None:
        if not planned.read or planned.event is None:
            return None
        found = self._ledger.load_attendance(planned.event)
        return found.stays, found.participants

    def _known(self) -> EventState:
        if self._state is None:
            event = self._ledger.load_event(self._event_id)
            standing = self._ledger.standing(self._guild_id)
            found = None if event is None else self._ledger.load_attendance(event)
            stays, rows = ([], []) if found is None else (found.stays, found.participants)
            subject = self._ledger.load_subject(SubjectKind.EVENT, self._event_id)
            self._state = loaded(event, standing, stays, rows, subject)
        return self._state


def describe(state: EventState, rules: Rules) -> dict[str, Any]:
    """Return an event's whole state as plain values."""
    if state.event is None:
        return {}
    event = state.event
    return {
        **event_json(event),
        "participants": [followed_json(followed(event, it)) for it in state.attendees.values()],
        "present": sum(it.stay is not None for it in state.attendees.values()),
        "subject": state.subject and describe_subject(state.subject, rules),
    }
