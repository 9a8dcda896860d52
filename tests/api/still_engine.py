"""What the API shows of an engine, without one."""

import threading
from collections.abc import Iterator
from typing import Any

from engine.inspection import Readiness, Sample

GUILD = {
    "name": "guild:10",
    "kind": "guild",
    "state": "running",
    "inbox": 0,
    "restarts": 0,
    "openSessions": 2,
    "lastAt": "2026-03-01T18:00:00.000Z",
}


class StillEngine:
    """An engine that stands still: the simplest that keeps the contract of `Inspection`."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.ready = Readiness()
        self.asked = threading.Event()
        self.hold: threading.Event | None = None  # what `live` waits for, where set
        self.holding: list[threading.Event] = []

    def faults(self) -> list[str]:
        return self.failed

    def readiness(self) -> Readiness:
        return self.ready

    def overview(self) -> dict[str, Any]:
        return {"version": "1", "openSessions": 2}

    def actors(self) -> list[dict[str, Any]]:
        return [GUILD]

    def actor(self, name: str) -> dict[str, Any] | None:
        return GUILD | {"describe": {"sessions": {}}} if name == GUILD["name"] else None

    def journal(self) -> list[dict[str, Any]]:
        return [{"partition": 0, "cursor": "5-0", "lastId": "7-0", "length": 7, "lag": 2}]

    def trackers(self) -> list[dict[str, Any]]:
        return [{"label": "users", "mode": "realtime", "state": "running", "runs": 1, "lastError": None}]

    def timers(self) -> list[dict[str, Any]]:
        moment = {"at": "2026-03-01T18:00:30.000Z", "inSeconds": 12.5}
        return [moment | {"what": "player expires", "guildId": "10"}]

    def live(self) -> dict[str, Any]:
        self.asked.set()
        if self.hold is not None:
            self.holding.append(self.hold)
            self.hold.wait(30)
        return {"cursor": "5-0", "guilds": 1, "sessions": 2, "rebuilt": None}

    def top(self) -> dict[str, Any]:
        return {"at": "2026-03-01T18:00:00.000Z", "counters": {"entries": 5}, "gauges": {"lag": 2}}

    def reconcile(self) -> dict[str, Any]:
        counts = {"guilds": 1, "sessions": 2, "events": 0, "differences": {}, "journalRewinds": 0}
        return {"at": "2026-03-01T18:00:00.000Z", "tookMs": 3, "errors": []} | counts

    def samples(self) -> Iterator[Sample]:
        yield Sample("rollcall_entries_total", "counter", "Entries taken.", 5, {"partition": "0"})
        yield Sample("rollcall_entries_total", "counter", "Entries taken.", 7, {"partition": "1"})
        yield Sample("rollcall_open_sessions", "gauge", "Sessions open now.", 2)
