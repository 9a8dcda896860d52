"""One history taken by one engine, however often it dies: its storage lasts, its processes do not."""

import shutil
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import pykka

from engine.actors.engine import Engine, EngineSettings
from engine.actors.supervisor import Budget
from engine.domain.event_effects import Answer
from engine.domain.inputs import Entry, Heartbeat, OutboxOutcome
from engine.domain.retrial_inputs import QuarantineLifted
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import StorageError, Stores
from tests.simulation.faults import Faults, Guarded, Process
from tests.simulation.histories import History
from tests.simulation.scheduler import NO_LIMIT, Killed, Scheduler, Turn, system
from tests.simulation.server import Journal, Live, Outbox, Server

if TYPE_CHECKING:
    from engine.domain.effects import ToDiscord

LIVES_AT_MOST = 200
TURNS_AT_MOST = 50_000  # of one life
AT_ONCE = 8  # entries that a writer appends together
RESENT_MS = 61_000  # after which what has no outcome is sent again
TEMPLATE = "template.db"


def _ledger_at(path: Path) -> SqlLedger:
    return SqlLedger(path, 0)


class Storage(NamedTuple):
    """How a ledger is opened, and what takes the place of Redis: defects are put in here."""

    ledger_at: Callable[[Path], SqlLedger] = _ledger_at
    server: Callable[[], Server] = Server


SOUND = Storage()


