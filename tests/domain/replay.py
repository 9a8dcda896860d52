"""The engine in the small: admission, steps and a ledger of dicts, without threads and disks."""

from collections.abc import Iterable
from copy import deepcopy

from engine.domain.effects import Effect
from engine.domain.guild import GuildState
from engine.domain.inputs import Entry
from engine.domain.partition import Admission, PartitionState, admit
from engine.domain.rules import Rules
from engine.domain.step import step, steps
from engine.domain.tracker_inputs import TimePassed
from tests.domain.book import Book


class Replay:
    """Takes batches of entries. ``effects`` are all effects so far, per guild."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.book = Book()
        self.partition = PartitionState()
        self.guilds: dict[int, GuildState] = {}
        self.effects: dict[int, list[Effect]] = {}
        self.late = self.duplicates = 0

    def take(self, batch: Iterable[Entry]) -> None:
        """Let one batch take effect."""
        admission = admit(self.partition, "1-0", [(entry, None) for entry in batch])
        self._ring(admission)
        for guild_id, share in admission.shares.items():
            state = self.guilds.get(guild_id, GuildState(guild_id))
            self._adopt(*steps(state, share, self.rules))
        self.partition = admission.state
        self.late += admission.late
        self.duplicates += admission.duplicates

    def take_singly(self, batch: Iterable[Entry]) -> None:
        """Do the same step by step, and see that no step touches the state it was given."""
        admission = admit(self.partition, "1-0", [(entry, None) for entry in batch])
        for guild_id, share in admission.shares.items():
            for what, beats, _, now in share:
                before = self.guilds.get(guild_id, GuildState(guild_id))
                kept = deepcopy(before)
                after, effects = step(before, what, beats, self.rules, now)
                assert before == kept, f"{what} touched the state it was given"
                assert _ordered(before) == _ordered(kept)
                self._adopt(after, effects)
        self.partition = admission.state

    def _ring(self, admission: Admission[None]) -> None:
        """Tell the guilds whose alarm has come, as a partition does, behind their share of the batch."""
        now, wakes = admission.state.now, self.book.trackers.wakes
        for guild_id, at in wakes.items():
            if at is not None and at <= now:
                passed = (TimePassed(now, guild_id), admission.state.connections, None, now)
                admission.shares.setdefault(guild_id, []).append(passed)

    def crash(self) -> None:
        """Forget all that is in memory; what the ledger holds is loaded again."""
        self.guilds = {it: self.book.rebuilt(it, self.partition.now) for it in self.guilds}

    def _adopt(self, state: GuildState, effects: list[Effect]) -> None:
        self.guilds[state.guild_id] = state
        self.effects.setdefault(state.guild_id, []).extend(effects)
        self.book.take(effects)


def _ordered(state: GuildState) -> list[list[tuple[int, object]]]:
    return [list(it.items()) for it in (state.sessions, state.left, state.created)]


def batches(journal: list[Entry], sizes: list[int]) -> list[list[Entry]]:
    result, start = [], 0
    while start < len(journal):
        size = sizes[len(result) % len(sizes)]
        result.append(journal[start : start + size])
        start += size
    return result
