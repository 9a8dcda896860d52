"""One voice session: a member's unbroken presence in one channel (seed 001)."""

from msgspec import Struct


class Session(Struct, frozen=True, gc=False):
    """An open session, or the last state of a closed one.

    ``joined_slack_ms``: the true join lies in ``[joined_at - slack, joined_at]``. ``flags`` (``VoiceFlags``)
    and ``roles`` (role ids in order) hold since ``span_at``. ``chain_at`` and ``previous_at`` are the
    ``joined_at`` of the chain's first and of the previous session: with guild and user they name a session.
    """

    user_id: int
    channel_id: int
    joined_at: int
    flags: int
    span_at: int
    chain_at: int
    previous_at: int | None = None
    joined_slack_ms: int = 0
    via_channel_creation: bool = False
    bridged: bool = False
    gateway_session_id: str | None = None
    roles: tuple[int, ...] = ()


class Window(Struct, frozen=True, gc=False):
    """When something happened: in ``[earliest, at]``; both are the same moment where it was seen."""

    at: int
    earliest: int


def seen(at: int, replayed_from: int | None = None) -> Window:
    """Return the window of an input: a moment, unless a RESUME replayed it."""
    return Window(at, at if replayed_from is None else min(at, replayed_from))
