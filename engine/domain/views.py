"""How facts read outside: what a session is called, how long it was, how sure we are of it."""

from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

from engine.domain.effects import Status
from engine.domain.inputs import VoiceFlags

Confidence: TypeAlias = Literal["observed", "bridged", "inferred"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

STATUS_NAMES = {status: status.name.lower() for status in Status}

# The flags of a span, as the contract names them.
FLAG_NAMES = {
    "selfDeaf": VoiceFlags.SELF_DEAF,
    "deaf": VoiceFlags.DEAF,
    "selfMute": VoiceFlags.SELF_MUTE,
    "mute": VoiceFlags.MUTE,
    "suppress": VoiceFlags.SUPPRESS,
    "bridged": VoiceFlags.BRIDGED,
}


def iso(at: int) -> str:
    """Write a moment (ms UTC) as ISO 8601 with ms and ``Z``."""
    moment = EPOCH + timedelta(milliseconds=at)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def seconds(duration_ms: int) -> float:
    """Write a duration in seconds; a float holds every ms of it exactly enough to print."""
    return duration_ms / 1000


def duration_ms(joined_at: int, left_at: int | None, now: int) -> int:
    """Return how long a session was, or has been up to ``now``; never negative.

    ``now`` is the partition's time. A session may be dated after it: a join counts from when it was surely
    over, and a user's sessions never overlap.
    """
    return max(0, (now if left_at is None else left_at) - joined_at)


def confidence(*, joined_slack_ms: int, left_slack_ms: int, bridged: bool) -> Confidence:
    """Return how sure a session is: a boundary guessed, a gap bridged inside it, or all of it seen."""
    if joined_slack_ms or left_slack_ms:
        return "inferred"
    return "bridged" if bridged else "observed"


def flag_names(flags: int) -> dict[str, bool]:
    """Spell out a span's flags."""
    return {name: bool(flags & flag) for name, flag in FLAG_NAMES.items()}
