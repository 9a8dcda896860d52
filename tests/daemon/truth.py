"""The ledger's rows compared with what really happened in the simulator's world."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from engine.domain.rules import Rules

# What an update may take from the world to the ingest's clock on a busy machine. Half the shortest session,
# so that no row can be taken for another presence's.
LATE_MS = 500
MIN_MS = Rules().min_session_ms
# How far the clocks of two processes may stand apart: the ingest's follows the wall clock slowly.
APART_MS = 50


class Window(NamedTuple):
    """A time, in ms UTC."""

    start: int
    end: int


@dataclass(eq=False)
class Presence:
    """One user's true stay in one channel. ``row`` is its session's, once found."""

    guild_id: int
    user_id: int
    channel_id: int
    bot: bool
    gateway_session_id: str
    joined_at: int
    left_at: int | None
    flags: list[tuple[int, int]]
    row: "Row | None" = None


@dataclass(eq=False)
class Row:
    """A session of the ledger with its spans."""

    guild_id: int
    user_id: int
    channel_id: int
    joined_at: int
    joined_slack_ms: int
    left_at: int | None
    left_slack_ms: int
    flags: int
    chain_at: int
    previous_at: int | None
    bridged: int
    gateway_session_id: str | None = None
    span_flags: list[int] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        """Whether every moment of it was seen."""
        return not (self.joined_slack_ms or self.left_slack_ms or self.bridged)


_COLUMNS = [name for name in Row.__dataclass_fields__ if name != "span_flags"]


def rows_of(database: Path) -> list[Row]:
    """Read all sessions of a ledger."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        found = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM session ORDER BY joined_at")
        rows = [Row(**dict(zip(_COLUMNS, values, strict=True))) for values in found]
        by_key = {(it.guild_id, it.user_id, it.joined_at): it for it in rows}
        spans = connection.execute(
            "SELECT guild_id, user_id, joined_at, flags FROM span ORDER BY started_at, ended_at"
        )
        for *key, flags in spans:
            by_key[tuple(key)].span_flags.append(flags)
    return rows


