"""How an entry that was refused is taken again: dead letters retried, quarantines lifted.

An actor that comes out of quarantine stands where it stood when it came in, for nothing of its own was taken
since: its letters are taken in the order of the journal, and come to what they would have come to. A letter
that is retried alone comes late, and what came after it of the same members goes with it: see
``domain.retrial``.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from engine.actors.children import ChildActors
from engine.actors.records import Refusal, place
from engine.domain.event_effects import Answer, AnswerCode
from engine.domain.inputs import Entry, GuildLost, GuildSnapshot
from engine.domain.partition import START, Admission, Item, PartitionState, admit
from engine.domain.retrial import in_order, is_outdated
from engine.domain.retrial_inputs import QuarantineLifted, RetrialInput
from engine.domain.rules import Rules
from engine.domain.tracker_inputs import TimePassed
from engine.storage.protocols import Letter, Quarantine, Record, Stores

READ_ENTRIES = 10_000  # at once, of what came after a letter
SOURCE = "retrial"


class Again(NamedTuple):
    """What is taken again in a batch. ``as_of``: the moment its guild is loaded for, None where none is.

    ``lifted``: the actor whose quarantine ends with it, if any. ``answer``: a refusal, where nothing is.
    """

    request: RetrialInput
    letters: list[Letter]
    as_of: int | None = None
    lifted: Sequence[str] = ()
    answer: Answer | None = None

    def outcome(self, refused: list[Refusal]) -> tuple[list[tuple[str, str]], list[Answer]]:
        """Return which letters took effect, and the answer. ``refused``: what was, in its batch."""
        if self.answer is not None:
            return [], [self.answer]
        again = {no.record.journal_id for _, _, no in refused if no.record is not None}
        tried = [it.record.journal_id for it in self.letters]
        done = [(it, self.request.actor) for it in tried if it not in again]
        counts = {"retried": len(done), "refused": len(self.letters) - len(done)}
        return done, [Answer(self.request.request_id, detail=counts)]


class Retrial:
    """Belongs to the partition's thread. ``children``: its actors by the first part of their names."""

    def __init__(self, stores: Stores, rules: Rules, children: dict[str, ChildActors]) -> None:
        self._journal, self._ledger = stores.journal, stores.ledger
        self._rules, self._children = rules, children

    def begin(self) -> None:
        """Withhold what an earlier life has quarantined."""
        for it in self._ledger.quarantines():
            kind, _, number = it.actor.partition(":")
            self._children[kind].quarantine(int(number), it.reason, it.at)

    def prepare(self, request: RetrialInput, until: str, admission: Admission[Record]) -> Again:
        """Put what a request is about into its batch; call it when all before is in the ledger.

        ``until``: the request's own place in the journal. Raises ``ConnectionError``, ``StorageError``.
        """
        quarantine = next((it for it in self._ledger.quarantines() if it.actor == request.actor), None)
        letters = [it for it in self._ledger.dead_letters(request.actor) if it.record.entry is not None]
        if isinstance(request, QuarantineLifted):
            return self._lift(request, quarantine, letters, admission)
        if quarantine is not None:
            why = f"{request.actor} is quarantined: `rollcall debug lift {request.actor}` takes all of them"
            return _refusal(request, "conflict", why)
        wanted = set(request.journal_ids)
        letters = [it for it in letters if it.record.journal_id in wanted]
        if not letters:
            return _refusal(request, "not_found", f"{request.actor} has no such dead letter to retry")
        again = letters
        if request.actor.startswith("guild:"):
            again = list(self._with_followers(request.guild_id, letters, until, admission.state))
        kind, _, number = request.actor.partition(":")
        self._children[kind].spare(int(number))
        self._admitting(request, admission).let_in(again)
        return Again(request, letters, _as_of(letters))

    def _lift(
        self,
        request: QuarantineLifted,
        quarantine: Quarantine | None,
        letters: list[Letter],
        admission: Admission[Record],
    ) -> Again:
        if quarantine is None:
            return _refusal(request, "conflict", f"{request.actor} is not quarantined")
        since = place(quarantine.journal_id)
        letters = [it for it in letters if place(it.record.journal_id) >= since]
        admitting = self._admitting(request, admission)
        admitting.let_in(letters)
        admitting.let_time_pass()
        kind, _, number = request.actor.partition(":")
        self._children[kind].lift(int(number))
        return Again(request, letters, _as_of(letters) or quarantine.at, [request.actor])

    def _admitting(self, request: RetrialInput, admission: Admission[Record]) -> "_Admitting":
        guild = self._ledger.load_guild(request.guild_id, admission.state.now)
        return _Admitting(request, admission, self._rules, present=guild.present)

    def _with_followers(
        self, guild_id: int, letters: list[Letter], until: str, state: PartitionState
    ) -> Iterator[Letter]:
        """Yield what is to be taken for these letters, with what came after them of the same members."""
        confirmed_at = self._ledger.load_guild(guild_id, state.now).confirmed_at
        mine = {it.record.journal_id: it for it in letters}
        records = [it.record for it in letters]
        later = (it for it in self._later(records[0].journal_id, until) if it.journal_id not in mine)
        # A letter may be older than what the journal still holds.
        both = heapq.merge(records, later, key=lambda it: place(it.journal_id))
        told = ((it.entry.input, mine.get(it.journal_id)) for it in both if it.entry is not None)
        fresh = ((what, letter) for what, letter in told if not (letter and is_outdated(what, confirmed_at)))
        for what, letter in in_order(guild_id, fresh):
            yield letter or Letter(Record(until, Entry(SOURCE, 0, what), b""), 0)

    def _later(self, after: str, until: str) -> Iterator[Record]:
        while records := self._journal.read(after, READ_ENTRIES, 0):
            for it in records:
                if place(it.journal_id) >= place(until):
                    return
                yield it
            after = records[-1].journal_id


