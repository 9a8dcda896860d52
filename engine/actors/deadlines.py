"""When the next deadline of each guild or event passes; what is outdated waits in the heap to surface."""

from heapq import heapify, heappop, heappush


class Deadlines:
    """At most one deadline by id. Setting and taking cost the logarithm of how many there are."""

    def __init__(self) -> None:
        self._at: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._at)

    def set(self, key: int, at: int | None) -> None:
        """Put an id's deadline in place of the one it had; None: it has none."""
        if at is None:
            self._at.pop(key, None)
        elif self._at.get(key) != at:
            self._at[key] = at
            heappush(self._heap, (at, key))
            if len(self._heap) > 64 and len(self._heap) > 4 * len(self._at):
                self._rebuild()

    def due(self, now: int) -> list[int]:
        """Take out and return the ids whose deadline has come, in its order."""
        found: list[int] = []
        while self._heap and self._heap[0][0] <= now:
            at, key = heappop(self._heap)
            if self._at.get(key) == at:
                del self._at[key]
                found.append(key)
        return found

    def in_order(self) -> list[tuple[int, int]]:
        """Return all as ``(at, id)``; may be called from any thread."""
        return sorted((at, key) for key, at in self._at.copy().items())

    def _rebuild(self) -> None:
        self._heap = [(at, key) for key, at in self._at.items()]
        heapify(self._heap)
