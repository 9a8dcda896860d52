"""One shard's gateway connection as the journal tells it: its name, and until when nothing was missed."""

from engine.domain.inputs import ShardBeat


class Connection:
    """Follows one shard through READY, loss and RESUMED. All moments are ms UTC; no I/O.

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

    @property
    def replayed_from(self) -> int | None:
        """The moment of the loss while a RESUME replays what was missed, else None."""
        return self._lost_at if self._replaying else None

    def begin(self) -> None:
        """READY: a new gateway session, on which everything before is unknown."""
        self._sessions += 1
        self.name = f"{self._prefix}/{self._sessions}"
        self.connected = True
        self._replaying = False

    def replay(self) -> None:
        """RESUME was sent: what comes now happened since the loss."""
        self._replaying = True

    def resume(self) -> None:
        """RESUMED: the replay is complete."""
        self.connected = True
        self._replaying = False

    def lose(self, at: int) -> bool:
        """Note that nothing was missed up to ``at``, and then perhaps something; False if already lost.

        A replay cut short does not move the moment: what is still to come of it happened since the first.
        """
        self._replaying = False
        if not self.connected:
            return False
        self.connected = False
        self._lost_at = at
        return True

    def beat(self, at: int) -> ShardBeat | None:
        """Return the state for a heartbeat at ``at``; None as long as there was no READY."""
        if not self.name:
            return None
        return ShardBeat(self.shard_id, self.name, self.connected, at if self.connected else self._lost_at)