def _as_of(letters: list[Letter]) -> int | None:
    return min((it.at for it in letters), default=None)


class _Admitting:
    """Lets entries in for the actor of a request alone, each as it would have been let in at its own time.

    ``present``: the bot is in the guild, as the ledger has it; the entries may tell otherwise as they come.
    """

    def __init__(
        self, request: RetrialInput, admission: Admission[Record], rules: Rules, *, present: bool
    ) -> None:
        self._request, self._admission, self._rules = request, admission, rules
        kind, _, number = request.actor.partition(":")
        self._of_guild, self._key = kind == "guild", int(number)
        self._now, self._present = 0, present

    def let_in(self, letters: Iterable[Letter]) -> None:
        """Put entries, in their order, into the batch."""
        for letter in letters:
            one = self._alone(letter)
            if self._of_guild:
                self._take(one.shares.get(self._key, []))
            else:
                mine = [it for it in one.asked if getattr(it[0], "event_id", None) == self._key]
                self._admission.asked += mine

    def let_time_pass(self) -> None:
        """Let what was due meanwhile happen: nobody else remembers its time."""
        state = self._admission.state
        if self._of_guild:
            passed: Item[Any] = (TimePassed(state.now, self._key), state.connections, None, state.now)
            self._take([passed])

    def _alone(self, letter: Letter) -> Admission[Record]:
        entry, state = letter.record.entry, self._admission.state
        assert entry is not None
        self._now = now = max(self._now, letter.at, entry.input.at)
        # What was not missed on a connection by then; it may have lived on.
        then = {name: replace(it, alive_at=min(it.alive_at, now)) for name, it in state.connections.items()}
        partition = PartitionState(now=now, connections=then, forgotten=state.forgotten)
        present = [self._request.guild_id] if self._present or not self._of_guild else []
        return admit(partition, START, [(entry, letter.record)], present, self._rules)

    def _take(self, items: list[Item[Any]]) -> None:
        for item in items:
            self._admission.shares.setdefault(self._key, []).append(item)
            if isinstance(item[0], GuildSnapshot | GuildLost):
                self._present = isinstance(item[0], GuildSnapshot)


def _refusal(request: RetrialInput, code: AnswerCode, message: str) -> Again:
    return Again(request, [], answer=Answer(request.request_id, code, message))
