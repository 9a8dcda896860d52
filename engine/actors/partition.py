"""The actor of one partition: reads its journal, lets the guilds take each batch, has it committed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, TypeVar

import pykka
import structlog
from msgspec.structs import replace

from engine.actors.alarms import Alarms
from engine.actors.children import Backing, ChildActors, Kind
from engine.actors.committer import Committer, CommitterStats, Compare, Drained
from engine.actors.events import Events
from engine.actors.guild import GuildActor
from engine.actors.inside import Inside, PartitionStats
from engine.actors.reconciling import Reconciler
from engine.actors.records import batches, dead_letters, is_taken, place, quarantines, refusals
from engine.actors.retrial import Again, Retrial
from engine.actors.shared import Shared
from engine.actors.supervisor import Watch, told
from engine.domain.effects import ForgetMember
from engine.domain.event_effects import Answer
from engine.domain.inputs import GuildsKnown
from engine.domain.partition import START, Admission, PartitionState, admit
from engine.domain.rules import Rules
from engine.domain.tracker_inputs import TrackersKnown
from engine.storage.protocols import Commit, Record, StorageBusy, Stores

log = structlog.get_logger(__name__)

AnswerT = TypeVar("AnswerT")

BLOCK_MS = 250  # how long a turn waits for entries; also how long a stop may have to wait
AWAY_S = 0.2  # between two looks for a journal that is away
BUSY_S = 0.1  # between two tries to read from a ledger that is busy
QUIET_MS = 3_000  # without one entry for this long, the journal may be another one: look
LOOK_S = 1.0  # between two looks whether a committer that is waited for still lives
COMMITTER_STOP_S = 600.0
PARK_EVERY_MS = 60_000


@dataclass(frozen=True)
class PartitionSettings:
    """``batch_max_entries``: entries a batch; ``park_after_ms``: idle time after which a guild is parked.

    ``reconcile_every_s``: between two checks of the mirror; 0 for none but those asked for.
    """

    number: int = 0
    batch_max_entries: int = 20_000
    park_after_ms: int = 600_000
    reconcile_every_s: float = 0.0


class Begin(NamedTuple):
    """Ask (Inside), once: stand where the ledger stands, and go to work. Raises what keeps it from that."""


class _Turn(NamedTuple):
    """Tell, to itself: read and take one batch."""


class Partition(pykka.ThreadingActor):
    """Owns one journal and one ledger cursor. Its turns follow each other by a message to itself."""

    use_daemon_thread = True

    def __init__(self, settings: PartitionSettings, stores: Stores, shared: Shared, rules: Rules) -> None:
        super().__init__()
        self.settings, self._stores, self._supervisor = settings, stores, shared.supervisor
        self._rules, self._shared = rules, shared
        dispatcher, supervisor = shared.dispatcher, shared.supervisor
        self.stats = PartitionStats()
        self.committer_stats = CommitterStats()
        self.state = PartitionState()
        self._monotonic = shared.system.monotonic
        self._halt = shared.system.event()
        self._quiet_since = self._monotonic()
        self._journal_known = False  # to be the one that the cursor belongs to
        self._park_due_at = 0
        compared = shared.compared[settings.number] if shared.compared else None
        self._reconciler = Reconciler(compared, settings.reconcile_every_s, shared.aftermath.lost)
        beside = (self.committer_stats, shared.aftermath, rules, self._reconciler)
        self.committer = shared.system.start(Committer, stores, self._halt.wait, *beside)
        backing = Backing(self._drain, self._pause, self.stats.pulse.beat)

        def start(guild_id: int) -> "pykka.ActorRef[Any]":
            return GuildActor.start_on(dispatcher, guild_id, self._load, rules, shared.published.guild)

        self.guilds = ChildActors(Kind("guild", start, lambda it: it[3]), dispatcher, supervisor, backing)
        self.events = Events(shared, backing, stores.ledger, rules)
        self.alarms = Alarms(rules.tracking)
        self._retrial = Retrial(stores, rules, {"guild": self.guilds, "event": self.events.children})
        self._as_of: dict[int, int] = {}  # the time that a guild is loaded for, if not the partition's

    def on_start(self) -> None:
        """Have the committer watched too: a partition without entries does not notice its end."""
        name, stats = f"committer:{self.settings.number}", self.committer_stats
        self._supervisor.tell(Watch(name, self.committer, partial(getattr, stats, "death")))

    def on_receive(self, message: _Turn | Begin) -> Inside | None:
        """Take one batch, then the next."""
        if isinstance(message, Begin):
            return self._begin()
        self.stats.pulse.beat()
        try:
            self._turn()
        except ConnectionError as error:
            self._journal_away(error)
        except BaseException as error:
            if not (isinstance(error, StorageBusy) and self._halt.is_set()):
                self.stats.death = self.committer_stats.death or told(error)
                raise
        if not self._halt.is_set():
            self.actor_ref.tell(_Turn())
        return None

    def on_stop(self) -> None:
        """Leave only when what was taken is committed."""
        self._drain()
        self.committer.stop(timeout=COMMITTER_STOP_S)

    def halt(self) -> None:
        """Stop reading; may be called from any thread. What cannot be committed now, the journal keeps."""
        self._halt.set()

    def _begin(self) -> Inside:
        self.state = self.stats.state = self._stores.ledger.load_partition()
        ledger, publish = self._stores.ledger, self._shared.published.guild
        self.alarms.begin(ledger.subjects())
        for guild_id in ledger.players():  # of an earlier life, for trackers to see
            publish(self._load(guild_id))
        self.events.begin()
        self._retrial.begin()
        self.actor_ref.tell(_Turn())
        return Inside(
            self.settings.number,
            self.stats,
            self.committer_stats,
            self.guilds,
            self.events,
            self.alarms,
            self._stores.journal,
            self.halt,
            self._reconciler,
        )

    def _turn(self) -> None:
        compare = self._reconciler.waits()
        if compare or not self._journal_known:
            self._know_journal()
        if compare:
            self._reconciler.ordered()
            self.committer.tell(Compare())
        records = self._stores.journal.read(self.state.cursor, self.settings.batch_max_entries, BLOCK_MS)
        if self.stats.journal_away_since is not None:
            log.info("journal_back", partition=self.settings.number)
            self.stats.journal_away_since = None
        if records:
            self._quiet_since = self._monotonic()
            for batch in batches(records):
                self._take(batch)
        elif self._monotonic() - self._quiet_since > QUIET_MS / 1000:
            self._quiet_since = self._monotonic()
            self._journal_known = False

    def _take(self, records: list[Record]) -> None:
        readable = [(record.entry, record) for record in records if record.entry is not None]
        present = self._present(records[0])
        admission = admit(self.state, records[-1].journal_id, readable, present, self._rules)
        forgets, guild_ids = admission.forgets, self._known_in(admission.forgets)
        again = self._again(records[-1], admission) if admission.retrials else None
        self.alarms.ring(admission.shares, admission.state)
        done = self.guilds.take(admission.shares, admission.state.now)
        self.alarms.hear(done.effects)
        then = self.events.take(admission.asked, done.effects, admission.state, beat=admission.beat)
        refused = refusals(done, then, self.events.guild_of)
        retried, answers = again.outcome(refused) if again else ([], [])
        commit = Commit(
            self.state.cursor,
            admission.state,
            [*(it for _, effects in chain(done.effects, then.effects) for it in effects), *forgets, *answers],
            dead_letters(records, refused, self.state),
            admission.sources_changed,
            admission.state.connections is not self.state.connections,
            admission.state.forgotten is not self.state.forgotten,
            quarantines(done, then, refused, records[0].journal_id, admission.state.now),
            list(again.lifted) if again else [],
            retried,
        )
        self.committer.tell(commit)
        self.state = self.stats.state = admission.state
        if forgets or again:
            self._as_of.clear()
            self._let_go([again.request.guild_id] if again else guild_ids)
        self.stats.count(records, commit, admission)
        self._park()

    def _know_journal(self) -> None:
        """Read from the start where the journal is not the cursor's: sources tell what was taken.

        One that was restored or emptied may have come past the cursor by now, with ids that lie before it if
        its clock was set back. But it does not have the very entry that was taken last.
        """
        journal, cursor = self._stores.journal, self.state.cursor
        last_id = journal.last_id()
        is_behind = place(last_id) < place(cursor)
        if is_behind or (cursor != START and not is_taken(journal.entry_at(cursor), self.state)):
            log.warning("journal_behind_cursor", last_id=last_id, cursor=cursor)
            self.stats.rewinds += 1
            self._rewind()
        self._journal_known = True

    def _rewind(self) -> None:
        self._drain()
        before = self.state.cursor
        state = replace(self.state, cursor=START)
        self.committer.tell(Commit(before, state))
        self.state = self.stats.state = state

    def _park(self) -> None:
        if self.state.now < self._park_due_at:
            return
        self._park_due_at = self.state.now + PARK_EVERY_MS
        self._drain()
        for children in (self.guilds, self.events.children):
            self.stats.parked += children.park(self.state.now, self.settings.park_after_ms)

    def _journal_away(self, error: ConnectionError) -> None:
        self._journal_known = False
        if self.stats.journal_away_since is None:
            self.stats.journal_away_since = self._monotonic()
            log.warning("journal_away", partition=self.settings.number, reason=str(error))
        self._halt.wait(AWAY_S)

    def _load(self, guild_id: int) -> Any:
        return self._stores.ledger.load_guild(guild_id, self._as_of.get(guild_id, self.state.now))

    def _again(self, record: Record, admission: Admission[Record]) -> Again:
        """Have a request's actor take again what it refused, from where the ledger has it."""
        request = admission.retrials[0]
        self._let_go([request.guild_id])
        again = self._ask(partial(self._retrial.prepare, request, record.journal_id, admission))
        self._as_of = {} if again.as_of is None else {request.guild_id: again.as_of}
        return again

    def _present(self, record: Record) -> list[int]:
        """Return the guilds that an entry about all of them asks for.

        Of those in quarantine the ledger does not know it by now: they have the entry kept for them.
        """
        what = None if record.entry is None else type(record.entry.input)
        ledger, unknown = self._stores.ledger, self.guilds.quarantined()
        if what is TrackersKnown:
            return self._ask(lambda: sorted({guild_id for guild_id, _ in ledger.subjects()} | unknown))
        return self._ask(lambda: sorted({*ledger.present_guilds()} | unknown)) if what is GuildsKnown else []

    def _known_in(self, forgets: Sequence[ForgetMember | Answer]) -> list[int]:
        """Return the guilds that know whom to forget."""
        ledger, user_ids = self._stores.ledger, [it.user_id for it in forgets if isinstance(it, ForgetMember)]
        return [it for user_id in user_ids for it in self._ask(partial(ledger.guilds_of, user_id))]

    def _let_go(self, guild_ids: list[int]) -> None:
        """Have guilds and events come back as the ledger knows them, once it has forgotten someone."""
        self._drain()
        for guild_id in guild_ids:
            self.guilds.end(guild_id)
        self.events.let_go(guild_ids)

    def _ask(self, question: Callable[[], AnswerT]) -> AnswerT:
        """Ask the ledger, once it holds all that was taken; however long it is busy."""
        self._drain()
        while True:
            try:
                return question()
            except StorageBusy:
                if self._pause(BUSY_S):
                    raise

    def _pause(self, for_s: float) -> bool:
        """Wait for the ledger to be free; return whether the daemon stops."""
        self.stats.pulse.beat()
        return self._halt.wait(for_s)

    def _drain(self) -> None:
        """Wait for the committer, however long the ledger is busy. Raises ActorDeadError if it died."""
        drained = self.committer.ask(Drained(), block=False)
        while True:
            self.stats.pulse.beat()  # the committer has its own
            try:
                drained.get(timeout=LOOK_S)
            except pykka.Timeout:
                # What pykka puts into an inbox just after its actor's end is never answered.
                if not self.committer.is_alive():
                    raise pykka.ActorDeadError("the committer died") from None
            else:
                return
