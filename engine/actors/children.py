"""A partition's actors of one kind, guilds or events: found or started by id, fed, restarted, parked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from engine.actors.pool import Dispatcher, Inbox
from engine.actors.rounds import Describe, Round, Share, Take
from engine.actors.supervisor import ChildFailed, Lifted, Quarantined
from engine.domain.effects import Effect
from engine.domain.tracker_effects import WakeAt
from engine.storage.protocols import StorageBusy

if TYPE_CHECKING:
    import pykka

# No step takes long: an actor that is silent for so long is stuck. Sooner than its partition's pulse is taken
# for stopped (``pulse.STUCK_S``), so that the actor is named.
LOOK_S = 1.0
ROUND_LOOKS = 45
ASK_TIMEOUT_S = 5.0
TRIES_ALONE = 3
BUSY_S = 0.1  # between two tries to load from a ledger that is busy


class StuckError(Exception):
    """An actor does not answer; only a fresh process gets rid of it."""


class Refused(NamedTuple):
    """An item that could not take effect, its record (None where it came from no entry), and why."""

    key: int
    record: Any
    reason: str


class Withheld(NamedTuple):
    """Why a child was given nothing more, and from which record on; None where it came from no entry."""

    reason: str
    since: Any


@dataclass(slots=True)
class Outcome:
    """What a batch came to: each child's effects, in order. ``quarantined``: children it was too much for."""

    effects: list[tuple[int, list[Effect]]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    quarantined: dict[int, Withheld] = field(default_factory=dict)


class Backing(NamedTuple):
    """What a partition does for its actors.

    ``drain`` returns when all that the committer was told is in the ledger, ``pause`` waits so many seconds
    and returns whether the daemon is stopping. ``beat`` notes that it gets on.
    """

    drain: Callable[[], None]
    pause: Callable[[float], bool]
    beat: Callable[[], None]


class Kind(NamedTuple):
    """What tells one kind of children from another.

    ``name`` is the first part of theirs, ``start`` makes the actor of an id, ``at_of`` tells the partition's
    time as of an item: a batch that catches up may hold hours.
    """

    name: str
    start: "Callable[[int], pykka.ActorRef[Any]]"
    at_of: Callable[[Any], int]


class _Child:
    __slots__ = ("ref", "used_at")

    def __init__(self, ref: "pykka.ActorRef[Any]", used_at: int) -> None:
        self.ref = ref
        self.used_at = used_at


class ChildActors:
    """Belongs to the partition's thread. A child may be loaded only where all it did before is committed."""

    def __init__(
        self,
        kind: Kind,
        dispatcher: Dispatcher,
        supervisor: "pykka.ActorRef[Any]",
        backing: Backing,
    ) -> None:
        self._kind, self._start, self._at_of = kind
        self._dispatcher, self._supervisor = dispatcher, supervisor
        self._backing = backing
        self._children: dict[int, _Child] = {}
        self._quarantined: dict[int, str] = {}
        self._spared: int | None = None
        self._recovered = (
            False  # in the batch before: an actor may be missing whose effects are not committed
        )

    def __len__(self) -> int:
        return len(self._children)

    def __contains__(self, key: int) -> bool:
        return key in self._children

    def rows(self) -> list[tuple[int, int, int]]:
        """Return ``(key, used_at, messages waiting)`` by actor; may be called from any thread."""
        return [
            (key, child.used_at, len(cast("Inbox", child.ref.actor_inbox)))
            for key, child in self._children.copy().items()
        ]

    def describe(self, key: int) -> dict[str, Any] | None:
        """Return a child's whole state, None if it has no actor now; may be called from any thread."""
        child = self._children.get(key)
        if child is None:
            return None
        return cast("dict[str, Any]", child.ref.ask(Describe(), timeout=ASK_TIMEOUT_S))

    def take(self, shares: dict[int, list[Any]], now: int) -> Outcome:
        """Let every child take its share of a batch, and recover those that fail.

        Raises ``StorageError`` where the ledger cannot tell a child's state, ``StorageBusy`` only when the
        daemon stops. The batch must then not be committed, nor another be taken.
        """
        try:
            return self._take(shares, now)
        finally:
            self._spared = None

    def spare(self, key: int) -> None:
        """Let a child's failures in the next batch spend no restart: it is given again what it refused."""
        self._spared = key

    def quarantined(self) -> set[int]:
        """Return the children whose share is withheld."""
        return set(self._quarantined)

    def quarantine(self, key: int, reason: str, at: int) -> None:
        """Withhold a child's share from now on: an earlier life could not go on with it."""
        self._quarantined[key] = reason
        self._supervisor.tell(Quarantined(f"{self._kind}:{key}", reason, at))

    def lift(self, key: int) -> None:
        """Let a child take its share again."""
        self._quarantined.pop(key, None)
        self._supervisor.tell(Lifted(f"{self._kind}:{key}"))

    def end(self, key: int) -> None:
        """Stop a child that has nothing to do any more; its state is among the effects it gave."""
        child = self._children.pop(key, None)
        if child is not None:
            child.ref.stop(block=False)

    def park(self, now: int, idle_ms: int) -> int:
        """Stop the actors without work for ``idle_ms``; call it only when all is committed."""
        idle = [key for key, child in self._children.items() if child.used_at < now - idle_ms]
        for key in idle:
            self.end(key)
        return len(idle)

    def _take(self, shares: dict[int, list[Any]], now: int) -> Outcome:
        outcome = Outcome()
        if self._recovered:
            self._backing.drain()
            self._recovered = False
        if self._quarantined:
            shares = self._withhold(shares, outcome)
        if not shares:
            return outcome
        failed = self._feed(shares, now, outcome)
        for key, reason in failed.items():
            self._recover(key, shares[key], now, reason, outcome)
        return outcome

    def _feed(self, shares: dict[int, list[Any]], now: int, outcome: Outcome) -> dict[int, str]:
        failed: dict[int, str] = {}
        while shares:
            gathering = self._gather(shares, now)
            outcome.effects.extend(gathering.effects)
            failed |= gathering.failed
            for error in gathering.unknown.values():
                if not isinstance(error, StorageBusy):
                    raise error
            shares = {key: shares[key] for key in gathering.unknown}
            if shares and self._backing.pause(BUSY_S):
                raise gathering.unknown.popitem()[1]
        return failed

    def _gather(self, shares: dict[int, list[Any]], now: int) -> Round:
        self._backing.beat()  # the recovery of a batch may take very many rounds
        gathering = Round(len(shares))
        with self._dispatcher.together():
            for key, share in shares.items():
                self._child(key, now).ref.tell(Take(share, gathering))
        for _ in range(ROUND_LOOKS):
            if gathering.wait(LOOK_S):
                return gathering
            self._bury(gathering, shares)
        silent = ", ".join(f"{self._kind}:{key}" for key in sorted(shares.keys() - gathering.answered()))
        raise StuckError(f"{silent or self._kind}: no answer for {ROUND_LOOKS * LOOK_S:.0f} s")

    def _bury(self, gathering: Round, shares: dict[int, list[Any]]) -> None:
        """Answer for the actors that ended before they could, as by an ``on_start`` that fails."""
        silent = shares.keys() - gathering.answered()
        ended = [key for key in silent if not self._children[key].ref.is_alive()]
        for key in set(ended) - gathering.answered():  # one that ended has said all that it ever will
            gathering.fail(key, "it ended without an answer")

    def _child(self, key: int, now: int) -> _Child:
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = _Child(self._start(key), now)
        child.used_at = now
        return child

    def _withhold(self, shares: dict[int, list[Any]], outcome: Outcome) -> dict[int, list[Any]]:
        for key in self._quarantined.keys() & shares.keys():
            reason = f"quarantined: {self._quarantined[key]}"
            # What came of no entry comes again, or is read from the ledger, when the quarantine is lifted.
            entries = (it for it in shares[key] if it[2] is not None)
            outcome.refused.extend(Refused(key, it[2], reason) for it in entries)
        return {key: it for key, it in shares.items() if key not in self._quarantined}

    def _recover(self, key: int, share: list[Any], now: int, reason: str, outcome: Outcome) -> None:
        """Feed a failed child's share again, to fresh actors, and leave out what they fail at alone."""
        self._recovered = True
        self._backing.drain()
        del self._children[key]
        if self._may_restart(key, reason, self._at_of(share[0])):
            effects = self._take_alone(key, share, now, outcome)
            outcome.effects.append((key, effects))
        else:
            self._quarantine(key, share, reason, outcome)

    def _take_alone(self, key: int, share: list[Any], now: int, outcome: Outcome) -> list[Effect]:
        """Feed a share item by item. Each that fails spends a restart, as if it had been alone in a batch."""
        taken: list[Any] = []
        effects: list[Effect] = []
        is_spent = True  # by the failure that led here
        for index, item in enumerate(share):
            error = self._try_alone(key, taken, item, now, effects)
            if error is None:
                taken.append(item)
            elif is_spent or self._may_restart(key, error, self._at_of(item)):
                outcome.refused.append(Refused(key, item[2], error))
                is_spent = False
            else:
                self._quarantine(key, share[index:], error, outcome)
                break
        effects.sort(key=lambda it: type(it) is WakeAt)  # the last one behind all others, as in one step
        return effects

    def _quarantine(self, key: int, rest: list[Any], reason: str, outcome: Outcome) -> None:
        since = next((it[2] for it in rest if it[2] is not None), None)
        self._quarantined[key], outcome.quarantined[key] = reason, Withheld(reason, since)
        outcome.refused.extend(Refused(key, it[2], f"quarantined: {reason}") for it in rest)

    def _try_alone(self, key: int, taken: Share, item: Any, now: int, effects: list[Effect]) -> str | None:
        """Feed one item to the child; return the last error if three fresh ones failed at it."""
        error = ""
        for _ in range(TRIES_ALONE):
            fed = Outcome()
            failed = self._catch_up(key, taken, now) or self._feed({key: [item]}, now, fed)
            if not failed:
                effects.extend(effect for _, its in fed.effects for effect in its)
                return None
            error = failed[key]
            del self._children[key]
        return error

    def _catch_up(self, key: int, taken: Share, now: int) -> dict[int, str]:
        """Bring a fresh actor to where its predecessor was; the effects of that are known already."""
        if key in self._children or not taken:
            return {}
        return self._feed({key: list(taken)}, now, Outcome())

    def _may_restart(self, key: int, reason: str, now: int) -> bool:
        if key == self._spared:
            return True
        failed = ChildFailed(f"{self._kind}:{key}", reason, now)
        return bool(self._supervisor.ask(failed, timeout=ASK_TIMEOUT_S))
