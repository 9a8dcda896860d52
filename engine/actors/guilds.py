"""A partition's guild actors: found or started by guild, fed, restarted, parked."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from engine.actors.guild import Describe, GuildActor, Round, Share, Take
from engine.actors.pool import Dispatcher, Inbox
from engine.actors.supervisor import ChildFailed
from engine.domain.effects import Effect
from engine.domain.guild import GuildState
from engine.domain.rules import Rules
from engine.storage.protocols import StorageBusy

if TYPE_CHECKING:
    import pykka

ROUND_TIMEOUT_S = 60.0  # no step takes long: an actor silent for this long is stuck
ASK_TIMEOUT_S = 5.0
TRIES_ALONE = 3
BUSY_S = 0.1  # between two tries to load from a ledger that is busy


class StuckError(Exception):
    """A guild's actor does not answer; only a fresh process gets rid of it."""


class Refused(NamedTuple):
    """A record that could not take effect, and why."""

    guild_id: int
    record: Any
    reason: str


class Outcome(NamedTuple):
    """What a batch came to."""

    effects: list[Effect]
    refused: list[Refused]


class Backing(NamedTuple):
    """What a partition does for its guilds.

    ``load`` reads a guild's state from the ledger, ``drain`` returns when all that the committer was told is
    in it, ``pause`` waits so many seconds and returns whether the daemon is stopping.
    """

    load: Callable[[int], GuildState]
    drain: Callable[[], None]
    pause: Callable[[float], bool]


class _Child:
    __slots__ = ("ref", "used_at")

    def __init__(self, ref: "pykka.ActorRef[GuildActor]", used_at: int) -> None:
        self.ref = ref
        self.used_at = used_at


class Guilds:
    """Belongs to the partition's thread. A guild may be loaded only where all it did before is committed."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        supervisor: "pykka.ActorRef[Any]",
        backing: Backing,
        rules: Rules,
    ) -> None:
        self._dispatcher, self._supervisor = dispatcher, supervisor
        self._backing, self._rules = backing, rules
        self._children: dict[int, _Child] = {}
        self._quarantined: dict[int, str] = {}
        self._recovered = (
            False  # in the batch before: an actor may be missing whose effects are not committed
        )

    def __len__(self) -> int:
        return len(self._children)

    def rows(self) -> list[tuple[int, int, int]]:
        """Return ``(guild_id, used_at, messages waiting)`` by actor; may be called from any thread."""
        return [
            (guild_id, child.used_at, len(cast("Inbox", child.ref.actor_inbox)))
            for guild_id, child in self._children.copy().items()
        ]

    def describe(self, guild_id: int) -> dict[str, Any] | None:
        """Return a guild's whole state, None if it has no actor now; may be called from any thread."""
        child = self._children.get(guild_id)
        if child is None:
            return None
        return cast("dict[str, Any]", child.ref.ask(Describe(), timeout=ASK_TIMEOUT_S))

    def take(self, shares: dict[int, list[Any]], now: int) -> Outcome:
        """Let every guild take its share of a batch, and recover those that fail.

        Raises ``StorageError`` where the ledger cannot tell a guild's state, ``StorageBusy`` only when the
        daemon stops. The batch must then not be committed, nor another be taken.
        """
        outcome = Outcome([], [])
        if self._recovered:
            self._backing.drain()
            self._recovered = False
        if self._quarantined:
            shares = self._withhold(shares, outcome)
        if not shares:
            return outcome
        failed = self._feed(shares, now, outcome)
        for guild_id, reason in failed.items():
            self._recover(guild_id, shares[guild_id], now, reason, outcome)
        return outcome

    def park(self, now: int, idle_ms: int) -> int:
        """Stop the actors without work for ``idle_ms``; call it only when all is committed."""
        idle = [guild_id for guild_id, child in self._children.items() if child.used_at < now - idle_ms]
        for guild_id in idle:
            self._children.pop(guild_id).ref.stop(block=False)
        return len(idle)

    def _feed(self, shares: dict[int, list[Any]], now: int, outcome: Outcome) -> dict[int, str]:
        failed: dict[int, str] = {}
        while shares:
            gathering = self._gather(shares, now)
            outcome.effects.extend(gathering.effects)
            failed |= gathering.failed
            for error in gathering.unknown.values():
                if not isinstance(error, StorageBusy):
                    raise error
            shares = {guild_id: shares[guild_id] for guild_id in gathering.unknown}
            if shares and self._backing.pause(BUSY_S):
                raise gathering.unknown.popitem()[1]
        return failed

    def _gather(self, shares: dict[int, list[Any]], now: int) -> Round:
        gathering = Round(len(shares))
        with self._dispatcher.together():
            for guild_id, share in shares.items():
                self._child(guild_id, now).ref.tell(Take(share, gathering))
        if not gathering.wait(ROUND_TIMEOUT_S):
            raise StuckError(f"a guild actor has not answered for {ROUND_TIMEOUT_S:.0f} s")
        return gathering

    def _child(self, guild_id: int, now: int) -> _Child:
        child = self._children.get(guild_id)
        if child is None:
            ref = GuildActor.start_on(self._dispatcher, guild_id, self._backing.load, self._rules)
            child = self._children[guild_id] = _Child(ref, now)
        child.used_at = now
        return child

    def _withhold(self, shares: dict[int, list[Any]], outcome: Outcome) -> dict[int, list[Any]]:
        for guild_id in self._quarantined.keys() & shares.keys():
            reason = f"quarantined: {self._quarantined[guild_id]}"
            outcome.refused.extend(Refused(guild_id, record, reason) for _, _, record in shares[guild_id])
        return {guild_id: it for guild_id, it in shares.items() if guild_id not in self._quarantined}

    def _recover(self, guild_id: int, share: list[Any], now: int, reason: str, outcome: Outcome) -> None:
        """Feed a failed guild's share again, to fresh actors, and leave out what they fail at alone."""
        self._recovered = True
        self._backing.drain()
        del self._children[guild_id]
        if not self._may_restart(guild_id, reason, now):
            self._quarantined[guild_id] = reason
            outcome.refused.extend(Refused(guild_id, it[2], f"quarantined: {reason}") for it in share)
            return
        taken: list[Any] = []
        effects: list[Effect] = []
        for item in share:
            error = self._try_alone(guild_id, taken, item, now, effects)
            if error is None:
                taken.append(item)
            else:
                outcome.refused.append(Refused(guild_id, item[2], error))
        outcome.effects.extend(effects)

    def _try_alone(
        self, guild_id: int, taken: Share, item: Any, now: int, effects: list[Effect]
    ) -> str | None:
        """Feed one item to the guild's actor; return the last error if three fresh ones failed at it."""
        error = ""
        for _ in range(TRIES_ALONE):
            fed = Outcome([], [])
            failed = self._catch_up(guild_id, taken, now) or self._feed({guild_id: [item]}, now, fed)
            if not failed:
                effects.extend(fed.effects)
                return None
            error = failed[guild_id]
            del self._children[guild_id]
        return error

    def _catch_up(self, guild_id: int, taken: Share, now: int) -> dict[int, str]:
        """Bring a fresh actor to where its predecessor was; the effects of that are known already."""
        if guild_id in self._children or not taken:
            return {}
        return self._feed({guild_id: list(taken)}, now, Outcome([], []))

    def _may_restart(self, guild_id: int, reason: str, now: int) -> bool:
        failed = ChildFailed(f"guild:{guild_id}", reason, now)
        return bool(self._supervisor.ask(failed, timeout=ASK_TIMEOUT_S))