class Room:
    """``received``: what the ingest found in the outbox. ``answers``: to requests, by id.

    ``twice``: those that were given again. ``closing``: entries behind those of the history.
    """

    def __init__(
        self,
        rng: Random,
        history: History,
        faults: Faults,
        database: Path,
        storage: Storage = SOUND,
        *,
        budget: Budget = NO_LIMIT,
    ) -> None:
        self.rng, self.history, self.faults = rng, history, faults
        self.database = database
        self.closing: list[Entry] = []
        self.server = storage.server()
        self.received: dict[str, ToDiscord] = {}
        self.answers: dict[str, Answer] = {}
        self.twice: list[str] = []
        self.lives = self.turns = self.drift_ms = self.rewinds = 0
        self._ledger_at, self._budget = storage.ledger_at, budget
        self._settings = EngineSettings(
            batch_max_entries=rng.choice((1, 3, 10, 500)), park_after_ms=rng.choice((1, 1_000, 60_000))
        )
        self._waiting: list[Entry] = []
        _copy_template(database)

    def run(self) -> None:
        """Take the whole history, then what the ingest did of the outbox, and leave a mirror that stands."""
        now = max(it.input.at for it in self.history.entries)
        self._take(self.history.entries)
        # Nothing goes wrong for a while, and after a minute everything is in the outbox that is to be done.
        self._closing(now + RESENT_MS)
        self._take([*self._outcomes(now + RESENT_MS)])
        self._closing(now + 2 * RESENT_MS)

    def lift(self) -> int:
        """Have every actor that is quarantined work again; return how many were."""
        with closing(SqlLedger(self.database, 0)) as ledger:
            found = ledger.quarantines()
        self.faults.end()
        at = self.closing[-1].input.at + 1_000
        lifts = [self._entry(QuarantineLifted(at, it.guild_id, it.actor, it.actor)) for it in found]
        self._take([*lifts, self._entry(Heartbeat(at + 1_000))])
        return len(found)

    def _closing(self, at: int) -> None:
        self.faults.end()
        self._take([self._entry(Heartbeat(at))])
        self.faults.on = True

    def _outcomes(self, at: int) -> list[Entry]:
        self._receive()
        with closing(SqlLedger(self.database, 0)) as ledger:
            pending = sorted(ledger.pending_outbox(10**6), key=lambda it: it.outbox_id)
        for it in pending:
            assert it.outbox_id in self.received, f"never sent: {it}"
        return [self._entry(OutboxOutcome(at, it.guild_id, it.outbox_id, ok=True)) for it in pending]

    def _entry(self, what: Any) -> Entry:
        self.closing.append(Entry("closing", len(self.closing), what))
        return self.closing[-1]

    def _take(self, entries: list[Entry]) -> None:
        self._waiting += entries
        self._down()
        while not self._live():
            assert self.lives < LIVES_AT_MOST, "the engine gets nowhere"
            self._down()

    def _down(self) -> None:
        """While no engine runs the journal fills, and Redis may be started anew."""
        with closing(SqlLedger(self.database, 0)) as ledger:
            self.faults.start_anew(self.server, ledger, 5.0)
        for _ in range(self.rng.randrange(3)):
            if self._waiting:
                self._append()

    def _live(self) -> bool:
        """Have one process live; return whether it got to the end of the journal."""
        self.lives += 1
        ledger = self._ledger_at(self.database)
        process = Process(self.faults, self.server, ledger)
        scheduler = Scheduler(self.rng, self._others, lambda _: process.die("killed at a turn", 0.05))
        process.scheduler = scheduler
        stores = Stores(
            Guarded(Journal(self.server), "redis", process),
            Guarded(ledger, "ledger", process),
            Guarded(Live(self.server), "redis", process),
            Guarded(Outbox(self.server), "redis", process),
        )  # type: ignore[arg-type]
        runs_on = system(scheduler, self.faults.adopted, self._budget)
        engine = Engine(self._settings, [stores], self.history.rules, runs_on)
        engine.aftermath.answers.give = self._answered  # type: ignore[method-assign]
        try:
            return self._work(engine, scheduler)
        except Killed:
            return False
        finally:
            self.turns += scheduler.turns
            self.drift_ms += engine.aftermath.drift.drift_ms
            self.rewinds += sum(it.stats.rewinds for it in engine.inside)
            ledger.close()

    def _work(self, engine: Engine, scheduler: Scheduler) -> bool:
        try:
            engine.start()
        except (StorageError, pykka.ActorDeadError):
            return False  # the daemon ends non-zero, its parent starts a fresh one
        inside = engine.inside[0]
        for number in range(TURNS_AT_MOST):
            if not self._waiting and self._is_done(inside):
                break
            if self.faults.strikes("stopped", 0.5):
                engine.stop()
                return False
            if not scheduler.turn() or number % 50 == 49:
                engine.check()
            if engine.failed.is_set():
                with suppress(pykka.Timeout):
                    engine.stop()
                return False
        else:
            raise AssertionError("the engine works, and gets nowhere")
        engine.stop()
        return self._is_mirrored(inside)

    def _is_done(self, inside: Any) -> bool:
        cursor = inside.committer.cursor or inside.stats.state.cursor
        return bool(cursor == self.server.last_id == inside.stats.state.cursor)

    def _is_mirrored(self, inside: Any) -> bool:
        # Without one more entry nobody looks at the mirror: a life that had none to take need not have.
        return self.faults.on or not inside.committer.mirror_stale

    def _others(self) -> list[Turn]:
        """Return what may happen outside of the engine: the ingest's writer, and its outbox."""
        appends: list[Turn] = [self._append] if self._waiting else []
        return [*appends, self._receive] if self.server.holds.outbox else appends

    def _append(self) -> None:
        self.faults.step_clock(self.server)
        if self.faults.redis_away:
            return
        entries = self._waiting[: self.rng.randint(1, AT_ONCE)]
        self.server.append(entries)
        if not self.faults.strikes("append reply lost"):  # else they are appended again
            del self._waiting[: len(entries)]

    def _answered(self, answer: Answer) -> None:
        before = self.answers.setdefault(answer.request_id, answer)
        if before is not answer and answer.request_id:
            self.twice.append(f"answered twice: {before}, {answer}")

    def _receive(self) -> None:
        self.received |= self.server.holds.outbox
        self.server.holds.outbox.clear()


def _copy_template(database: Path) -> None:
    """Make an empty ledger. Migrations take ten times as long as a copy."""
    template = database.parent / TEMPLATE
    if not template.exists():
        SqlLedger(template, 0).close()
    shutil.copy(template, database)
