"""What follows a commit besides the mirror: requests are answered, attendance is checked, badges go out."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future

import structlog
from msgspec.structs import replace

from engine.actors.system import THREADS
from engine.actors.transitions import Transitions
from engine.domain.attendance import Participant
from engine.domain.effects import ForgetMember
from engine.domain.event_effects import Answer, AwardBadges, SaveEvent
from engine.domain.events import Event, EventStatus
from engine.domain.inputs import GuildLost
from engine.domain.participation import NEVER, attendees, company, followed, score, stays_of
from engine.domain.tracker_effects import NotifyExpiry, TellListeners
from engine.storage.protocols import Attendance, Commit, Ledger, StorageError

log = structlog.get_logger(__name__)


class _Expected:
    """What is waited for. ``missing``: how many partitions have not answered yet."""

    def __init__(self, missing: int) -> None:
        self.future: Future[Answer] = Future()
        self.missing = missing
        self.answer: Answer | None = None


class Answers:
    """Those who wait for the outcome of a request, by its id. A thread waits, the committers' answer."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Expected] = {}
        self._lock = threading.Lock()

    def expect(self, request_id: str, partitions: int = 1) -> "Future[Answer]":
        """Return what will hold the answer of so many partitions; call it before the request is appended."""
        expected = _Expected(partitions)
        with self._lock:
            self._waiting[request_id] = expected
        return expected.future

    def forget(self, request_id: str) -> None:
        """Wait no longer."""
        with self._lock:
            self._waiting.pop(request_id, None)

    def give(self, answer: Answer) -> None:
        """Answer whoever waits, once all partitions have; after a restart nobody does."""
        with self._lock:
            expected = self._waiting.get(answer.request_id)
            if expected is None:
                return
            expected.missing -= 1
            expected.answer = answer = _both(expected.answer, answer)
            if expected.missing:
                return
            del self._waiting[answer.request_id]
        expected.future.set_result(answer)


def _both(one: Answer | None, other: Answer) -> Answer:
    """Return what two partitions' answers come to: the first refusal, and all that was done."""
    if one is None:
        return other
    detail = {key: one.detail.get(key, 0) + other.detail.get(key, 0) for key in one.detail | other.detail}
    return replace(other if one.code == "ok" else one, detail=detail)


class DriftStats:
    """How far running events and the ledger's rows were apart at their ends. Others may read at any time."""

    def __init__(self) -> None:
        self.checks = 0
        self.drift_ms = 0  # of all checks together: anything above 0 is a defect
        self.failures = 0


class Aftermath:
    """Shared by all committers. ``badges_awarded``, ``expiries_noted``: called after a commit that has some.

    ``listeners`` is told of each transition of what trackers look at. ``append`` journals what a check found.
    """

    def __init__(self, executor: Callable[[str], Executor] = THREADS.executor) -> None:
        self.answers = Answers()
        self.drift = DriftStats()
        self.transitions = Transitions()
        self.badges_awarded: Callable[[], None] = lambda: None
        self.expiries_noted: Callable[[], None] = lambda: None
        self.listeners: Callable[[TellListeners], None] = lambda _: None
        self.append: Callable[..., None] = lambda *_: None
        # One at a time, beside the committer: a large event takes a second to score.
        self._checker = executor("attendance-check")

    def lost(self, guilds: list[GuildLost]) -> None:
        """Journal that the bot is not in these guilds, of which sessions are still open."""
        self.append(*guilds)

    def take(self, commit: Commit, kinds: set[type], ledger: Ledger, forgotten: dict[str, int]) -> None:
        """Do what a commit calls for. ``kinds``: its effects' types; ``forgotten``: rows that it forgot."""
        if ForgetMember in kinds:  # at most one in a commit
            request_id = next(it.request_id for it in commit.effects if isinstance(it, ForgetMember))
            self.answers.give(Answer(request_id, detail=forgotten))
        if Answer in kinds or SaveEvent in kinds:
            for effect in commit.effects:
                if isinstance(effect, Answer):
                    self.answers.give(effect)
                elif isinstance(effect, SaveEvent) and effect.event.status is EventStatus.ENDED:
                    self._check(effect.event.event_id, ledger)
        if AwardBadges in kinds:
            self.badges_awarded()
        if TellListeners in kinds:
            self._tell(commit, kinds)

    def _tell(self, commit: Commit, kinds: set[type]) -> None:
        """Tell of what became of subjects: an expiry that is to be noted is among it."""
        for it in commit.effects:
            if type(it) is TellListeners:
                self.transitions.count(it)
                self.listeners(it)
        if NotifyExpiry in kinds:
            self.expiries_noted()

    def stop(self) -> None:
        """End the checks that have not begun."""
        self._checker.shutdown(wait=True, cancel_futures=True)

    def _check(self, event_id: int, ledger: Ledger) -> None:
        try:
            # The snapshot is taken here, before the next commit; reading it may take its time.
            snapshot = ledger.audit(event_id)
        except StorageError as error:
            self._failed(event_id, error)
        else:
            self._checker.submit(self._compare, event_id, snapshot)

    def _compare(self, event_id: int, snapshot: Callable[[], Attendance]) -> None:
        try:
            drift_ms = drift(snapshot())
        except Exception as error:  # noqa: BLE001 - a check must not end with silence, nor end the engine
            self._failed(event_id, error)
            return
        self.drift.checks += 1
        self.drift.drift_ms += drift_ms
        if drift_ms:
            log.error("attendance_drift", event_id=event_id, drift_ms=drift_ms)

    def _failed(self, event_id: int, error: Exception) -> None:
        self.drift.failures += 1
        log.error("attendance_check_failed", event_id=event_id, reason=str(error))


def drift(found: Attendance) -> int:
    """Return by how many ms the rows of an ended event differ from a score of its sessions' rows, in all.

    Where the bot left the guild, the event was settled without waiting for its return: who is found there
    then, and may have been there before, comes too late for it.
    """
    rows, ended_at = {row.user_id: row for row in found.participants}, found.event.ended_at or 0
    stays = [it for it in found.stays if it.joined_at <= ended_at or it.user_id in rows]
    scored = score(found.event, attendees(found.event, stays, found.participants))
    return sum(_apart(rows.get(it), scored.get(it)) for it in rows.keys() | scored.keys())


def _apart(one: Participant | None, other: Participant | None) -> int:
    nothing = Participant(0, 0, 0)
    pairs = zip((one or nothing).tally, (other or nothing).tally, strict=True)
    return sum(abs(here - there) for here, there in pairs)


def active_events(ledger: Ledger) -> Iterator[tuple[Event, list[Participant]]]:
    """Yield what the mirror holds of each active event, as the ledger has it."""
    for event in ledger.open_events():
        if event.status is EventStatus.ACTIVE:
            found = ledger.load_attendance(event)
            known = attendees(event, found.stays, found.participants)
            alone = company(event, stays_of(known))
            yield event, [followed(event, it, alone.get(user_id, NEVER)) for user_id, it in known.items()]