class Comparison:
    """Finds each row's presence; ``problems`` tells of every row without one, and the other way round.

    ``watched``: when the ingest was connected. ``now``: the last moment that both sides know of.
    ``late_ms``: what an update may take on its way to the ingest's clock.
    """

    def __init__(
        self, rows: Iterable[Row], truth: dict[str, Any], watched: list[Window], late_ms: int = LATE_MS
    ):
        self.watched, self.late_ms = watched, late_ms
        self.now = min(truth["now"], watched[-1].end)
        self.problems: list[str] = []
        presences = defaultdict(list)
        for it in truth["presences"]:
            presence = _presence(it)
            presences[presence.guild_id, presence.user_id].append(presence)
        found = defaultdict(list)
        for row in rows:
            found[row.guild_id, row.user_id].append(row)
        for key in found.keys() | presences.keys():
            self._compare(found[key], presences[key])

    def _compare(self, rows: list[Row], presences: list[Presence]) -> None:
        following = 0
        for row in rows:
            if row.joined_at > self.now - APART_MS:
                continue  # perhaps after the truth was asked for
            index = self._match(row, presences, following)
            if index is None:
                self.problems.append(f"no presence for {row}")
                continue
            self._check_skipped(presences[following:index])
            following = self._follow(row, presences, index) + 1
            self._check_chain(row, presences, index)
        self._check_skipped(presences[following:])

    def _match(self, row: Row, presences: list[Presence], following: int) -> int | None:
        """Return the latest presence that may be the row's: an earlier one was too short for a row.

        In a gap none is: there it must have ended when the row says, and the rows are in their order.
        """
        earliest = row.joined_at - row.joined_slack_ms - self.late_ms
        fitting = [
            index
            for index, it in enumerate(presences)
            if index >= following
            and not it.bot
            and it.channel_id == row.channel_id
            and earliest <= it.joined_at <= row.joined_at
        ]
        if row.joined_slack_ms > self.late_ms:
            ended = [index for index in fitting if self._ends_with(row, presences[index])]
            named = [it for it in ended if presences[it].gateway_session_id == row.gateway_session_id]
            ended = named or ended
            fitting = (ended[:1] if row.left_at == row.joined_at else ended) or fitting
        return fitting[-1] if fitting else None

    def _follow(self, row: Row, presences: list[Presence], index: int) -> int:
        """Find where the row's presence ended. A bridged one may have been elsewhere and come back."""
        first = presences[index]
        first.row = row
        ends = [index]
        if row.bridged:
            ends += [
                later
                for later in range(index + 1, len(presences))
                if presences[later].channel_id == row.channel_id
                and presences[later].gateway_session_id == first.gateway_session_id
            ]
        for end in ends:
            if self._ends_with(row, presences[end]):
                presences[end].row = row
                if not row.bridged:
                    self._check_flags(row, presences[end])
                return end
        self.problems.append(f"another end: {row} {presences[index]}")
        return index

    def _ends_with(self, row: Row, presence: Presence) -> bool:
        left_at = presence.left_at
        if row.left_at is None:
            return left_at is None or left_at >= self.now - self.late_ms
        if left_at is None or left_at > self.now:
            return row.left_at + row.left_slack_ms >= self.now - self.late_ms
        # Of who came and went in one gap no length is known: only both slacks together hold the truth.
        since = row.left_at - (row.joined_slack_ms if row.left_at == row.joined_at else 0)
        in_time = since - self.late_ms <= left_at <= row.left_at + row.left_slack_ms
        # With slack the longest reading counts.
        return in_time and (not row.exact or left_at - presence.joined_at > MIN_MS - self.late_ms)

    def _check_flags(self, row: Row, presence: Presence) -> None:
        """Compare the order of flags; what lasted less than a delivery takes may have left no span."""
        if row.left_at is None or row.left_at > self.now or row.left_slack_ms or row.joined_slack_ms:
            return
        seen = iter([flags for flags, _ in groupby([*row.span_flags, row.flags])])  # roles cut spans, too
        flags, held = next(seen), None
        ends = [at for at, _ in presence.flags[1:]] + [presence.left_at or self.now]
        for (at, true_flags), end in zip(presence.flags, ends, strict=True):
            if true_flags == flags:
                flags, held = next(seen, None), flags
            elif true_flags != held and end - at >= self.late_ms:
                break
        else:
            if flags is None:
                return
        self.problems.append(f"other flags: {row} {presence}")

    def _check_skipped(self, presences: list[Presence]) -> None:
        self.problems += [f"no row for {it}" for it in presences if it.row is None and self._must_show(it)]

    def _must_show(self, it: Presence) -> bool:
        left_at = self.now if it.left_at is None else min(it.left_at, self.now)
        seen_ms = sum(
            max(0, min(left_at, end) - max(it.joined_at, start) - self.late_ms) for start, end in self.watched
        )
        return not it.bot and seen_ms > 0 and left_at - it.joined_at > MIN_MS + self.late_ms

    def _check_chain(self, row: Row, presences: list[Presence], index: int) -> None:
        """Follow the moves backwards to the last presence with a row: that one is the previous session."""
        previous = None
        while index > 0 and previous is None and _moved(presences[index - 1], presences[index]):
            index -= 1
            previous = presences[index].row
        expected = (previous.joined_at, previous.chain_at) if previous else (None, row.joined_at)
        if (row.previous_at, row.chain_at) != expected:
            self.problems.append(f"another chain than {expected}: {row}")


def _moved(before: Presence, after: Presence) -> bool:
    return before.left_at == after.joined_at and before.gateway_session_id == after.gateway_session_id


def _presence(it: dict[str, Any]) -> Presence:
    ids = {key: int(it[key]) for key in ("guild_id", "user_id", "channel_id")}
    plain = {key: it[key] for key in ("bot", "gateway_session_id", "joined_at", "left_at")}
    return Presence(**ids, **plain, flags=[(at, flags) for at, flags in it["spans"]])
