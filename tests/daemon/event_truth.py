"""An event's participants compared with who was really there in the simulator's world (seed 002).

Written from the seed and the design alone: it shares no code with what counts in the engine.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from engine.domain.inputs import VoiceFlags
from tests.daemon.truth import APART_MS, LATE_MS, MIN_MS, Window

# Each change that cuts a time may reach the ingest late, at both ends of what it cuts.
OFF_MS = LATE_MS + APART_MS
_DEAF, _MUTE = VoiceFlags.SELF_DEAF | VoiceFlags.DEAF, VoiceFlags.SELF_MUTE | VoiceFlags.MUTE

# Since when somebody has held which roles, by user.
Held = dict[str, list[tuple[int, frozenset[str]]]]


class Part(NamedTuple):
    """A true time in an event's channel, cut where flags or roles changed; ``reason`` "counted" if it is."""

    window: Window
    reason: str


class EventTruth:
    """One ended event as it really was. ``event``: as HTTP tells it; watched since ``since``. Times in ms.

    After ``compare``, ``problems`` has one line for each difference; ``furthest_ms`` is the largest that is
    none, and ``compared`` how many times were, counted or by reason.
    """

    def __init__(
        self,
        truth: dict[str, Any],
        event: dict[str, Any],
        held: Held | None = None,
        afk: str | None = None,
        since: int = 0,
    ) -> None:
        assert event["policy"]["countAlone"], "the truth does not tell who was alone"
        self.event, self.held, self.afk, self.since = event, held or {}, afk, since
        self.window = Window(moment(event["startedAt"]), moment(event["endedAt"]))
        self.problems: list[str] = []
        self.furthest_ms, self.compared = 0, 0
        self.stays: dict[str, list[dict[str, Any]]] = defaultdict(list)
        # Moments at which somebody may be seen who truly had no time in the event: they left just before the
        # start, or within the millisecond, and their leaving is heard of later.
        self.glimpses: dict[str, list[int]] = defaultdict(list)
        for it in truth["presences"]:
            if self._overlaps(it, truth["now"]):
                self.stays[it["user_id"]].append(it | {"left_at": it["left_at"] or truth["now"]})
            elif self._in_channel(it) and it["left_at"]:
                self.glimpses[it["user_id"]].append(max(it["left_at"], self.window.start))

    def compare(self, participants: Iterable[dict[str, Any]]) -> "EventTruth":
        """Compare with an event's participants, as HTTP tells of them."""
        told = {it["userId"]: it for it in participants}
        for user_id in [*self.stays.keys() | told.keys()]:
            self._compare(user_id, told.get(user_id))
        return self

    def counted_ms(self, user_id: str) -> int:
        """Return how much of a member's time truly counts."""
        return sum(end - start for (start, end), reason in self.parts(user_id) if reason == "counted")

    def parts(self, user_id: str) -> list[Part]:
        """Return a member's true times in the event."""
        return [part for stay in self._lasting(user_id) for part in self._cut(stay)]

    def _overlaps(self, it: dict[str, Any], now: int) -> bool:
        begins_at, ends_at = (
            max(it["joined_at"], self.window.start),
            min(it["left_at"] or now, self.window.end),
        )
        return self._in_channel(it) and begins_at < ends_at

    def _in_channel(self, it: dict[str, Any]) -> bool:
        mine = it["guild_id"] == self.event["guildId"] and it["channel_id"] in self.event["voiceChannelIds"]
        return mine and not it["bot"]

    def _lasting(self, user_id: str) -> Iterator[dict[str, Any]]:
        """Yield the stays that are long enough for a session."""
        return (it for it in self.stays[user_id] if it["left_at"] - it["joined_at"] >= MIN_MS)

    def _cut(self, stay: dict[str, Any]) -> Iterator[Part]:
        roles = self.held.get(stay["user_id"], [(0, frozenset())])
        cuts = {at for at, _ in (*stay["spans"], *roles)} | {stay["joined_at"], *self.window}
        inside = [it for it in sorted(cuts) if self.window.start <= it < self.window.end]
        begins = [it for it in inside if stay["joined_at"] <= it < stay["left_at"]]
        for begin, end in zip(begins, [*begins[1:], min(stay["left_at"], self.window.end)], strict=True):
            flags = VoiceFlags(_at(stay["spans"], begin))
            yield Part(Window(begin, end), self._reason(stay, flags, _at(roles, begin)))

    def _reason(self, stay: dict[str, Any], flags: VoiceFlags, roles: frozenset[str]) -> str:
        policy, required = self.event["policy"], set(self.event["requiredRoleIds"])
        enough = required <= roles if self.event["roleMatch"] == "all" else required & roles
        why = {
            "deafened": flags & _DEAF,
            "missing_role": required and not enough,
            "afk": stay["channel_id"] == self.afk and not policy["countAfk"],
            "suppressed": flags & VoiceFlags.SUPPRESS and not policy["countSuppressed"],
            "muted": flags & _MUTE and not policy["countMuted"],
        }
        return next((reason for reason, holds in why.items() if holds), "counted")

    def _compare(self, user_id: str, told: dict[str, Any] | None) -> None:
        if self._unsure(user_id):
            return
        if told is None:
            self.problems.append(f"{user_id} was there: {self.stays[user_id]}")
        elif not self.stays.get(user_id):
            if not self._glimpsed(user_id, moment(told["enteredAt"])) or told["duration"]:
                self.problems.append(f"{user_id} was never there: {told}")
        else:
            self._compare_times(user_id, told)

    def _glimpsed(self, user_id: str, at: int) -> bool:
        return any(abs(it - at) <= OFF_MS for it in self.glimpses[user_id])

    def _unsure(self, user_id: str) -> bool:
        """Say whether it hangs on a delivery's delay that a stay leaves a session, or reaches the event."""
        stays = self.stays[user_id]
        near_minimum = any(abs(it["left_at"] - it["joined_at"] - MIN_MS) <= LATE_MS for it in stays)
        edges = ((it["joined_at"] - self.window.end, it["left_at"] - self.window.start) for it in stays)
        # Of who was there before, nobody knows for how long.
        seen_late = any(
            it["joined_at"] <= self.since and it["left_at"] - it["joined_at"] < MIN_MS for it in stays
        )
        return (
            near_minimum or seen_late or (bool(stays) and all(min(map(abs, it)) <= LATE_MS for it in edges))
        )

    def _compare_times(self, user_id: str, told: dict[str, Any]) -> None:
        parts, sums = self.parts(user_id), dict[str, int]()
        for it in parts:
            sums[it.reason] = sums.get(it.reason, 0) + it.window.end - it.window.start
        seen = {"counted": told["duration"], **told["reasons"]}
        for reason in sums.keys() | seen.keys():
            self._check(user_id, reason, sums.get(reason, 0), round(seen.get(reason, 0) * 1000), len(parts))
        entered_at = max(min(it["joined_at"] for it in self.stays[user_id]), self.window.start)
        seen_at = moment(told["enteredAt"])
        glimpsed = min(
            (it for it in self.glimpses[user_id] if abs(it - seen_at) <= OFF_MS), default=entered_at
        )
        self._check(user_id, "enteredAt", min(entered_at, glimpsed), seen_at, 1)
        threshold_ms = self._threshold_ms()
        # Who touched the event's edge by a delivery's delay alone has no part in the truth.
        sure = abs(sums.get("counted", 0) - threshold_ms) > OFF_MS * max(len(parts), 1)
        if sure and told["eligible"] != (sums.get("counted", 0) >= threshold_ms):
            self.problems.append(f"{user_id} counted {sums}, {threshold_ms} needed: {told}")

    def _threshold_ms(self) -> float:
        length_ms = self.window.end - self.window.start
        return max(self.event["minDuration"] * 1000, self.event["minShare"] * length_ms, 1)

    def _check(self, user_id: str, what: str, true: int, seen: int, cuts: int) -> None:
        off_ms = abs(seen - true)
        self.compared += 1
        if off_ms > OFF_MS * max(cuts, 1):
            self.problems.append(f"{user_id}, {what}: {seen} told, {true} true")
        else:
            self.furthest_ms = max(self.furthest_ms, off_ms)


def moment(text: str) -> int:
    """Read a moment as ms UTC."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _at(changes: Iterable[tuple[int, Any]], at: int) -> Any:
    """Return what held at a moment, of changes in order."""
    *_, (_, held) = (it for it in changes if it[0] <= at)
    return held
