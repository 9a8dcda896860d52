"""A real daemon before a city of people, to be hurt; and how long it takes until it is well again."""

import os
import random
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from bot_adapter.connection import STALL_MS
from engine.actors.records import place
from engine.daemon.common import INGEST_STATUS
from engine.domain.partition import START
from engine.storage.journal import RedisJournal
from engine.storage.status import StatusBoard
from tests.crash.dials import Dials
from tests.crash.witness import Witness
from tests.daemon.replay import ALL, cursor_of
from tests.daemon.running import Daemon, Simulator, until

if TYPE_CHECKING:
    from tests.daemon.truth import Window

CRASHED_S = 90.0  # a daemon that is not well again by then will not be
TRUTH_S = 60.0


class CitySimulator(Simulator):
    """``city_process`` as a process."""

    script = (str(Path(__file__).with_name("city_process.py")),)

    def awaken(self) -> None:
        """Let its people live; until then they only sit there."""
        os.kill(self.pid, signal.SIGUSR1)

    def truth(self) -> dict[str, Any]:
        """Return what happened; of a large city that takes a while to say."""
        answer = httpx.get(f"{self.url}/sim/truth", trust_env=False, timeout=TRUTH_S)
        answer.raise_for_status()
        return answer.json()


class Stage:
    """The simulator, the daemon and the witness of one run.

    ``dials``: of the clock and the disk that the daemon finds. ``lasting_s``: how long a fault that lasts
    does so, if that is not drawn. ``acknowledged``: up to which seq the ingest was told that its
    entries are durable, by source. ``stalls``: when the ingest was stopped. ``apart_ms``: how far its clock
    may stand behind the simulator's. ``late_ms``: what an update may take on its way to it.

    ``taken_at``: where the ledger stood when a fault last destroyed what was journaled, None if none did;
    ``last_at``: the last entry seen by then; ``destroyed``: entries that the ledger therefore never had.

    After ``end`` only the daemon's folder is left.
    """

    def __init__(
        self,
        sitters: int,
        seed: int,
        actions_per_s: float = 60.0,
        dials: Dials | None = None,
        lasting_s: float | None = None,
    ) -> None:
        environ = {"DISCORD_TOKEN": "simulator"} | (dials.environ if dials else {})
        self.daemon = Daemon({"log": {"level": "info", "format": "json"}}, environ)
        self._dials, self.lasting_s = dials, lasting_s
        self.witness = Witness(self.daemon.config.redis_url)
        self.acknowledged: dict[str, int] = {}
        self.taken_at: tuple[int, ...] | None = None
        self.last_at: tuple[int, ...] = (0, 0)
        self.destroyed: set[str] = set()
        self.stalls: list[Window] = []
        self.apart_ms = 0
        self.late_ms = STALL_MS
        self._board = StatusBoard(self.daemon.config.redis_url)
        self._beside = Path(tempfile.mkdtemp(prefix="rollcall-city-"))
        self.city = CitySimulator(self._beside, sitters=sitters, seed=seed, actions_per_s=actions_per_s)
        self.daemon.configure(discord={"api_base_url": self.city.url, "gateway": "discord"})

    def begin(self) -> None:
        """Start, and wait until everybody who was there is in the ledger."""
        self.daemon.program = self.daemon.start("run")
        self.well_again("0-0")
        self.city.awaken()
        self.witness.start()
        until(lambda: self.witness.seen, "a witness at work")
        self.sees_more()

    def turn(self, **dials: int) -> None:
        """Set what the daemon believes of the clock and the disk: see `Dials.set`."""
        assert self._dials is not None
        self._dials.set(**dials)

    def lasts_s(self, draw: random.Random, shortest_s: float, longest_s: float) -> float:
        """Draw how long a fault lasts, unless that was given."""
        drawn_s = draw.uniform(shortest_s, longest_s)
        return drawn_s if self.lasting_s is None else self.lasting_s

    def hurt(self, blow: Any, *, lasting: bool = False) -> float:
        """Strike; return how many seconds it took to be well again: from the blow, or its end if it lasts."""
        self.note_acknowledged()
        before = self.last_id()
        struck = time.monotonic()
        blow()
        if lasting:
            struck = time.monotonic()
        self.well_again(before)
        took_s = time.monotonic() - struck
        if self.taken_at is not None:
            self._note_destroyed(self.taken_at, self.last_at)
        return took_s

    def _note_destroyed(self, taken: tuple[int, ...], last: tuple[int, ...]) -> None:
        """Note what the ledger had not taken by the blow, and cannot take any more."""
        journal = RedisJournal(self.daemon.config.redis_url, 0)
        there = {it.journal_id for it in journal.read(START, ALL, 0) if it.entry is not None}
        journal.close()
        self.destroyed |= {
            key for key in list(self.witness.seen) if taken < place(key) <= last and key not in there
        }

    def well_again(self, before: str) -> None:
        """Wait until the daemon is ready and has committed all that is journaled by then, new entries too."""
        until(self.daemon.ready_or_over, "a ready daemon", CRASHED_S)
        assert self.daemon.program.exit_code is None, "the daemon has ended"
        until(lambda: place(self.last_id()) > place(before), "a fresh entry", CRASHED_S)
        goal = place(self.last_id())
        until(lambda: self.cursor() >= goal, "all of the journal committed", CRASHED_S)
        until(self.daemon.ready, "a daemon that is still ready", CRASHED_S)

    def sees_more(self, entries: int = 20) -> None:
        """Wait until the witness has seen some more."""
        goal = len(self.witness.seen) + entries
        until(lambda: len(self.witness.seen) >= goal, "entries")

    def last_id(self) -> str:
        """Return the newest entry's id, as soon as somebody can tell."""
        return until(self._last_id, "a journal that answers", CRASHED_S)

    def _last_id(self) -> str | None:
        journal = RedisJournal(self.daemon.config.redis_url, 0)
        try:
            return journal.last_id()
        except ConnectionError:
            return None
        finally:
            journal.close()

    def cursor(self) -> tuple[int, ...]:
        return place(cursor_of(self.daemon.config.database))

    def note_acknowledged(self) -> None:
        """Note up to which seq the ingest's writer was told that its entries are durable."""
        try:
            told = self._board.read(INGEST_STATUS) or {}
        except ConnectionError:
            return
        waiting = told.get("journal_buffered", 0) + told.get("journal_spooled", 0)
        for source in {it["connection"].partition("/")[0] for it in told.get("shards", ())} - {""}:
            known = self.acknowledged.get(source, 0)
            self.acknowledged[source] = max(known, told["journal_appended"] - waiting)

    def end(self) -> None:
        """End all that was started; the daemon's folder stays."""
        self.witness.close()
        self._board.close()
        self.city.end()
        if hasattr(self.daemon, "program"):
            self.daemon.program.end()
        for orphan in self.daemon.orphans():
            orphan.kill()
        shutil.rmtree(self._beside)
