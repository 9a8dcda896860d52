"""What goes wrong, drawn from a seed: at each call of a store, in each actor, at any turn.

A fault strikes before a call or after it took effect, when its reply is lost. None changes what is known of
Discord: that belongs to the histories.
"""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from engine.actors.pool import PooledActor
from engine.actors.rounds import Take
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import StorageBusy, StorageError
from tests.simulation.scheduler import Killed, Scheduler
from tests.simulation.server import Contents, Server, nothing

KINDS = (
    "ledger busy",
    "ledger busy, though it took effect",
    "ledger broken",
    "ledger broken, though it took effect",
    "ledger slow",
    "redis away",
    "redis reply lost",
    "redis slow",
    "redis restored",
    "redis emptied",
    "append reply lost",
    "actor raises",
    "killed before",
    "killed in",
    "killed after",
    "killed at a turn",
    "stopped",
    "clock stepped",
)
STEPS_MS = (-3_600_000, -60_000, -2_000, 2_000, 60_000)
RAISES_AT_MOST = 2  # a third time, an entry would be dropped for good
COMMIT = "commit"


class Poison:
    """An input that no step can look at without raising."""

    def __getattribute__(self, _: str) -> Any:
        raise RuntimeError("poison")


class Faults:
    """``kinds``: those that may happen in this seed; ``left``: how many. ``poison``: entries' names."""

    def __init__(self, rng: Random, *, none: bool = False) -> None:
        self.rng = rng
        self.kinds = {it for it in KINDS if not none and rng.random() < 0.6}
        self.rate = 0.0 if none else rng.choice((0.01, 0.03, 0.1))
        self.left = rng.randint(1, 16)
        self.struck = Counter[str]()
        self.poison: frozenset[tuple[str, int]] = frozenset()
        self.on = True
        self.redis_away = 0  # so many calls
        self._busy = 0
        self._raised: Counter[tuple[type, int]] = Counter()
        self._files: list[Contents] = [nothing()]

    def strikes(self, kind: str, weight: float = 1.0) -> bool:
        """Draw whether a kind of fault happens here and now."""
        if kind not in self.kinds or not self.on or self.left <= 0 or self.rng.random() >= self.rate * weight:
            return False
        self.left -= 1
        self.struck[kind] += 1
        return True

    def end(self) -> None:
        """Let nothing go wrong any more."""
        self.on, self.redis_away, self._busy = False, 0, 0

    def ledger(self) -> None:
        """Strike before any call of the ledger."""
        if self._busy or self.strikes("ledger busy"):
            self._busy = self._busy - 1 if self._busy else self.rng.randrange(4)
            raise StorageBusy("database is locked")
        if self.strikes("ledger broken", 0.2):
            raise StorageError("disk I/O error")

    def redis(self, server: Server, ledger: SqlLedger) -> None:
        """Strike before any call of Redis."""
        self._keep_file(server)
        starts = server.starts
        self.start_anew(server, ledger)
        if server.starts != starts:
            raise ConnectionError("connection reset by peer")
        if self.redis_away or self.strikes("redis away"):
            self.redis_away = self.redis_away - 1 if self.redis_away else self.rng.randrange(6)
            raise ConnectionError("connection refused")

    def _keep_file(self, server: Server) -> None:
        if self.kinds & {"redis restored"} and self.on and self.rng.random() < 0.02:
            self._files.append(server.saved())

    def start_anew(self, server: Server, ledger: SqlLedger, weight: float = 1.0) -> None:
        """Restart the server from an older file, if all that this loses of the journal is in the ledger."""
        for kind, file in (("redis restored", self.rng.choice(self._files)), ("redis emptied", nothing())):
            if not self.strikes(kind, weight):
                continue
            taken = ledger.load_partition().sources
            if all(it.seq <= taken.get(it.source, (-1, 0))[0] for it in server.lost_by(file)):
                server.start_from(file)
                self.step_clock(server, 5.0)  # another machine, it may be
            else:
                self.struck[kind] -= 1
                self.left += 1

    def step_clock(self, server: Server, weight: float = 1.0) -> None:
        """Let the clock of the server's machine jump."""
        if self.strikes("clock stepped", weight):
            server.skew_ms = self.rng.choice(STEPS_MS)

    def adopted(self, actor: PooledActor) -> None:
        """Let an actor find poison where there is some, and now and then raise where there is none."""
        take = actor.on_receive

        def receive(message: Any) -> Any:
            if type(message) is Take:
                message = Take([self._spiked(actor, it) for it in message.share], message.round)
            return take(message)

        actor.on_receive = receive  # type: ignore[method-assign]

    def _spiked(self, actor: Any, item: tuple[Any, ...]) -> tuple[Any, ...]:
        record = item[2]
        entry = None if record is None else record.entry
        if entry is not None and (entry.source, entry.seq) in self.poison:
            return (Poison(), *item[1:])
        name = (type(actor), getattr(actor, "_event_id", actor._guild_id))
        if self._raised[name] < RAISES_AT_MOST and self.strikes("actor raises", 0.5):
            self._raised[name] += 1
            return (Poison(), *item[1:])
        return item


