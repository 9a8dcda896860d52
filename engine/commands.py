"""How HTTP asks for a change: by the journal, like everything, and answered once the outcome is committed."""

from typing import Protocol, TypeAlias

from engine.domain.event_effects import Answer
from engine.domain.event_inputs import EventInput
from engine.domain.inputs import MemberForgotten
from engine.domain.retrial_inputs import RetrialInput
from engine.domain.tracker_inputs import PlayerReported, SubjectOverridden

Request: TypeAlias = EventInput | MemberForgotten | PlayerReported | SubjectOverridden | RetrialInput


class NotCommitted(Exception):  # noqa: N818 - a state that passes, not an error
    """No outcome was committed in time. It may still take effect: the text says so in one line."""


class Commands(Protocol):
    """The engine's own writer of the journal. Any thread may call."""

    def now(self) -> int:
        """Return the moment to stamp a request with."""
        ...

    def new_id(self) -> int:
        """Return an id for something that is made now: a snowflake, above all that were returned before."""
        ...

    def carry_out(self, request: Request) -> Answer:
        """Append a request and wait for its outcome. Its ``request_id`` must be new, such as ``new_id``'s.

        Raises ``NotCommitted``.
        """
        ...
