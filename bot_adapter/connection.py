"""One shard's gateway connection as the journal tells it: its name, and until when nothing was missed."""

from engine.domain.inputs import ShardBeat

# Who reads nothing for so long, stopped or without a processor, finds old frames waiting: nobody knows when
# they were sent. What is shorter passes for now.
STALL_MS = 1_000


class Connection:
    """Follows one shard through READY, loss and RESUMED, and its reader's stalls. Moments in ms UTC; no I/O.

    ``name`` names one gateway session, from its READY on through all its RESUMEs. It is unique over all lives
    of the ingest if ``source`` is.
    """

    def __init__(self, source: str, shard_id: int) -> None:
        self.shard_id = shard_id
        self.name = ""
        self.connected = False
        self._prefix = f"{source}/{shard_id}"
        self._sessions = 0
        self._lost_at = 0
        self._replaying = False
        self._awake_at: int | None = None
        self._stalled_from: int | None = None

    @property
    def replayed_from(self) -> int | None:
        """The moment of the loss while a RESUME replays what was missed, or of a stall; else None."""
        return self._lost_at if self._replaying else self._stalled_from

    def begin(self) -> None:
        """READY: a new gateway session, on which everything before is unknown."""
        self._sessions += 1
        self.name = f"{self._prefix}/{self._sessions}"
        self.connected = True
        self._replaying = False
        self._stalled_from = None

    def replay(self) -> None:
        """RESUME was sent: what comes now happened since the loss."""
        self._replaying = True

    def resume(self) -> None:
        """RESUMED: the replay is complete."""
        self.connected = True
        self._replaying = False
        self._stalled_from = None

    def lose(self, at: int) -> bool:
        """Note that nothing was missed up to ``at``, and then perhaps something; False if already lost.

        A replay cut short does not move the moment: what is still to come of it happened since the first.
        """
        self._replaying = False
        if not self.connected:
            return False
        self.connected = False
        self._lost_at = at if self._stalled_from is None else self._stalled_from
        return True

    def doubt(self, since: int) -> None:
        """Note that what was read after ``since`` may be gone again: only a new session can tell."""
        known = self._stalled_from if self.connected else self._lost_at
        self._lost_at = since if known is None else min(since, known)
        self.connected = self._replaying = False

    def awake(self, at: int) -> bool:
        """Note that the reader is at work; True while what it reads may have waited for it since a stall."""
        if self._awake_at is not None and at - self._awake_at >= STALL_MS and self._stalled_from is None:
            self._stalled_from = self._awake_at if self.connected else None
        self._awake_at = at
        return self._stalled_from is not None

    def catch_up(self) -> None:
        """Note that what comes now was sent after the stall."""
        self._stalled_from = None

    def beat(self, at: int) -> ShardBeat | None:
        """Return the state for a heartbeat at ``at``; None as long as there was no READY."""
        if not self.name:
            return None
        alive_at = self._lost_at
        if self.connected:
            alive_at = at if self._stalled_from is None else self._stalled_from
        return ShardBeat(self.shard_id, self.name, self.connected, alive_at)
