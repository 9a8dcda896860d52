"""The thresholds the rules are given, from ``[sessions]`` and ``[discord]`` of the configuration."""

from msgspec import Struct


class Rules(Struct, frozen=True):
    """``log_channel_id``: where a line about each gap is posted, if anywhere."""

    min_session_ms: int = 1_000
    track_bots: bool = False
    channel_creation_ms: int = 10_000
    log_channel_id: int | None = None


# How far back a guild remembers who left and what was created (ms). A later entry takes effect at the edge of
# memory, so that no session can overlap one that was forgotten.
MEMORY_MS = 600_000
# Of a channel's creation (ms): an entry at the edge of memory looks back from there.
CREATION_MEMORY_MS = 2 * MEMORY_MS