class Guarded:
    """One store as a process has it: what is called in a dead process does nothing."""

    def __init__(self, store: Any, name: str, process: "Process") -> None:
        self._store, self._name, self._process = store, name, process
        self._starts = process.server.starts

    def __getattr__(self, method: str) -> Callable[..., Any]:
        call = getattr(self._store, method)

        def guarded(*arguments: Any, **named: Any) -> Any:
            self._connected()
            return self._process.call(self._name, method, call, *arguments, **named)

        return guarded

    def _connected(self) -> None:
        """Find the connection broken, once, after each start of the server."""
        starts = self._process.server.starts
        if self._name == "redis" and self._starts != starts:
            self._starts = starts
            raise ConnectionError("connection reset by peer")


class Process:
    """What may befall one life of the engine."""

    def __init__(self, faults: Faults, server: Server, ledger: SqlLedger) -> None:
        self.faults, self.server, self.ledger = faults, server, ledger
        self.scheduler: Scheduler
        self._write_partition = ledger._write_partition
        ledger._write_partition = self._written  # type: ignore[method-assign]

    def call(self, store: str, method: str, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call a store's method, with all that may happen before and after."""
        self.scheduler.check()
        self.die("killed before", 0.3)
        self._before(store)
        result = call(*arguments, **named)
        if method == "open_sessions":
            result = list(result)  # of one moment, though it may be read later
        if method == "read" and not result:
            self.scheduler.sleep(arguments[-1] / 1000)  # for so long it has waited
        self.die("killed after", 0.3)
        if store == "redis" and self.faults.strikes("redis reply lost"):
            raise ConnectionError("connection reset by peer")
        if method == COMMIT:
            self._after_commit()
        return result

    def _after_commit(self) -> None:
        if self.faults.strikes("ledger busy, though it took effect"):
            raise StorageBusy("interrupted")
        if self.faults.strikes("ledger broken, though it took effect", 0.5):
            raise StorageError("disk I/O error")

    def die(self, kind: str, weight: float) -> None:
        """End the process here, now and then."""
        if self.faults.strikes(kind, weight):
            self.scheduler.dead = True
            raise Killed

    def _before(self, store: str) -> None:
        faults = self.faults
        if faults.strikes(f"{store} slow", 0.3):
            self.scheduler.sleep(faults.rng.choice((0.01, 1.0, 5.0)))
        if store == "ledger":
            faults.ledger()
        else:
            faults.redis(self.server, self.ledger)

    def _written(self, *arguments: Any) -> None:
        self._write_partition(*arguments)
        self.die("killed in", 2.0)  # all is written, the transaction still open
